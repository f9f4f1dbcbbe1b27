"""The label that says what the parts of a run share."""

from __future__ import annotations

from cleansemg.core.layout import Layout
from cleansemg.data_pipeline import part_selection, subject_split


def leak_labels(layout: Layout) -> list[str]:
    """One label that names the subjects and noise records that the parts of a run share; [] where they share none."""
    shared = []
    if layout.split.exists():
        label = subject_split.load_split(layout.split).label
        shared += [label.partition("LEAKING: ")[2].rstrip(".")] if label else []
    if layout.noise_label.exists():
        shared += layout.noise_label.read_text(encoding="utf-8").splitlines()
    return [part_selection.leak_label(shared)] if shared else []
