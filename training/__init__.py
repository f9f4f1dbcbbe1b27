"""Training of neural denoisers and calibration of classical ones."""
