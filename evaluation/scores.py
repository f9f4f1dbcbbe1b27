"""Reads the scores of a run from the denoised shards of every denoiser."""

from __future__ import annotations

import logging
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.artifact import MANIFEST, Artifact
from cleansemg.core.code_identity import outdated
from cleansemg.core.errors import ArtifactError, UserError
from cleansemg.core.layout import Layout
from cleansemg.evaluation import metrics
from cleansemg.evaluation.scoring import SCHEMA
from cleansemg.evaluation.settings import TRACKS
from cleansemg.noise.kinds import BENCHMARK_KINDS, names_in
from cleansemg.training.seeds import split_label

if TYPE_CHECKING:
    from cleansemg.settings import Settings

log = logging.getLogger(__name__)

IN_MEMORY = 500_000  # mixtures; the metrics of more, 72 MB a profile of nine, are mapped from the disk
LABELS = ("snr_db", "n_kinds", "kinds", "subject")  # labels of a mixture, the same for every denoiser


@dataclass(frozen=True)
class Scores:
    """The scores of one denoiser on one test set; columns have one row per mixture."""

    label: str
    track: str
    snr_db: NDArray[np.float64]
    n_kinds: NDArray[np.int64]
    kinds: NDArray[np.bool_]  # [n, K], columns as `kind_names`
    subject: NDArray[np.str_]  # "database/subject"
    failed: NDArray[np.bool_]
    values: dict[str, NDArray[np.float64]]  # by "profile.metric"
    kind_names: tuple[str, ...] = BENCHMARK_KINDS
    folder: Path | None = None  # where they lie; a label is a text of the manifest, not a path

    def of(self, profile: str, names: Sequence[str]) -> NDArray[np.float64]:
        """[n, M] values of the metrics `names` of one profile."""
        return np.stack([self.values[f"{profile}.{name}"] for name in names], axis=1)


def read_scores(settings: Settings, layout: Layout, set_name: str, all_seeds: bool = False) -> list[Scores]:
    """The scores of every denoiser evaluated on a set, in the order of the configuration, then by name.

    Of a network with several training seeds, the first one stands for it; with `all_seeds`, the others are there, too.

    Raises:
        UserError: nothing was evaluated, or a denoiser was scored before a metric was added.
        ArtifactError: denoisers were evaluated on different versions of the test set, or a shard is missing or altered.
    """
    folders = sorted(path.parent for path in (layout.root / "denoised").glob(f"*/*/{set_name}/{MANIFEST}"))
    artifacts = [Artifact.open(folder, SCHEMA) for folder in folders]
    if not artifacts:
        raise UserError(f"{layout.root / 'denoised'}: nothing evaluated on '{set_name}' yet; run: {SCHEMA.command}")
    inputs = {artifact.manifest.inputs["test_data"] for artifact in artifacts}
    if len(inputs) > 1:
        raise ArtifactError(
            f"{layout.root / 'denoised'}: denoisers were evaluated on different versions of '{set_name}'; "
            f"run: {SCHEMA.command} --force"
        )
    wanted = [row if isinstance(row, str) else row.label or row.name for row in settings.evaluate.denoisers]
    rank = {label: position for position, label in enumerate(wanted)}

    def order(artifact: Artifact) -> tuple[int, str, int]:
        label, track = artifact.manifest.info["denoiser"], artifact.manifest.info["track"]
        return rank.get(label, len(rank)), label, TRACKS.index(track)

    every: list[Scores] = []
    for artifact in sorted(artifacts, key=order):
        _warn_of_other_code(artifact)
        scores = _scores(artifact, settings.evaluate.metrics)
        every.append(_sharing(scores, every[0]) if every else scores)
    return every if all_seeds else [s for s in every if split_label(s.label)[1] is None]


def _warn_of_other_code(artifact: Artifact) -> None:
    names = outdated(artifact.manifest.code)
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        log.warning("%s: made by other code (%s%s changed since); evaluate it again", artifact.folder, names[0], more)


def _sharing(scores: Scores, first: Scores) -> Scores:
    """The same scores, sharing the arrays of `first`'s labels where they are equal, to save 100 bytes per mixture."""
    pairs = {name: (getattr(scores, name), getattr(first, name)) for name in LABELS}
    equal = {name: first_ones for name, (values, first_ones) in pairs.items() if np.array_equal(values, first_ones)}
    return replace(scores, **equal)


def _scores(artifact: Artifact, custom: Sequence[str]) -> Scores:
    first_shard = artifact.load(artifact.manifest.shards[0].name)
    stored = set(first_shard)
    all_profiles = ("standard", "published", *metrics.PROTOCOL_PROFILES)
    wanted = [f"{profile}.{name}" for profile in all_profiles for name in metrics.catalogue(profile, custom)]
    profiles = [name for name in wanted if name in stored]
    scored = {name.partition(".")[0] for name in profiles}
    missing = next((name for name in wanted if name.partition(".")[0] in scored and name not in stored), None)
    if missing:
        raise UserError(
            f"{artifact.folder}: has no {missing}, a metric that was added since; run the stage evaluate "
            "(with --denoiser for one that the configuration does not name), or delete that folder"
        )
    labels = ("snr_db", "n_kinds", "kinds", "database", "subject", "failed")
    large = profiles and artifact.manifest.count > IN_MEMORY
    columns = _in_a_file(artifact, labels, profiles) if large else artifact.columns(*labels, *profiles)
    subject = np.char.add(np.char.add(columns["database"].astype(str), "/"), columns["subject"].astype(str))
    info = artifact.manifest.info
    return Scores(
        label=info["denoiser"],
        track=info["track"],
        snr_db=columns["snr_db"],
        n_kinds=columns["n_kinds"],
        kinds=columns["kinds"],
        subject=subject,
        failed=columns["failed"],
        values={name: columns[name] for name in profiles},
        kind_names=names_in(first_shard),
        folder=artifact.folder,
    )


def _in_a_file(artifact: Artifact, labels: Sequence[str], names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Labels, and metrics mapped from an unnamed temporary file: memory holds only those in use."""
    beside = artifact.folder.parent if os.access(artifact.folder.parent, os.W_OK) else None  # or where the system says
    shape = (len(names), artifact.manifest.count)
    with tempfile.TemporaryFile(dir=beside) as file:
        if hasattr(os, "posix_fallocate"):  # not on macOS
            os.posix_fallocate(file.fileno(), 0, 8 * math.prod(shape))  # a full disk says so here
        else:
            file.truncate(8 * math.prod(shape))
        whole = np.asarray(np.memmap(file, np.float64, "r+", shape=shape))
    first, parts = 0, []
    for _, arrays in artifact:
        last = first + len(arrays["failed"])
        for column, name in zip(whole, names, strict=True):
            column[first:last] = arrays[name]
        first = last
        parts.append([arrays[label] for label in labels])
    joined = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    return dict(zip((*labels, *names), (*joined, *whole), strict=True))
