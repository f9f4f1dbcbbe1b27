"""The networks of the registry, small and quick enough to be run many times over."""

from __future__ import annotations

from typing import Any

from cleansemg.core.registry import entries, load_class
from cleansemg.denoising.loading import is_neural, small_form

NETWORKS = tuple(name for name, entry in entries("denoisers").items() if is_neural(load_class(entry.target)))
QUICKER: dict[str, dict[str, Any]] = {"sdemg": {"sampler": "fast", "steps": 2}}  # its default runs it 50 times


def quick_form(name: str) -> dict[str, Any]:
    """Parameters of a network's small form, with fewer runs of the network where it runs more than once."""
    return {**small_form(name), **QUICKER.get(name, {})}
