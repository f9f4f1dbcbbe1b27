"""The fixed test set: every test segment mixed with noise at known SNR (protocol A6, A8).

`combined` holds one mixture per segment, with SNR and number of kinds drawn from the grid. `grid` holds
every cell of SNR times number of kinds, or with `mix.files` of SNR times draw. `out_of_domain` is a combined set of
people that nothing is fitted to or chosen by. `baseline` is a combined set with noise of that kind alone. `clean` holds
the segments as they are: it shows what a denoiser does to a recording without noise. A draw is keyed by set, segment,
SNR and number of kinds (or number of the draw), and depends on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz, seeding
from cleansemg.core.artifact import Artifact, Failure, Schema
from cleansemg.core.code_identity import of_modules
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.even_rows import first_to_last
from cleansemg.core.layout import Layout
from cleansemg.core.stage import Job, Report, RunOptions, ShardResult, run_stage
from cleansemg.data_pipeline.segmentation import SCHEMA as SEGMENTS
from cleansemg.evaluation import export, frozen
from cleansemg.evaluation.rounding import rounded
from cleansemg.evaluation.settings import Mix
from cleansemg.noise import mixing
from cleansemg.noise.files import NoiseFiles
from cleansemg.noise.kinds import named_columns
from cleansemg.noise.library import NoiseLibrary

if TYPE_CHECKING:
    from cleansemg.settings import Settings

SCHEMA = Schema("test-set", 1, step="cleansemg run --stages mix")

CLEAN, OUT_OF_DOMAIN, BASELINE = "clean", "out_of_domain", "baseline"
# Code that is in the segments' fingerprint, and code that checks the mixtures without making them.
ELSEWHERE = ("cleansemg.data_pipeline", "cleansemg.evaluation.frozen")

LABEL_COLUMNS = (
    "segment_id", "database", "subject", "exercise", "trial", "channel", "channel_name", "window", "label",
    "repetition", "start_sample",
)  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """Some rows of one shard of segments."""

    shard: str
    rows: Sequence[int]


@dataclass(frozen=True)
class MixJob:
    """What a worker needs to mix one shard of mixtures."""

    segments: Path
    parts: tuple[Rows, ...]
    library: Path
    set_name: str
    cell: tuple[float, int] | None  # SNR in dB and number of kinds (with `mix.files`: number of the draw); None: drawn
    settings: Mix
    seed: int
    fs_hz: float


def run(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Mix the test sets of a configuration.

    Raises:
        UserError: there is no test segment or no noise library, or a cell needs more kinds than can be drawn.
    """
    sources = {name: _open_segments(layout, name) for name in settings.mix.sets}
    library = NoiseLibrary.open(layout.noise("test"))
    mixes = {name: _mix_of(settings.mix, name) for name in sources}
    for mix in mixes.values():
        _check_cells(mix, library)
    expected = None if settings.mix.frozen is None else frozen.load(settings.mix.frozen)
    lines, n_failures = [], 0
    for set_name, segments in sources.items():
        mix = mixes[set_name]
        jobs = list(_jobs(segments, library, settings, mix, set_name))
        result = run_stage(
            layout.test_data(set_name),
            SCHEMA,
            jobs,
            mix_shard,
            section=[set_name, mix.identity(exclude=frozenset({"shard_size", "sets", "export", "frozen"}))],
            inputs={"segments": segments.manifest.fingerprint, "noise": library.fingerprint},
            seed=settings.seed,
            options=options,
            label=f"mix {set_name}",
            code=of_modules(__name__, without=ELSEWHERE),
            info={
                "fs_hz": settings.segment.fs_hz,
                "kinds": list(library.columns),
                **({} if mix.kinds is None else {"drawn_kinds": list(mix.kinds)}),
                "shard_size": settings.mix.shard_size,
                **_excluded(mix),
                **({} if settings.mix.round_to is None else {"round_to": settings.mix.round_to}),
            },
        )
        n_failures += len(result.failures)
        lines.append(
            f"{set_name}: {result.artifact.manifest.count} mixtures in {len(jobs)} shards, {result.artifact.folder}"
        )
        if expected is not None:
            lines.append(frozen.require(expected, result.artifact))
        if set_name == "combined" and settings.mix.export:
            export.write(result.artifact, layout.export)
            lines.append(f"single file: {layout.export}")
    return Report("mix", tuple(lines), n_failures)


def _excluded(mix: Mix) -> dict[str, float]:
    """Below which SNR white noise is in no mixture at all, where the rule says so."""
    if mix.rule != "first_commit" or mix.wgn_floor_db is None:
        return {}
    return {"wgn_excluded_below_db": mix.wgn_floor_db}


def _mix_of(mix: Mix, set_name: str) -> Mix:
    """The settings of one set: the set `baseline` has noise of that kind alone."""
    return mix.model_copy(update={"kinds": (BASELINE,), "n_kinds": (1,)}) if set_name == BASELINE else mix


def _open_segments(layout: Layout, set_name: str) -> Artifact:
    """The segments that a set is made of.

    Raises:
        UserError: there is none.
    """
    part = OUT_OF_DOMAIN if set_name == OUT_OF_DOMAIN else "test"
    if part == OUT_OF_DOMAIN and not layout.segments(part).exists():
        raise UserError(f"mix.sets: '{set_name}' needs a data set with `part: {part}`; none is configured")
    segments = Artifact.open(layout.segments(part), SEGMENTS)
    if segments.manifest.count == 0:
        raise UserError(f"{segments.folder}: holds no segment; see {layout.grades} for why recordings were dropped")
    return segments


def mix_shard(job: MixJob) -> ShardResult:
    """Mix one shard; a pure function of the job."""
    table = _gather(job)
    table["signal"] = rounded(table["signal"], job.settings.round_to)
    if job.set_name == CLEAN:
        return ShardResult(_without_noise(job, table), [])
    library = NoiseLibrary.open(job.library)
    floor_db = job.settings.wgn_floor_db
    recipe, snr_db, n_kinds = _draw(job, table, library)
    failures = []
    try:
        noisy, gain = mixing.mix_recipes(table["signal"], recipe, library, snr_db, job.settings.rule, floor_db)
    except ItemError:  # silent noise or a silent signal has no SNR: it is listed as a failure, the rest is mixed
        bad = mixing.unmixable(table["signal"], recipe, library)
        failures = [Failure(f"{job.set_name}/{table['segment_id'][row]}", cause) for row, cause in bad.items()]
        keep = np.setdiff1d(np.arange(len(snr_db)), list(bad))
        table = {name: column[keep] for name, column in table.items()}
        snr_db, n_kinds = snr_db[keep], n_kinds[keep]
        recipe = mixing.Recipe(recipe.kinds[keep], recipe.piece[keep], recipe.offset[keep])
        noisy, gain = mixing.mix_recipes(table["signal"], recipe, library, snr_db, job.settings.rule, floor_db)
    ids = table["segment_id"]
    clean = table.pop("signal")  # [n, L]
    arrays: dict[str, NDArray[Any]] = {
        **table,
        "mixture_id": _names(job, ids, snr_db, n_kinds),
        "clean": clean,
        "noisy": rounded(noisy, job.settings.round_to),
        "snr_db": snr_db,
        "n_kinds": n_kinds,
        "kinds": recipe.kinds,
        "gain": gain,
        "noise_piece": recipe.piece,
        "noise_name": library.names_of(recipe.kinds, recipe.piece),
        "noise_offset": recipe.offset,
        "line_hz": library.line_hz_of(recipe.kinds, recipe.piece),
        "fs_hz": np.full(len(ids), job.fs_hz),
        **named_columns(library.columns, len(ids)),
    }
    return ShardResult(arrays, failures)


def _without_noise(job: MixJob, table: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The columns of a mixture for segments to which nothing is added: no kind, an SNR without bound."""
    clean = table.pop("signal")
    library = NoiseLibrary.open(job.library)
    n, shape = len(clean), (len(clean), len(library.columns))
    return {
        **table,
        "mixture_id": np.array([f"{CLEAN}_{segment}" for segment in table["segment_id"]]),
        "clean": clean,
        "noisy": clean,
        "snr_db": np.full(n, np.inf),
        "n_kinds": np.zeros(n, np.int64),
        "kinds": np.zeros(shape, np.bool_),
        "gain": np.zeros(shape),
        "noise_piece": np.full(shape, -1, np.int32),
        "noise_name": np.zeros(shape, "<U1"),
        "noise_offset": np.full(shape, -1, np.int64),
        "line_hz": np.full(n, np.nan),
        "fs_hz": np.full(n, job.fs_hz),
        **named_columns(library.columns, n),
    }


def _names(job: MixJob, ids: NDArray[Any], snr_db: NDArray[np.float64], n_kinds: NDArray[np.int64]) -> NDArray[np.str_]:
    if job.settings.files is not None and job.cell is not None:
        return np.array([f"{job.set_name}_{s}_snr{x:g}_d{job.cell[1]}" for s, x in zip(ids, snr_db, strict=True)])
    return np.array([f"{job.set_name}_{s}_snr{x:g}_k{k}" for s, x, k in zip(ids, snr_db, n_kinds, strict=True)])


def _draw(
    job: MixJob, table: Mapping[str, NDArray[Any]], library: NoiseLibrary
) -> tuple[mixing.Recipe, NDArray[np.float64], NDArray[np.int64]]:
    """The recipes of the mixtures, with SNRs [n] in dB and numbers of kinds [n]."""
    length = table["signal"].shape[1]
    if job.settings.files is None or job.cell is None:
        generators, snr_db, n_kinds = _conditions(job, table["segment_id"], library)
        recipe = mixing.draw_recipes(generators, snr_db, n_kinds, library, length, job.settings.wgn_floor_db,
                                     kinds=job.settings.kinds, rule=job.settings.rule)  # fmt: skip
        return recipe, snr_db, n_kinds
    files = NoiseFiles(job.settings.files, library, "mix.files")
    snr, draw = job.cell
    names = [("mix", job.set_name, str(segment), float(snr)) for segment in table["segment_id"]]
    recordings = [files.choose(seeding.generator(job.seed, *name, "files"), job.settings.draws)[draw] for name in names]
    generators = [seeding.generator(job.seed, *name, "draw", draw) for name in names]
    recipe = files.recipes(generators, np.array(recordings, np.int64), length)
    return recipe, np.full(len(names), snr), recipe.kinds.sum(axis=1)


def _conditions(
    job: MixJob, ids: NDArray[Any], library: NoiseLibrary
) -> tuple[list[np.random.Generator], NDArray[np.float64], NDArray[np.int64]]:
    """The generator of each mixture, its SNR and its number of kinds.

    In the grid, the cell is part of the generator's key. In the combined set, the key is the segment alone, and the
    generator first draws the cell.
    """
    seed, name = job.seed, job.set_name
    if job.cell is not None:
        snr, k = job.cell
        generators = [seeding.generator(seed, "mix", name, str(segment), float(snr), int(k)) for segment in ids]
        return generators, np.full(len(ids), snr), np.full(len(ids), k)
    generators = [seeding.generator(seed, "mix", name, str(segment)) for segment in ids]
    snrs = np.array(job.settings.snr_db)
    uniform = np.array([rng.random(2) for rng in generators]).reshape(-1, 2)
    number = (uniform[:, 0] * len(snrs)).astype(int)
    counts = [np.array(_counts(job.settings, library, float(snr))) for snr in snrs]
    drawn = [counts[i][int(u * len(counts[i]))] for i, u in zip(number, uniform[:, 1], strict=True)]
    return generators, snrs[number], np.array(drawn, np.int64)


def _counts(mix: Mix, library: NoiseLibrary, snr_db: float) -> tuple[int, ...]:
    """The numbers of kinds that mixtures of an SNR have; by the rule `first_commit`, those that can be drawn there."""
    if mix.rule != "first_commit":
        return mix.n_kinds
    kinds = mixing.selected_kinds(mix.kinds, library.kinds, str(library.folder))
    drawable = [len(mixing.drawable(snr_db, k, mix.wgn_floor_db, kinds, mix.rule)) for k in mix.n_kinds]
    return tuple(k for k, n in zip(mix.n_kinds, drawable, strict=True) if k <= n)


def _check_cells(mix: Mix, library: NoiseLibrary) -> None:
    """Check that every cell can draw its number of kinds or of noise files.

    Raises:
        UserError: a cell cannot.
    """
    if mix.files is not None:
        NoiseFiles(mix.files, library, "mix.files").require(mix.draws, "mix.draws")
        return
    kinds = mixing.selected_kinds(mix.kinds, library.kinds, str(library.folder))
    for snr_db in mix.snr_db:
        for n_kinds in _counts(mix, library, snr_db) or mix.n_kinds[:1]:
            available = mixing.drawable(snr_db, n_kinds, mix.wgn_floor_db, kinds, mix.rule)
            if len(available) < n_kinds:
                raise UserError(
                    f"mix.n_kinds: {n_kinds} kinds at {snr_db:g} dB, but only {len(available)} can be drawn "
                    f"({', '.join(available) or 'none'}); add noise.kinds or ask for fewer"
                )


def _jobs(
    segments: Artifact, library: NoiseLibrary, settings: Settings, mix: Mix, set_name: str
) -> Iterator[Job[MixJob]]:
    ends = np.cumsum([shard.count for shard in segments.manifest.shards])  # of each shard's numbers among all segments
    n_segments = int(ends[-1])
    cells: list[tuple[str, tuple[float, int] | None, NDArray[np.int64]]]
    if set_name != "grid":
        cells = [(set_name, None, first_to_last(n_segments, mix.combined_segments))]
    else:
        some = first_to_last(n_segments, mix.grid_segments)
        if mix.files is not None:
            cells = [(f"snr{s:g}_d{n}", (s, n), some) for s in mix.snr_db for n in range(mix.draws)]
        else:
            cells = [(f"snr{s:g}_k{n}", (s, n), some) for s in mix.snr_db for n in _counts(mix, library, s)]
    size = mix.shard_size
    for cell_name, cell, selected in cells:
        for number, start in enumerate(range(0, len(selected), size)):
            parts = _by_shard(selected[start : start + size], segments, ends)
            job = MixJob(
                segments.folder,
                parts,
                library.folder,
                set_name,
                cell,
                mix,
                settings.seed,
                settings.segment.fs_hz,
            )
            yield Job(f"{cell_name}_{number:05d}", job)


def _by_shard(numbers: NDArray[np.int64], segments: Artifact, ends: NDArray[np.int64]) -> tuple[Rows, ...]:
    """Ascending indexes among all segments as rows of their shards; consecutive ones as a range, to save memory."""
    parts = []
    where = np.searchsorted(ends, numbers, side="right")
    for i in np.unique(where):
        shard = segments.manifest.shards[i]
        rows = numbers[where == i] - (ends[i] - shard.count)
        first, last = int(rows[0]), int(rows[-1])
        consecutive = last - first + 1 == len(rows)
        parts.append(Rows(shard.name, range(first, last + 1) if consecutive else tuple(rows.tolist())))
    return tuple(parts)


def _gather(job: MixJob) -> dict[str, NDArray[Any]]:
    """Signals and labels of the job's segments, in order, with the column `active` where the segments have it."""
    tables = []
    for part in job.parts:
        columns = _segments(job.segments, part.shard)
        names = ("signal", *LABEL_COLUMNS, *(("active",) if "active" in columns else ()))
        rows = slice(part.rows.start, part.rows.stop) if isinstance(part.rows, range) else list(part.rows)
        tables.append({name: columns[name][rows] for name in names})  # a slice of a map reads nothing yet
    return {name: np.concatenate([table[name] for table in tables]) for name in names}


@lru_cache(maxsize=4)
def _segments(folder: Path, shard: str) -> Mapping[str, NDArray[Any]]:
    """A shard of segments, checked once per process and memory-mapped: a subject may have 20,000 segments."""
    artifact = Artifact.open(folder, SEGMENTS)
    artifact.check(shard)
    return npz.map_arrays(folder / f"{shard}.npz")
