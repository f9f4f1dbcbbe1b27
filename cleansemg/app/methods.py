"""The denoisers that the page offers: those that need nothing but the waveform, and are ready to run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from cleansemg.core.registry import entries, load_class
from cleansemg.denoising.loading import DEFAULT_DENOISER, OPEN, PRETRAINED, WEIGHTS_FOLDER, is_neural


@dataclass(frozen=True)
class Method:
    """A denoiser with its weights.

    Attributes:
        name: of the denoiser.
        weights: pretrained or open.
        summary: one line.
    """

    name: str
    weights: str
    summary: str

    @property
    def key(self) -> str:
        """By which the page names it."""
        return f"{self.name}:{self.weights}"


WHOLE_FORM = re.compile(r", [\d,]+ parameters$")  # what a summary ends with; pretrained weights may be of a small form


@cache
def methods() -> tuple[Method, ...]:
    """All of them, the project's default first.

    Left out: methods that must be told the kinds of noise or the clean signal, and networks without weights.
    """
    offered = []
    for name, entry in entries("denoisers").items():
        cls = load_class(entry.target)
        if "blind" not in cls.tracks:
            continue
        if not is_neural(cls):
            offered.append(Method(name, PRETRAINED, entry.summary))
            continue
        for weights, folder in ((PRETRAINED, WEIGHTS_FOLDER), (OPEN, WEIGHTS_FOLDER / OPEN)):
            if (folder / f"{name}.safetensors").exists():
                extra = ", fine-tuned on open recordings" if weights == OPEN else ""
                offered.append(Method(name, weights, WHOLE_FORM.sub("", entry.summary) + extra))
    return tuple(sorted(offered, key=lambda method: (method.name, method.weights) != DEFAULT_DENOISER))


def default_key() -> str:
    """The one that is preselected."""
    return ":".join(DEFAULT_DENOISER)
