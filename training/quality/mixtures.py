"""The stage that fixes mixtures: those for validation and test, and the published training set.

A mixture is stored as its recipe (segment, excerpt, noise pieces, offsets, gains), not as a waveform: the published set
would need 9 GB. `Mixtures.noisy` rebuilds it, bit for bit.

A part has every segment at each SNR of `quality.grid_db` or, without a grid, `quality.draws` times at random SNRs. The
lengths alternate over SNRs or draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.artifact import MANIFEST, Artifact, Failure, Manifest, Schema, read_manifest
from cleansemg.core.code_identity import of_modules
from cleansemg.core.errors import ArtifactError, ItemError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.settings import Part
from cleansemg.core.stage import Job, Report, RunOptions, ShardResult, run_stage
from cleansemg.noise import mixing
from cleansemg.noise.mixing import Recipe
from cleansemg.noise.pool import SCHEMA as NOISE
from cleansemg.noise.pool import NoiseLibrary
from cleansemg.training.mixtures import require_disjoint
from cleansemg.training.quality.drawing import draw, excerpts, kinds_and_floor
from cleansemg.training.segments import Segments

if TYPE_CHECKING:
    from cleansemg.settings import Settings

SCHEMA = Schema("quality-mixtures", 1, step="python training/quality/generate_mixtures.py")
SHARD_ROWS = 2000
DATA = ("cleansemg.data_pipeline",)  # the segments' fingerprint includes its code


@dataclass(frozen=True)
class MixJob:
    """One shard: some segments, once each, for one SNR or draw."""

    segments: Path
    library: Path
    state: str  # fingerprints of both, so that a worker does not use outdated data
    part: Part
    number: int
    snr_db: float | None
    n_samples: int
    first: int
    last: int
    settings: Settings


def run(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Fix the mixtures of every part that has a grid or a number of draws.

    Raises:
        UserError: segments or noise are too short, or parts share a subject or a noise record (allowed with `protocol:
            published`, and labelled).
        ArtifactError: segments or noise are missing.
    """
    quality = settings.quality
    if settings.protocol == "disjoint":
        _require_disjoint(settings, layout)
    lines, n_failures = [], 0
    for part in quality.parts:
        snrs: Sequence[float | None] = quality.grid_db.get(part) or [None] * quality.draws.get(part, 0)
        if not snrs:
            continue
        segments, library = _segments(layout.segments(part)), NoiseLibrary.open(layout.noise(part))
        _require_room(settings, segments)
        result = run_stage(
            layout.quality_mixtures(part), SCHEMA, _jobs(part, snrs, segments, library, settings), mix_shard,
            section={
                "part": part, "snr_db": list(quality.snr_db), "grid_db": list(snrs),
                "lengths_s": list(quality.lengths_s), "wgn_floor_db": settings.mix.wgn_floor_db,
                **({} if settings.mix.kinds is None else {"drawn_kinds": list(settings.mix.kinds)}),
            },
            inputs={"segments": segments.fingerprint, "noise": library.fingerprint},
            seed=settings.seed, options=options, label=f"quality mixtures {part}",
            code=of_modules(__name__, without=DATA),
            info={"fs_hz": settings.segment.fs_hz, "part": part, "kinds": list(library.columns)},
        )  # fmt: skip
        n_failures += len(result.failures)
        lines.append(f"{part}: {result.artifact.manifest.count} mixtures, {result.artifact.folder}")
    if not lines:
        lines.append("nothing to make: quality.grid_db and quality.draws name no part of quality.parts")
    return Report("generate_mixtures", tuple(lines), n_failures)


def mix_shard(job: MixJob) -> ShardResult:
    """Draw one shard and compute its gains; a pure function of the job."""
    segments, library = _segments(job.segments), NoiseLibrary.open(job.library)
    rows = np.arange(job.first, job.last)
    names = [
        (job.part, str(segment), job.number if job.snr_db is None else float(job.snr_db))
        for segment in segments.ids[rows]
    ]
    drawn = draw(names, job.n_samples, segments, library, job.settings, job.snr_db)
    clean = excerpts(segments, rows, drawn.start, job.n_samples)
    keep = np.arange(len(rows))
    _, floor_db = kinds_and_floor(library, job.settings)
    try:
        _, gain = mixing.mix_recipes(clean, drawn.recipe, library, drawn.snr_db, "exact", floor_db)
        bad: dict[int, str] = {}
    except ItemError:  # a silent excerpt has no SNR: record it and mix the others
        bad = mixing.unmixable(clean, drawn.recipe, library)
        if not bad:
            raise
        keep = np.setdiff1d(keep, list(bad))
        old = drawn.recipe
        recipe = Recipe(old.kinds[keep], old.piece[keep], old.offset[keep])
        _, gain = mixing.mix_recipes(clean[keep], recipe, library, drawn.snr_db[keep], "exact", floor_db)
    label = f"draw{job.number}" if job.snr_db is None else f"snr{job.snr_db:g}"
    ids = np.array([f"{job.part}_{segment}_{label}" for segment in segments.ids[rows]])
    arrays = {
        "mixture_id": ids[keep],
        "segment_id": segments.ids[rows][keep],
        "subject": segments.subjects[rows][keep],
        "row": rows[keep],
        "start": drawn.start[keep],
        "n_samples": np.full(len(keep), job.n_samples),
        "snr_db": drawn.snr_db[keep],
        "kinds": drawn.recipe.kinds[keep],
        "noise_piece": drawn.recipe.piece[keep],
        "noise_offset": drawn.recipe.offset[keep],
        "gain": gain,
    }
    return ShardResult(arrays, [Failure(str(ids[row]), cause) for row, cause in bad.items()])


class Mixtures:
    """The fixed mixtures of one part, rebuilt on demand.

    Attributes:
        manifest: manifest of the artifact.
        segments, library: the clean segments and the noise.
        mixture_id, subject: [n].
        n_samples: [n] length, samples.
        snr_db: [n] total SNR, dB.
        kinds: [n, K] bool, columns as in the library.
    """

    def __init__(self, layout: Layout, part: str) -> None:
        """Open the artifact with its segments and noise.

        Raises:
            ArtifactError: a file is missing or altered, or the mixtures belong to other segments or noise.
            UserError: the artifact holds no mixture.
        """
        artifact = Artifact.open(layout.quality_mixtures(part), SCHEMA)
        self.manifest: Manifest = artifact.manifest
        self.segments, self.library = _segments(layout.segments(part)), NoiseLibrary.open(layout.noise(part))
        now = {"segments": self.segments.fingerprint, "noise": self.library.fingerprint}
        if now != self.manifest.inputs:
            raise ArtifactError(f"{artifact.folder}: made of other segments or noise; run: {SCHEMA.command} --force")
        names = ("mixture_id", "subject", "row", "start", "n_samples", "snr_db", "kinds")
        table = artifact.columns(*names, "noise_piece", "noise_offset", "gain")
        if not len(table["row"]):
            raise UserError(f"{artifact.folder}: holds no mixture; see failures.csv there")
        self.mixture_id, self.subject, self._row, self._start = (table[name] for name in names[:4])
        self.n_samples: NDArray[np.int64] = table["n_samples"]
        self.snr_db: NDArray[np.float64] = table["snr_db"]
        self.kinds: NDArray[np.bool_] = table["kinds"]
        self._piece, self._offset, self._gain = table["noise_piece"], table["noise_offset"], table["gain"]

    def __len__(self) -> int:
        return len(self.mixture_id)

    def noisy(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Rebuild some mixtures, which must have one length L: [len(numbers), L], V."""
        (n_samples,) = np.unique(self.n_samples[numbers])
        clean = excerpts(self.segments, self._row[numbers], self._start[numbers], int(n_samples))
        recipe = Recipe(self.kinds[numbers], self._piece[numbers], self._offset[numbers])
        return mixing.rebuild(clean, recipe, self._gain[numbers], self.library)

    def by_length(self) -> list[NDArray[np.int64]]:
        """Numbers of all mixtures, grouped by length, the shortest first."""
        return [np.flatnonzero(self.n_samples == length) for length in np.unique(self.n_samples)]


def _jobs(
    part: Part, snrs: Sequence[float | None], segments: Segments, library: NoiseLibrary, settings: Settings
) -> list[Job[MixJob]]:
    lengths = [round(length * settings.segment.fs_hz) for length in settings.quality.lengths_s]
    state = segments.fingerprint + library.fingerprint
    jobs = []
    for number, snr_db in enumerate(snrs):
        n_samples = lengths[number % len(lengths)]
        for first in range(0, len(segments), SHARD_ROWS):
            last = min(first + SHARD_ROWS, len(segments))
            job = MixJob(segments.folder, library.folder, state, part, number, snr_db, n_samples, first, last, settings)
            jobs.append(Job(f"{number:03d}_{first:07d}", job))
    return jobs


def _segments(folder: Path) -> Segments:
    manifest = folder / MANIFEST
    return _open_segments(folder, manifest.stat().st_mtime_ns if manifest.exists() else 0)


@lru_cache(maxsize=4)
def _open_segments(folder: Path, changed_ns: int) -> Segments:
    return Segments(folder)


def _require_room(settings: Settings, segments: Segments) -> None:
    longest = round(max(settings.quality.lengths_s) * settings.segment.fs_hz)
    if longest > segments.length:
        raise UserError(
            f"{settings.config_file}: quality.lengths_s: {max(settings.quality.lengths_s):g} s, but segments have "
            f"{segments.length / settings.segment.fs_hz:g} s; raise segment.window_s"
        )


def _require_disjoint(settings: Settings, layout: Layout) -> None:
    parts = settings.quality.parts
    for i, one in enumerate(parts):
        for other in parts[i + 1 :]:
            first, second = (set(_segments(layout.segments(part)).subjects.tolist()) for part in (one, other))
            require_disjoint("subject", first, second, "split")
            require_disjoint("noise record", _records(layout, one), _records(layout, other), "noise")


def _records(layout: Layout, part: str) -> set[str]:
    """The records that the noise comes from, as shard/record."""
    read_manifest(layout.noise(part), NOISE)
    library = Artifact.open(layout.noise(part), NOISE)
    return {f"{shard.name}/{record}" for shard, arrays in library for record in arrays["record"]}
