"""Recordings in, clean labelled segments out: quality control, grading, split, segmentation."""
