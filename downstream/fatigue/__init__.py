"""Fatigue: how tired a muscle is, from windows of four channels."""
