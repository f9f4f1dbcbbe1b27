"""Fitting and testing the quality network, step by step."""
