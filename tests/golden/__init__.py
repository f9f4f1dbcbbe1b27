"""Tables of two small runs as they were, and the command that writes them again: `python -m tests.golden.record`."""
