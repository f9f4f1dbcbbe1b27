"""Test set, metrics, statistics and tables."""
