"""All noise sources for surface EMG behind one interface, and the rule that mixes noise into clean signals."""
