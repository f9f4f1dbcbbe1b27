"""The mixtures for the calibration of classical methods: validation segments, each with random SNR and noise.

The random draws of a mixture are keyed by its segment and its number, so they do not depend on other settings. Test
noise is refused; training noise is allowed, because methods are not compared on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import seeding
from cleansemg.core.artifact import MANIFEST, Failure, Schema, read_manifest
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.even_rows import starts_of_parts
from cleansemg.data_pipeline.segmentation import SCHEMA as SEGMENTS
from cleansemg.noise import mixing, pool
from cleansemg.noise.kinds import BENCHMARK_KINDS
from cleansemg.noise.pool import NoiseLibrary
from cleansemg.training.search_space import Calibration
from cleansemg.training.segments import Segments

if TYPE_CHECKING:
    from cleansemg.settings import Settings

SECOND = "second draws"
TEST_WORD = re.compile(r"(?<![a-z])test(?![a-z])")


@dataclass(frozen=True)
class CalibrationSet:
    """Fixed mixtures, one row for each.

    Attributes:
        ids: [n] segment and number of the draw.
        clean, noisy: [n, L] float32, V.
        snr_db: [n] total SNR, dB.
        kinds: [n, K] bool, columns as `kind_names`.
        line_hz: [n] power-line frequency, Hz; NaN without power-line noise or if unknown.
        fs_hz: sampling rate, Hz.
        inputs: fingerprints of the segments and the noise.
        n_subjects: number of subjects of the segments.
        noise_part: "train", "valid", or "" if unknown.
        failures: segments that could not be mixed.
        sources: [n, K] names of the pieces of noise; None: not known.
        kind_names: [K] names of the columns of `kinds`.
    """

    ids: NDArray[np.str_]
    clean: NDArray[np.float32]
    noisy: NDArray[np.float32]
    snr_db: NDArray[np.float64]
    kinds: NDArray[np.bool_]
    line_hz: NDArray[np.float64]
    fs_hz: float
    inputs: dict[str, str]
    n_subjects: int
    noise_part: str
    failures: tuple[Failure, ...] = ()
    kind_names: tuple[str, ...] = BENCHMARK_KINDS
    sources: NDArray[np.str_] | None = None


def make(
    settings: Settings, calibration: Calibration, segments_folder: Path, noise_folder: Path, second: bool = False
) -> CalibrationSet:
    """Draw and mix the calibration set.

    Args:
        settings: seed, sampling rate and the floor of white noise.
        calibration: number of segments and draws, SNRs, numbers of kinds.
        segments_folder: validation segments.
        noise_folder: a noise library, not the test set's.
        second: draw anew, independently, SNRs, kinds, pieces and offsets for the same segments.

    Raises:
        ArtifactError: segments or noise are missing; the message says what to run.
        UserError: test noise, other sampling rates, a cell that no mixture can fill, or nothing to mix.
    """
    noise_part = part_of_noise(noise_folder)
    segments, library = Segments(segments_folder), NoiseLibrary.open(noise_folder)
    fs_hz = settings.segment.fs_hz
    for folder, schema in ((segments_folder, SEGMENTS), (noise_folder, pool.SCHEMA)):
        _require_rate(folder, schema, fs_hz)
    floor_db = settings.mix.wgn_floor_db
    _require_cells(calibration, library, floor_db)

    rows = np.repeat(spread_over_subjects(segments.subjects, calibration.segments), calibration.draws)
    numbers = np.tile(np.arange(calibration.draws), len(rows) // calibration.draws)
    names = ("calibration", SECOND) if second else ("calibration",)
    generators = [
        seeding.generator(settings.seed, *names, str(segments.ids[row]), int(number))
        for row, number in zip(rows, numbers, strict=True)
    ]
    uniform = np.array([rng.random(2) for rng in generators])
    snr_db = _pick(calibration.snr_db, uniform[:, 0]).astype(np.float64)
    n_kinds = _pick(calibration.n_kinds, uniform[:, 1]).astype(np.int64)
    recipe = mixing.draw_recipes(generators, snr_db, n_kinds, library, segments.length, floor_db)
    clean = segments.signals(rows)
    ids = np.array([f"{segments.ids[row]}_{number}" for row, number in zip(rows, numbers, strict=True)])

    bad = mixing.unmixable(clean, recipe, library)
    keep = np.setdiff1d(np.arange(len(rows)), list(bad))
    if not keep.size:
        raise UserError(f"{segments_folder}: no segment can be mixed; the first: {next(iter(bad.values()))}")
    recipe = mixing.Recipe(recipe.kinds[keep], recipe.piece[keep], recipe.offset[keep])
    clean, snr_db = clean[keep], snr_db[keep]
    try:
        noisy, _ = mixing.mix_recipes(clean, recipe, library, snr_db, "exact", floor_db, ids[keep])
    except ItemError as error:
        raise UserError(f"{segments_folder}, {noise_folder}: {error}; take it out and make them again") from error
    return CalibrationSet(
        ids=ids[keep],
        clean=clean,
        noisy=noisy,
        snr_db=snr_db,
        kinds=recipe.kinds,
        line_hz=library.line_hz_of(recipe.kinds, recipe.piece),
        sources=library.names_of(recipe.kinds, recipe.piece),
        kind_names=library.columns,
        fs_hz=fs_hz,
        inputs={"segments": segments.fingerprint, "noise": library.fingerprint},
        n_subjects=len(np.unique(segments.subjects[rows])),
        noise_part=noise_part,
        failures=tuple(Failure(f"calibration/{ids[row]}", cause) for row, cause in bad.items()),
    )


def part_of_noise(folder: Path) -> str:
    """The part of a noise library, from its manifest or its name: "train", "valid", or "" if neither states it.

    Raises:
        UserError: it is the test part.
    """
    path = Path(folder).resolve()
    names = [path.parent.name, path.name] if path.name == pool.PUBLISHED_POOL else [path.name]
    part = str(read_manifest(folder, pool.SCHEMA).info.get("part", "")) if (folder / MANIFEST).exists() else ""
    if part == "test" or any(TEST_WORD.search(name.lower()) for name in names):
        raise UserError(f"{folder}: test noise; parameters chosen on it would leak, give --noise-root the validation "
                        "or training noise")  # fmt: skip
    return part or next((word for word in ("train", "valid") if any(word in name.lower() for name in names)), "")


def spread_over_subjects(subjects: NDArray[np.str_], at_most: int) -> NDArray[np.int64]:
    """Select at most `at_most` rows: as equal numbers per subject as possible, evenly spaced within each subject.

    >>> spread_over_subjects(np.array(["a"] * 8 + ["b"] * 2 + ["c"] * 8), 8).tolist()
    [0, 2, 5, 8, 9, 10, 12, 15]
    """
    names, counts = np.unique(subjects, return_counts=True)
    quota = np.zeros(len(names), np.int64)
    left = min(at_most, len(subjects))
    while left:
        hungry = np.flatnonzero(quota < counts)
        if left < len(hungry):
            quota[hungry[starts_of_parts(len(hungry), left)]] += 1
            break
        share = np.minimum(left // len(hungry), (counts - quota)[hungry])
        quota[hungry] += share
        left -= int(share.sum())
    rows = [
        np.flatnonzero(subjects == name)[starts_of_parts(c, int(q))]
        for name, c, q in zip(names, counts, quota, strict=True)
    ]
    return np.sort(np.concatenate(rows))


def _pick(values: tuple[float, ...] | tuple[int, ...], uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values, np.float64)[(uniform * len(values)).astype(np.int64)]


def _require_rate(folder: Path, schema: Schema, fs_hz: float) -> None:
    if not (folder / MANIFEST).exists():  # a published noise pool does not state its rate
        return
    rate_hz = read_manifest(folder, schema).info.get("fs_hz", fs_hz)
    if rate_hz != fs_hz:
        raise UserError(f"{folder}: made at {rate_hz:g} Hz, but segment.fs_hz is {fs_hz:g} in the configuration")


def _require_cells(calibration: Calibration, library: NoiseLibrary, floor_db: float | None) -> None:
    for snr_db in calibration.snr_db:
        for n_kinds in calibration.n_kinds:
            available = mixing.drawable(snr_db, n_kinds, floor_db, library.kinds)
            if len(available) < n_kinds:
                raise UserError(
                    f"calibration.n_kinds: {n_kinds} kinds at {snr_db:g} dB, but {library.folder} has only "
                    f"{', '.join(available) or 'none'} for that; add noise.kinds or ask for fewer"
                )
