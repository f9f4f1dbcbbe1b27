"""Readers of recordings: one module per format, one YAML file in configs/datasets/ per database."""
