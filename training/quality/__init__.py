"""Training and test of the quality network, in steps."""
