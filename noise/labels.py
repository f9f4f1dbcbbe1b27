"""The labels of the tracks that are given some: the kinds of noise in each signal and, for ceilings, the clean signals.

A denoiser gets the kinds that it knows (`Denoiser.known_kinds`, by default the benchmark's five) as
columns of `kinds`, always in that order, and any other kind in the signals as a name in `others`. A denoiser that
ignores `others` treats a signal only by the kinds that it knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.noise.kinds import BENCHMARK_KINDS, aligned, columns_of, known_kinds

Rule = Literal["evidence", "published"]


@dataclass(frozen=True)
class NoiseLabels:
    """Labels of n signals.

    Attributes:
        kinds: [n, K] bool, columns as `names`.
        line_hz: [n] power-line frequency in Hz, NaN where there is none or it is not known.
        clean: [n, L] the clean signals; only floors and ceilings (`wiener_oracle` and the like) may read it.
        names: [K] names of the columns.
        others: [n] names of the kinds in each signal that have no column; () where no signal has any.
        rule: what a kind that is given means. "evidence", on the tracks oracle and auto: it is treated where the signal
            shows it as well, as much as it shows. "published", on that track: it is treated, as in the published
            baselines, however little of it there is.
        sources: [n, K] names of the pieces of noise, as `em_0_471s`, "" where a kind is not there; None: not known. The
            published rule treats noise of some records in its own way.
    """

    kinds: NDArray[np.bool_]
    line_hz: NDArray[np.float64]
    clean: NDArray[np.float64] | None = None
    names: tuple[str, ...] = BENCHMARK_KINDS
    others: tuple[frozenset[str], ...] = ()
    rule: Rule = "evidence"
    sources: NDArray[np.str_] | None = None

    def has(self, kind: str) -> NDArray[np.bool_]:
        """[n] whether each signal holds this kind."""
        if kind in self.names:
            return np.asarray(self.kinds[:, self.names.index(kind)], np.bool_)
        return np.array([bool(self.others) and kind in self.others[row] for row in range(len(self.kinds))], np.bool_)

    def may_hold(self, kinds: Sequence[str]) -> NDArray[np.bool_]:
        """[n] whether evidence for one of these kinds is to be believed: one is given, or one of unknown nature."""
        unknown = np.array([bool(names) for names in self.others] or [False] * len(self.kinds), np.bool_)
        return np.asarray(np.any([unknown, *(self.has(kind) for kind in kinds)], axis=0), np.bool_)

    def record_of(self, kind: str) -> list[str]:
        """[n] the record that a kind's noise is from: its piece's name up to "_"; "" where it is not known."""
        if self.sources is None or kind not in self.names:
            return [""] * len(self.kinds)
        return [str(name).partition("_")[0] for name in self.sources[:, self.names.index(kind)]]

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
            sources=None if self.sources is None else _columns(self.sources, self.names, known),
            others=tuple(one - set(known) for one in others) if any(others) else (),
        )

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> NoiseLabels:
        """The labels of some signals."""
        at = np.arange(len(self.kinds))[rows]
        return NoiseLabels(
            self.kinds[at], self.line_hz[at], None if self.clean is None else self.clean[at], self.names,
            tuple(self.others[row] for row in at) if self.others else (), self.rule,
            None if self.sources is None else self.sources[at],
        )  # fmt: skip


def _columns(sources: NDArray[np.str_], names: Sequence[str], known: Sequence[str]) -> NDArray[np.str_]:
    """[n, names] -> [n, known], "" for a kind that is not among `names`."""
    empty = np.zeros_like(sources[:, 0]) if sources.shape[1] else np.zeros(len(sources), "<U1")
    return np.stack([sources[:, list(names).index(kind)] if kind in names else empty for kind in known], axis=1)


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
