"""Readers of recordings: one file a format, one YAML in configs/datasets/ a database."""
