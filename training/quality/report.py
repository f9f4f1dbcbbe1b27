"""Tables of predictions: all mixtures, by condition, and the kinds of noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.rendering import Column, Table
from cleansemg.noise.kinds import BENCHMARK_KINDS, aligned, columns_of
from cleansemg.training.quality.agreement import MEASURES, average_precision, intervals

if TYPE_CHECKING:
    from cleansemg.settings import Settings

OURS = "this run"
BIN_DB = 5.0
DECIMALS = {"LCC": 4, "SRCC": 4, "MSE": 3, "MAE": 3}
# Results on QASE-net's test set, as printed in the notebooks of its repository (30 epochs): LCC, SRCC, MSE, MAE
PRINTED = {
    "wldnn": ("WLDNN (200 ms)", 0.9373, 0.9371, 2.5908, 1.2650),
    "cnn": ("CNN", 0.9873, 0.9876, 0.8108, 0.6030),
    "cnn_attention": ("CNN+attention", 0.9916, 0.9917, 0.6509, 0.5725),
    "cnn_blstm": ("CNN-BLSTM", 0.9939, 0.9940, 0.3706, 0.3933),
    "qase": ("QASE-net", 0.9953, 0.9954, 0.2473, 0.3298),
}
PRINTED_NOTE = (
    "The printed rows are of Ninapro DB2 with recorded ECG (MIT-BIH NSRDB) at 0 to -15 dB. They stand beside ours for "
    "orientation: other recordings, and a validation and test set that share ECG subjects."
)


@dataclass(frozen=True)
class Predictions:
    """Predictions of one model for the test mixtures, one row for each mixture."""

    name: str
    n_parameters: int
    snr_db: NDArray[np.float64]
    predicted_db: NDArray[np.float64]
    probability: NDArray[np.float64]  # [n, kinds that the model knows]
    kinds: NDArray[np.bool_]  # [n, K]
    n_samples: NDArray[np.int64]
    subject: NDArray[np.str_]
    fs_hz: float
    kind_names: tuple[str, ...] = BENCHMARK_KINDS  # columns of `kinds`
    known_kinds: tuple[str, ...] = BENCHMARK_KINDS  # columns of `probability`

    @property
    def has_kinds(self) -> bool:
        return bool(np.isfinite(self.probability).all())


def tables(every: Sequence[Predictions], settings: Settings, labels: Sequence[str]) -> dict[str, Table]:
    """The tables by name: `table` (all mixtures), `by_condition`, and `kinds` if a model has the second head."""
    by_name = {"table": main_table(every, settings, labels), "by_condition": by_condition(every, labels)}
    if any(one.has_kinds for one in every):
        by_name["kinds"] = kinds_table(every, labels)
    return by_name


def main_table(every: Sequence[Predictions], settings: Settings, labels: Sequence[str]) -> Table:
    """One row for each model; with `quality.printed`, the printed row of the model, if there is one, below it."""
    rows: list[dict[str, Any]] = []
    for one in every:
        options = (settings.tables.bootstrap_resamples, settings.tables.confidence, settings.seed)
        limits = intervals(one.snr_db, one.predicted_db, one.subject, *options)
        row: dict[str, Any] = {"model": one.name, "source": OURS, "n_parameters": one.n_parameters}
        for name, measure in MEASURES.items():
            row[name] = measure(one.snr_db, one.predicted_db)
            row[f"{name}_low"], row[f"{name}_high"] = limits[name]
        row |= {"n_mixtures": len(one.snr_db), "n_subjects": len(set(one.subject.tolist()))}
        rows.append(row)
        if settings.quality.printed and one.name in PRINTED:
            label, *values = PRINTED[one.name]
            rows.append({"model": one.name, "source": f"printed, {label}", **dict(zip(MEASURES, values, strict=True))})
    columns = [Column("model", "model"), Column("source", "source"), Column("n_parameters", "parameters")]
    for name in MEASURES:
        unit = {"MSE": " (dB²) ↓", "MAE": " (dB) ↓"}.get(name, " ↑")
        ends = (f"{name}_low", f"{name}_high")
        columns += [Column(name, name + unit, DECIMALS[name], ends), *(Column(end) for end in ends)]
    columns += [Column("n_mixtures", "n"), Column("n_subjects", "subjects")]
    notes = [
        (
            f"Predicted against true SNR of the test mixtures; {settings.tables.confidence:.0%} intervals by a "
            f"bootstrap over subjects ({settings.tables.bootstrap_resamples} resamples)."
        ),
        *([PRINTED_NOTE] if settings.quality.printed else []),
        *([settings.tables.note] if settings.tables.note else []),
        *labels,
    ]
    return Table(f"Predicted SNR: {settings.title}", columns, rows, notes)


def by_condition(every: Sequence[Predictions], labels: Sequence[str]) -> Table:
    """The measures and the mean error by SNR, number of kinds, single kind and length."""
    rows = []
    for one in every:
        for condition, members in _conditions(one):
            if members.any():
                true, predicted = one.snr_db[members], one.predicted_db[members]
                values = {name: measure(true, predicted) for name, measure in MEASURES.items()}
                bias = float(np.mean(predicted - true))
                rows.append(
                    {
                        "model": one.name,
                        "condition": condition,
                        **values,
                        "bias": bias,
                        "n_mixtures": int(members.sum()),
                    }
                )
    columns = [Column("model", "model"), Column("condition", "condition")]
    columns += [Column(name, name, DECIMALS[name]) for name in MEASURES]
    columns += [Column("bias", "predicted - true (dB)", 2), Column("n_mixtures", "n")]
    note = "Correlations within a narrow range of SNR say little; MAE and the mean difference do."
    return Table("Predicted SNR by condition", columns, rows, [note, *labels])


def kinds_table(every: Sequence[Predictions], labels: Sequence[str]) -> Table:
    """Average precision of each kind, with that of a random guess (the share of mixtures with the kind)."""
    rows: list[dict[str, Any]] = []
    for one in (one for one in every if one.has_kinds):
        present = aligned(one.kinds, one.kind_names, one.known_kinds)
        scores = [average_precision(present[:, i], one.probability[:, i]) for i in range(present.shape[1])]
        mean, by_kind = float(np.nanmean(scores)), dict(zip(one.known_kinds, scores, strict=True))
        rows.append({"model": one.name, "what": "average precision", **by_kind, "mean": mean})
        share = present.mean(axis=0)
        guess = dict(zip(one.known_kinds, share.tolist(), strict=True))
        rows.append({"model": one.name, "what": "share of mixtures", **guess, "mean": float(share.mean())})
    columns = [Column("model", "model"), Column("what", "")]
    kinds = columns_of(kind for one in every if one.has_kinds for kind in one.known_kinds)
    columns += [Column(kind, kind, 3) for kind in (*kinds, "mean")]
    return Table("Kinds of noise", columns, rows, ["The share is what a guess reaches.", *labels])


def _conditions(one: Predictions) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    low = np.floor(one.snr_db.min() / BIN_DB) * BIN_DB
    for start in np.arange(low, one.snr_db.max() + 1e-9, BIN_DB):
        yield f"{start:g} to {start + BIN_DB:g} dB", (one.snr_db >= start) & (one.snr_db < start + BIN_DB)
    counts = one.kinds.sum(axis=1)
    if np.ptp(counts):
        for count in np.unique(counts):
            yield f"{count} kind{'s' if count > 1 else ''}", counts == count
        for column, kind in enumerate(one.kind_names):
            yield f"{kind} alone", (counts == 1) & one.kinds[:, column]
    if np.ptp(one.n_samples):
        for length in np.unique(one.n_samples):
            yield f"{length / one.fs_hz:g} s", one.n_samples == length
