"""The front door: one command line over every stage."""
