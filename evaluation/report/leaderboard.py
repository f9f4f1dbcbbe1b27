"""The leaderboard: means and intervals of every denoiser, for each SNR and each kind or number of kinds of noise.

All of them are computed here and stored in the page as JSON: the browser sorts and filters, but computes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.evaluation import metrics
from cleansemg.evaluation.metrics import ARROWS, MetricInfo
from cleansemg.evaluation.report.run import Run
from cleansemg.evaluation.report.views import p_text
from cleansemg.evaluation.row_names import display_names
from cleansemg.evaluation.scores import Scores
from cleansemg.evaluation.stats import breakdowns, comparison_tables
from cleansemg.evaluation.stats.comparisons import BOUNDS, GAIN

ALL = "all"


def leaderboard(run: Run) -> dict[str, Any]:
    """The content of the page's table, ready for JSON.

    Returns:
        metrics: key, name, unit, which way is better, decimals; snrs and noises: key and name of each choice;
        tracks; rows, the best by the first metric first: label, track, test set, whether it is floor or ceiling, p
        against the best; cells: "SNR|noise" -> for each row [mixtures, failed, [[mean, low, high] per metric]]; sets:
        the test sets behind the rows; notes.
    """
    known = metrics.catalogue(run.profile, run.settings.evaluate.metrics).values()
    infos = [info for info in known if f"{run.profile}.{info.key}" in run.main[0].values]
    tests, notes = comparison_tables.beside_best(run.main, run.profile, run.settings)
    snrs = breakdowns.values_of(run.main, "snr_db")
    noises = _noises(run)
    names = display_names(run.layout.root)
    every = run.rows
    order = sorted(every, key=lambda who: _headline(every[who][1], run, infos[0]), reverse=True)
    rows = [
        {
            "label": label, "shown": names.get(label, label), "track": track, "set": every[label, track][0],
            "bound": label in (*BOUNDS, GAIN, "identity"),
            "p": _json(tests.get((label, track), {}).get("p_best"), 12),
            "p_shown": p_text(tests.get((label, track), {}).get("p_best")),
        }
        for label, track in order
    ]  # fmt: skip
    cells = {
        f"{snr}|{noise}": [_cell(every[who][1], _mask(every[who][1], snr, noise), run, infos) for who in order]
        for snr in (ALL, *(f"{snr:g}" for snr in snrs))
        for noise in noises
    }
    return {
        "metrics": [
            {
                "key": i.key, "name": i.display_name, "unit": _unit(i), "better": i.better, "arrow": ARROWS[i.better],
                "decimals": i.decimals,
            }
            for i in infos
        ],
        "snrs": [{"key": ALL, "name": "all SNRs"}, *({"key": f"{snr:g}", "name": f"{snr:g} dB"} for snr in snrs)],
        "noises": [{"key": key, "name": name} for key, name in noises.items()],
        "tracks": list(dict.fromkeys(track for _, track in order)),
        "rows": rows,
        "cells": cells,
        "sets": list(dict.fromkeys(name for name, _ in every.values())),
        "notes": notes,
    }  # fmt: skip


def _headline(scores: Scores, run: Run, info: MetricInfo) -> float:
    """The mean by which rows are ordered, more being better; a row without a value comes last."""
    mean = breakdowns.means(scores, run.profile, [info], np.ones(len(scores.failed), np.bool_), run.settings)[info.key]
    return float(info.goodness(np.array([mean]))[0]) if math.isfinite(mean) else -math.inf


def _noises(run: Run) -> dict[str, str]:
    """The choices of noise that the mixtures have: all, a number of kinds, one kind alone."""
    names = run.settings.tables.kind_names
    headings = {ALL: "all noise"}
    for k in breakdowns.values_of(run.main, "n_kinds"):
        headings[f"k{k}"] = f"{k} kind{'s' if k > 1 else ''} at once"
    for column, kind in enumerate(run.main[0].kind_names):
        if any((scores.kinds[:, column] & (scores.n_kinds == 1)).any() for scores in run.main):
            headings[kind] = f"{names.get(kind, kind)} alone"
    return headings


def _mask(scores: Scores, snr: str, noise: str) -> NDArray[np.bool_]:
    mask = np.ones(len(scores.snr_db), np.bool_)
    if snr != ALL:
        mask &= scores.snr_db == float(snr)
    if noise in scores.kind_names:
        mask &= scores.kinds[:, scores.kind_names.index(noise)] & (scores.n_kinds == 1)
    elif noise != ALL:
        mask &= scores.n_kinds == int(noise.removeprefix("k"))
    return mask


def _cell(scores: Scores, mask: NDArray[np.bool_], run: Run, infos: list[MetricInfo]) -> list[Any]:
    means: Mapping[str, float] = breakdowns.means(scores, run.profile, infos, mask, run.settings)
    numbers = [[_json(means[f"{i.key}{end}"], i.decimals + 2) for end in ("", "_low", "_high")] for i in infos]
    return [int(mask.sum()), int(scores.failed[mask].sum()), numbers]


def _json(value: Any, decimals: int) -> Any:
    """A rounded number for JSON; None for NaN and infinity, which JSON does not have."""
    if isinstance(value, float):
        return round(value, decimals) + 0.0 if math.isfinite(value) else None
    return value


def _unit(info: MetricInfo) -> str:
    scale = "" if info.table_scale == 1 else f"{info.table_scale:.0e} ".replace("e-0", "e-")
    return f"{scale}{info.unit}".strip()
