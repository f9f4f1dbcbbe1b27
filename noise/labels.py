"""What the oracle track tells a denoiser: the kinds of noise in each signal, and for the ceiling the truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.noise.settings import KIND_ORDER


@dataclass(frozen=True)
class NoiseLabels:
    """Labels of n signals.

    Attributes:
        kinds: [n, 5] bool, columns PLI, ECG, MOA, WGN, Color.
        line_hz: [n] power-line frequency in Hz, NaN where there is none or it is not known.
        clean: [n, L] the clean signals; only the ceiling (`wiener_oracle`) may read it.
    """

    kinds: NDArray[np.bool_]
    line_hz: NDArray[np.float64]
    clean: NDArray[np.float64] | None = None

    def has(self, kind: str) -> NDArray[np.bool_]:
        """[n]: which signals hold this kind."""
        return np.asarray(self.kinds[:, KIND_ORDER.index(kind)], np.bool_)


LabelsLike = NoiseLabels | Sequence[str] | Sequence[Iterable[str]]


def parse_labels(labels: LabelsLike, n: int) -> NoiseLabels:
    """Labels as users write them ("PLI+ECG", or {"PLI", "ECG"}, one a signal) to `NoiseLabels`.

    Raises:
        UserError: not one a signal, or an unknown kind (with the known ones).
    """
    if isinstance(labels, NoiseLabels):
        if labels.kinds.shape != (n, len(KIND_ORDER)) or labels.line_hz.shape != (n,):
            raise UserError(f"labels for {len(labels.kinds)} signals, got {n}")
        return labels
    if isinstance(labels, str):
        labels = [labels] * n
    if len(labels) != n:
        raise UserError(f"{len(labels)} labels for {n} signals")
    kinds = np.zeros((n, len(KIND_ORDER)), np.bool_)
    lookup = {kind.lower(): column for column, kind in enumerate(KIND_ORDER)}
    for row, label in enumerate(labels):
        names = label.split("+") if isinstance(label, str) else label
        for name in names:
            if not name.strip():
                continue
            column = lookup.get(name.strip().lower())
            if column is None:
                raise UserError(f"unknown noise '{name}'{did_you_mean(name, KIND_ORDER)}")
            kinds[row, column] = True
    return NoiseLabels(kinds, np.full(n, np.nan))
