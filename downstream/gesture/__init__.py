"""Gestures: STCNet, fitted on clean recordings, over clean, noisy and denoised ones."""
