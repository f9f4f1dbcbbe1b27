"""Fitting neural denoisers and calibrating classical ones."""
