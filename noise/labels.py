"""The labels of the oracle track: the kinds of noise in each signal and, for the ceiling, the clean signals.

A denoiser gets the kinds that it knows (`Denoiser.known_kinds`, by default the benchmark's five) as
columns of `kinds`, always in that order, and any other kind in the signals as a name in `others`. A denoiser that
ignores `others` treats a signal only by the kinds that it knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.noise.kinds import BENCHMARK_KINDS, aligned, columns_of, known_kinds


@dataclass(frozen=True)
class NoiseLabels:
    """Labels of n signals.

    Attributes:
        kinds: [n, K] bool, columns as `names`.
        line_hz: [n] power-line frequency in Hz, NaN where there is none or it is not known.
        clean: [n, L] the clean signals; only the ceiling (`wiener_oracle`) may read it.
        names: [K] names of the columns.
        others: [n] names of the kinds in each signal that have no column; () where no signal has any.
    """

    kinds: NDArray[np.bool_]
    line_hz: NDArray[np.float64]
    clean: NDArray[np.float64] | None = None
    names: tuple[str, ...] = BENCHMARK_KINDS
    others: tuple[frozenset[str], ...] = ()

    def has(self, kind: str) -> NDArray[np.bool_]:
        """[n] whether each signal holds this kind."""
        if kind in self.names:
            return np.asarray(self.kinds[:, self.names.index(kind)], np.bool_)
        return np.array([bool(self.others) and kind in self.others[row] for row in range(len(self.kinds))], np.bool_)

    def for_kinds(self, known: Sequence[str]) -> NoiseLabels:
        """The same labels with the columns `known`; other kinds are moved to `others`."""
        if self.names == tuple(known):
            return self
        unknown = [name for name in self.names if name not in known]
        extra = [frozenset(name for name in unknown if self.kinds[row, self.names.index(name)])
                 for row in range(len(self.kinds))]  # fmt: skip
        others = [one | before for one, before in zip(extra, self.others or [frozenset()] * len(extra), strict=True)]
        return replace(
            self,
            kinds=aligned(self.kinds, self.names, known) | np.array([[k in o for k in known] for o in others]),
            names=tuple(known),
            others=tuple(one - set(known) for one in others) if any(others) else (),
        )

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> NoiseLabels:
        """The labels of some signals."""
        at = np.arange(len(self.kinds))[rows]
        return NoiseLabels(
            self.kinds[at], self.line_hz[at], None if self.clean is None else self.clean[at], self.names,
            tuple(self.others[row] for row in at) if self.others else (),
        )  # fmt: skip


LabelsLike = NoiseLabels | Sequence[str] | Sequence[Iterable[str]]


def parse_labels(labels: LabelsLike, n: int) -> NoiseLabels:
    """Convert labels as users write them to `NoiseLabels`.

    Args:
        labels: `NoiseLabels`; or for each signal a text ("PLI+ECG") or a set of kinds ({"PLI", "ECG"}); or one text for
            all signals.
        n: number of signals.

    Raises:
        UserError: the labels do not number one per signal, or a kind is unknown.
    """
    if isinstance(labels, NoiseLabels):
        if labels.kinds.shape != (n, len(labels.names)) or labels.line_hz.shape != (n,):
            raise UserError(f"labels for {len(labels.kinds)} signals, got {n}")
        return labels
    if isinstance(labels, str):
        labels = [labels] * n
    if len(labels) != n:
        raise UserError(f"{len(labels)} labels for {n} signals")
    lookup = {kind.lower(): kind for kind in known_kinds()}
    present: list[set[str]] = [set() for _ in range(n)]
    for row, label in enumerate(labels):
        names = label.split("+") if isinstance(label, str) else label
        for name in names:
            if not name.strip():
                continue
            kind = lookup.get(name.strip().lower())
            if kind is None:
                raise UserError(f"unknown noise '{name}'{did_you_mean(name, known_kinds())}")
            present[row].add(kind)
    columns = columns_of(set().union(*present))
    kinds = np.array([[kind in one for kind in columns] for one in present], np.bool_).reshape(n, len(columns))
    return NoiseLabels(kinds, np.full(n, np.nan), names=columns)
