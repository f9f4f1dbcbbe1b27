"""Scores denoised signals of others, and makes result files of rows that a run has evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.artifact import MANIFEST, Artifact, versions
from cleansemg.core.console import progress
from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.core.layout import Layout
from cleansemg.evaluation import metrics
from cleansemg.evaluation.scoring import SCHEMA as DENOISED
from cleansemg.evaluation.submissions import ceiling
from cleansemg.evaluation.submissions.card import Card
from cleansemg.evaluation.submissions.opaque_ids import Key, gather, key_of, mapped_shards
from cleansemg.evaluation.submissions.result_file import complete, number
from cleansemg.evaluation.submissions.submitted import read_submission
from cleansemg.evaluation.submissions.target import Target

PROFILE = "standard"
ROWS = 256  # mixtures that are scored at a time


def score_submission(target: Target, set_name: str, folder: Path, name: str, card: Card) -> dict[str, Any]:
    """Score what a competitor has sent.

    Args:
        target: the run whose test set was exported.
        set_name: the set.
        folder: with the files, or one file.
        name: of the method, as leaderboards show it.
        card: of the submission.

    Returns:
        The content of a result file.

    Raises:
        UserError: the files are not a whole submission for this test set, see `read_submission`.
    """
    artifact = target.artifact(set_name)
    key, shards = key_of(artifact), mapped_shards(artifact)
    fs_hz = float(artifact.manifest.info["fs_hz"])
    length = int(next(iter(shards.values()))["clean"].shape[1])
    files = read_submission(folder, key, fs_hz, length)
    keys = list(metrics.catalogue(PROFILE))
    values = {one: np.full(len(key.ids), np.nan) for one in keys}
    limit = np.full(len(key.ids), np.nan)
    blocks = [(file, start) for file in files for start in range(0, len(file.positions), ROWS)]
    loaded: tuple[Path | None, NDArray[Any]] = (None, np.empty(0))
    for file, start in progress(blocks, len(blocks), "score", unit="block"):
        if loaded[0] != file.path:
            loaded = (file.path, file.load())
        rows = file.positions[start : start + ROWS]
        clean, noisy = (gather(shards, key, rows, column) for column in ("clean", "noisy"))
        denoised = np.asarray(loaded[1][start : start + ROWS], np.float32)  # as the project's own are stored
        for one, scores in metrics.compute(clean, noisy, denoised, fs_hz, PROFILE).items():
            values[one][rows] = scores
        limit[rows] = ceiling.ceiling_snr_improvement(clean, noisy, fs_hz)
    return _result(target, set_name, key, fs_hz, values, limit, name=name, role="method", track="blind",
                   card=card.model_dump(mode="json"))  # fmt: skip


def result_of_row(
    target: Target, set_name: str, denoiser: str, track: str, name: str | None = None, card: Card | None = None
) -> dict[str, Any]:
    """The result file of a denoiser that a run has evaluated.

    Args:
        target: the run.
        set_name: the set.
        denoiser: the row's label.
        track: blind, auto, oracle or published.
        name: that leaderboards show; None: the label.
        card: None leaves it out: the project says what its methods are.

    Raises:
        UserError: the run has no such row, or it was evaluated on other mixtures.
    """
    artifact, layout = target.artifact(set_name), Layout(target.results)
    folder = layout.denoised(denoiser, track, set_name)
    if not (folder / MANIFEST).exists():
        rows = sorted({path.parts[-4] for path in (target.results / "denoised").glob(f"*/*/{set_name}/{MANIFEST}")})
        raise UserError(
            f"{target.results}: has no row '{denoiser}' ({track}) on {set_name}{did_you_mean(denoiser, rows)}"
        )
    key, shards = key_of(artifact), mapped_shards(artifact)
    fs_hz = float(artifact.manifest.info["fs_hz"])
    keys = list(metrics.catalogue(PROFILE))
    row_of = {mixture_id: row for row, mixture_id in enumerate(key.mixture_ids.tolist())}
    evaluated = Artifact.open(folder, DENOISED)
    values = {one: np.full(len(key.ids), np.nan) for one in keys}
    done = np.zeros(len(key.ids), np.bool_)
    for _, columns in evaluated:
        rows_here = [row_of.get(text) for text in columns["mixture_id"].tolist()]
        absent = [one for one in keys if f"{PROFILE}.{one}" not in columns]
        if None in rows_here or absent:
            what = f"has no {PROFILE}.{absent[0]}" if absent else "was evaluated on other mixtures"
            raise UserError(f"{folder}: {what}; run: {DENOISED.command}")
        at = np.array(rows_here, np.intp)
        done[at] = True
        for one in keys:
            values[one][at] = columns[f"{PROFILE}.{one}"]
    if not done.all():
        raise UserError(f"{folder}: {int((~done).sum())} mixtures are missing; run: {DENOISED.command}")
    limit = _limit(shards, key, fs_hz)
    return _result(target, set_name, key, fs_hz, values, limit, name=name or denoiser, role=ceiling.role_of(denoiser),
                   track=track, card=None if card is None else card.model_dump(mode="json"))  # fmt: skip


def _limit(shards: Mapping[str, Mapping[str, NDArray[Any]]], key: Key, fs_hz: float) -> NDArray[np.float64]:
    """[n] SNR improvement of the ceiling on every mixture of a key, dB."""
    parts = [np.arange(start, min(start + ROWS, len(key.ids))) for start in range(0, len(key.ids), ROWS)]
    limits = []
    for rows in progress(parts, len(parts), "ceiling", unit="block"):
        clean, noisy = (gather(shards, key, rows, column) for column in ("clean", "noisy"))
        limits.append(ceiling.ceiling_snr_improvement(clean, noisy, fs_hz))
    return np.concatenate(limits)


def _result(
    target: Target,
    set_name: str,
    key: Key,
    fs_hz: float,
    values: Mapping[str, NDArray[np.float64]],
    limit: NDArray[np.float64],
    **about: Any,
) -> dict[str, Any]:
    """A result's content, mixtures in the order of their ids in results."""
    order = np.argsort(key.result_ids)
    numbers = versions()
    return complete(
        {
            **about,
            "profile": PROFILE,
            "metrics": metrics.described([PROFILE]),
            "set": {
                "frozen": None if target.frozen is None else target.frozen.name,
                "set": set_name,
                "sha256": target.sets[set_name].sha256,
                "root": target.root,
                "mixtures": len(key.ids),
                "fs_hz": fs_hz,
            },
            "cleansemg": numbers["cleansemg"],
            "commit": numbers["commit"],
            "ceiling": {
                "denoiser": ceiling.CEILING,
                "margin_db": ceiling.MARGIN_DB,
                "allowed_share": ceiling.ALLOWED_SHARE,
                "snrimp": [number(value) for value in limit[order].tolist()],
            },
            "mixtures": {
                "ids": key.result_ids[order].tolist(),
                "persons": key.persons[order].tolist(),
                **{one: [number(value) for value in column[order].tolist()] for one, column in values.items()},
            },
        }
    )
