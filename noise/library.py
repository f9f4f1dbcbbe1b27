"""The stage that builds noise libraries: pieces of every kind in one band and at one rate (protocol A5).

The library of one part is an artifact with one shard per source. `NoiseLibrary` (cleansemg.noise.pool) reads it.
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cleansemg.core import config as configuration
from cleansemg.core import dsp, registry
from cleansemg.core.artifact import MANIFEST, Failure
from cleansemg.core.code_identity import of_entry, of_modules
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.npz import atomic_write
from cleansemg.core.registry import Entry
from cleansemg.core.settings import PARTS, Part
from cleansemg.core.stage import Job, Report, RunOptions, ShardResult, StageResult, run_stage
from cleansemg.noise.base import NoiseSource, Piece, Request
from cleansemg.noise.kinds import columns_of, known_kinds
from cleansemg.noise.pool import SCHEMA, NoiseLibrary
from cleansemg.noise.settings import Source
from cleansemg.noise.wfdb_records import SHORTEST_PIECE_S

if TYPE_CHECKING:
    from cleansemg.settings import Settings

__all__ = ["SCHEMA", "NoiseLibrary", "build_libraries"]

Shared = dict[tuple[Part, Part], list[str]]  # pair of parts -> the records that both use
STRETCH = re.compile(r"(?P<record>.+)@(?P<first>[\d.]+)-(?P<last>[\d.]+)s")


@dataclass(frozen=True)
class PlannedSource:
    """One source of the configuration, resolved and checked."""

    key: str  # its place in the configuration: noise.kinds.ECG[0]
    kind: str
    entry: Entry
    parameters: dict[str, Any]
    n_pieces: dict[Part, int]
    folder: Path | None
    inputs: dict[str, str]
    config_file: str

    @property
    def shard(self) -> str:
        number = self.key.rpartition("[")[2].rstrip("]")
        return f"{self.kind}_{number}_{re.sub(r'[^A-Za-z0-9_-]', '_', self.entry.name)}"

    @property
    def origin(self) -> str:
        """The folder or the class; two sources with the same origin use the same records."""
        return str(self.folder or self.entry.target)

    def explain(self, error: UserError) -> UserError:
        """The error, with the configuration key and where to get the recordings added."""
        where = self.entry.extra.get("where")
        key = f"{self.key}.folder" if self.folder else self.key
        return UserError(f"{self.config_file}: {key}: {error}" + (f"; where to get it: {where}" if where else ""))


@dataclass(frozen=True)
class SourceJob:
    """What a worker needs to build one shard."""

    source: PlannedSource
    request: Request
    band_hz: tuple[float, float] | None


def build_libraries(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Build the libraries of train, valid and test.

    Raises:
        UserError: no kind is configured; a source is unknown or of another kind; recordings are absent; a kind has no
            piece; a record or draw is in two parts (`protocol: published` allows and labels that); or a piece name
            repeats.
    """
    planned = [
        _plan(kind, number, source, settings)
        for kind in columns_of(settings.noise.kinds)
        for number, source in enumerate(settings.noise.kinds.get(kind, ()))
    ]
    if not planned:
        raise UserError(f"{settings.config_file}: noise.kinds is empty; name a source for {', '.join(known_kinds())}")
    results = {part: _build_part(part, planned, settings, layout, options) for part in PARTS}
    try:
        shared = _check(results, planned)
        if shared and settings.protocol == "disjoint":
            (one, other), records = next(iter(shared.items()))
            raise UserError(f"noise record '{records[0]}' serves {one} and {other}; the parts must not share records")
    except UserError:
        for result in results.values():  # no library that failed the check may look finished
            (result.artifact.folder / MANIFEST).unlink(missing_ok=True)
        raise
    layout.noise_label.unlink(missing_ok=True)
    labels = _labels(shared)
    if labels:
        atomic_write(layout.noise_label, "\n".join(labels).encode())
    lines = [*(_line(part, result) for part, result in results.items()), *labels]
    return Report("noise", tuple(lines), sum(len(result.failures) for result in results.values()))


def make_source(job: SourceJob) -> ShardResult:
    """Build one shard: a source's pieces, band-passed; records that fail are left out and listed as failures.

    Raises:
        UserError: the source refuses the request, or its pieces are too short.
        ValueError: the pieces have different lengths.
    """
    pieces: list[Piece] = []
    failures: list[Failure] = []
    noise: list[np.ndarray[Any, np.dtype[np.float32]]] = []
    try:
        source: NoiseSource = job.source.entry.build(**job.source.parameters)
        iterator = iter(source.pieces(job.request))
        while True:
            try:
                piece = next(iterator)
                noise.append(_finish(piece, job))
                pieces.append(piece)
            except StopIteration:
                break
            except ItemError as error:
                failures.append(Failure(job.source.key, str(error)))
    except UserError as error:
        raise job.source.explain(error) from error
    lengths = {len(row) for row in noise}
    if len(lengths) > 1:
        raise ValueError(f"{job.source.entry.target}: pieces of different lengths {sorted(lengths)}")
    if lengths and min(lengths) < SHORTEST_PIECE_S * job.request.fs_hz:
        raise UserError(
            f"{job.source.key}: pieces of {min(lengths) / job.request.fs_hz:.1f} s, needed are {SHORTEST_PIECE_S:g} s; "
            "raise noise.piece_s or use longer recordings"
        )
    n = len(pieces)
    arrays = {
        "noise": np.stack(noise) if noise else np.zeros((0, 0), np.float32),
        "name": np.array([piece.name for piece in pieces], dtype=np.str_),
        "record": np.array([piece.record for piece in pieces], dtype=np.str_),
        "subtype": np.array([piece.subtype for piece in pieces], dtype=np.str_),
        "line_hz": np.array([piece.line_hz for piece in pieces], dtype=np.float64),
        "kind": np.full(n, job.source.kind),
    }
    return ShardResult(arrays, failures)


def _plan(kind: str, number: int, source: Source, settings: Settings) -> PlannedSource:
    key = f"noise.kinds.{kind}[{number}]"
    entry = registry.find("noises", source.source)
    cls = registry.load_class(entry.target)
    source_kind = entry.extra.get("kind", cls.kind)
    if source_kind != kind:
        raise UserError(f"{settings.config_file}: {key}: source '{entry.name}' makes {source_kind}, not {kind}")
    n_pieces = {**(entry.extra.get("pieces") or {}), **(source.pieces or {})}
    served = PARTS if source.parts is None else source.parts
    missing = [part for part in served if part not in n_pieces]
    if missing:
        raise UserError(f"{settings.config_file}: {key}.pieces: no number for {', '.join(missing)}")
    n_pieces = {part: n_pieces[part] if part in served else 0 for part in PARTS}
    folder = _folder(key, source, entry, cls, settings)
    plan = PlannedSource(key, kind, entry, source.parameters, n_pieces, folder, {}, settings.config_file)
    try:
        inputs = entry.build(**source.parameters).inputs(folder)
    except UserError as error:
        raise plan.explain(error) from error
    return dataclasses.replace(plan, inputs=inputs)


def _folder(key: str, source: Source, entry: Entry, cls: type[NoiseSource], settings: Settings) -> Path | None:
    if not cls.needs_folder:
        return None
    name = source.folder or entry.extra.get("folder")
    if not name:
        where = entry.extra.get("where", "see docs/noise.md")
        raise UserError(
            f"{settings.config_file}: {key}.folder: source '{entry.name}' needs a folder below paths.data_root; "
            f"where to get it: {where}"
        )
    path = configuration.require_path(str(name), f"{key}.folder", settings)
    if path.is_absolute():
        return path
    return configuration.require_path(settings.paths.data_root, "paths.data_root", settings) / path


def _build_part(
    part: Part, planned: list[PlannedSource], settings: Settings, layout: Layout, options: RunOptions
) -> StageResult:
    noise, fs_hz = settings.noise, settings.segment.fs_hz
    used = [source for source in planned if source.n_pieces[part] > 0]
    jobs = [
        Job(
            source.shard,
            SourceJob(
                source,
                Request(part, source.n_pieces[part], fs_hz, noise.piece_s, settings.seed, source.folder),
                noise.band_hz,
            ),
        )
        for source in used
    ]
    section = [
        part,
        fs_hz,
        noise.piece_s,
        noise.band_hz,
        [[source.shard, source.parameters, source.n_pieces[part]] for source in used],
    ]
    code = of_modules(__name__)
    for source in used:
        code |= of_entry(source.entry)
    inputs = {f"{source.shard}/{name}": digest for source in used for name, digest in source.inputs.items()}
    info = {
        "part": part,
        "fs_hz": fs_hz,
        "band_hz": noise.band_hz,
        "sources": {source.shard: source.entry.name for source in used},
    }
    return run_stage(
        layout.noise(part), SCHEMA, jobs, make_source, section=section, inputs=inputs, seed=settings.seed,
        options=options, label=f"noise {part}", code=code, info=info,
    )  # fmt: skip


def _finish(piece: Piece, job: SourceJob) -> np.ndarray[Any, np.dtype[np.float32]]:
    """[T] float32 of one piece in the library's band.

    Raises:
        ItemError: the piece is not finite, or silent.
    """
    samples = np.asarray(piece.samples, np.float64)
    if not np.isfinite(samples).all():
        raise ItemError(f"{piece.name}: holds values that are not finite")
    if job.band_hz is not None:
        samples = dsp.band_pass(samples, job.band_hz[0], job.band_hz[1], job.request.fs_hz)
    finished = samples.astype(np.float32)
    if not finished.any():
        raise ItemError(f"{piece.name}: is silent")
    return finished


def _check(results: dict[Part, StageResult], planned: list[PlannedSource]) -> Shared:
    """The records that each pair of parts shares.

    Raises:
        UserError: a piece name repeats, or a kind has no piece.
    """
    by_shard = {source.shard: source for source in planned}
    spans: dict[tuple[str, str], list[tuple[float, float, Part]]] = defaultdict(list)
    for part, result in results.items():
        counts = dict.fromkeys((source.kind for source in planned if source.n_pieces[part] > 0), 0)
        names: dict[tuple[str, str], str] = {}
        for shard, arrays in result.artifact:
            source = by_shard[shard.name]
            counts[source.kind] += shard.count
            for name in map(str, arrays["name"]):
                other = names.setdefault((source.kind, name), source.key)
                if other != source.key or list(arrays["name"]).count(name) > 1:
                    raise UserError(
                        f"{source.key}: piece '{name}' of {other} has the same name; "
                        "give one of the two another parameters.prefix"
                    )
            for record in sorted(set(map(str, arrays["record"]))):
                base, first, last = _span(record)
                spans[source.origin, base].append((first, last, part))
        for kind, count in counts.items():
            if count == 0:
                cause = next((f.cause for f in result.failures if f".{kind}[" in f.item), "no record is left")
                raise UserError(f"noise.kinds.{kind}: no piece for {part}: {cause}")
    shared: Shared = defaultdict(list)
    for (_, record), stretches in spans.items():
        for pair in _sharing(stretches):
            shared[pair].append(record)
    return shared


def _labels(shared: Shared) -> list[str]:
    """One line for each pair of parts that share records."""
    lines = []
    for (one, other), records in sorted(shared.items()):
        names = ", ".join(records[:4]) + (", ..." if records[4:] else "")
        lines.append(f"{one} and {other} share {len(records)} noise records ({names})")
    return lines


def _sharing(stretches: list[tuple[float, float, Part]]) -> list[tuple[Part, Part]]:
    """The pairs of parts whose stretches of a record overlap, each pair in the order of `PARTS`."""
    pairs: set[tuple[Part, Part]] = set()
    reached: dict[Part, float] = {}
    for first, last, part in sorted(stretches):
        for other, end in reached.items():
            if other != part and first < end:
                pairs.add((part, other) if PARTS.index(part) < PARTS.index(other) else (other, part))
        reached[part] = max(reached.get(part, last), last)
    return sorted(pairs)


def _span(record: str) -> tuple[str, float, float]:
    match = STRETCH.fullmatch(record)
    if match is None:
        return record, 0.0, float("inf")
    return match["record"], float(match["first"]), float(match["last"])


def _line(part: Part, result: StageResult) -> str:
    columns = result.artifact.columns("kind")["kind"].tolist()
    counts = ", ".join(f"{kind} {columns.count(kind)}" for kind in columns_of(columns) if kind in columns)
    failed = f", {len(result.failures)} failed (failures.csv)" if result.failures else ""
    return f"{part}: {counts} pieces{failed}, {result.artifact.folder}"
