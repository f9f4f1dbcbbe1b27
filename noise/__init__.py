"""Every contaminant of surface EMG behind one interface, and the rule that mixes them in."""
