"""Gait: what the legs do, from 200 ms of their muscles."""
