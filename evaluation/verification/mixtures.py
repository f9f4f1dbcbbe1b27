"""Rebuilds every mixture: the clean segment plus gain times excerpt for each kind, in float64, rounded once.

With the same order of the sums, the result equals the stored float32 bit for bit. A machine that fuses multiplication
and addition may differ by one unit in the last place of the float32, which is the tolerance. Where the manifest says
that samples are multiples of a step (`mix.round_to`), segment and sum are rounded to it here, too, and the unit is the
step. The SNR is recomputed from clean and noisy signal, total over the window, without mean removal (protocol A6).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ArtifactError
from cleansemg.evaluation.verification.findings import Finding, Track
from cleansemg.evaluation.verification.folders import Columns, Folder, Results, Shard, mapped
from cleansemg.evaluation.verification.library import Noise, Segments

EXACT_DB = 1e-4  # tolerance of the total SNR; the rule holds 1e-6 dB up to 30 dB, above it float32 rounds more coarsely
SHARE = 1e-6  # relative difference of the components' energies, which the rule makes equal
MOSTLY = 0.9  # of the mixtures of several kinds have cross terms beyond EXACT_DB where the rule leaves them in
WGN = "WGN"
CLEAN = "clean"  # the set without noise


@dataclass
class Tally:
    """Counts over all mixtures."""

    n: int = 0
    n_clean: int = 0  # of the set without noise
    n_exact: int = 0  # bit for bit
    n_compound: int = 0  # of several kinds
    n_nominal: int = 0  # components' energies are nominal and the total is not: mixing rule `published`
    worst_db: float = 0.0  # total SNR against its label


def check(results: Results, track: Track) -> Finding:
    """Finding `mixtures`: checks every mixture of every set."""
    finding, tally = Finding("mixtures"), Tally()
    pairs = [(folder, shard) for folder in results.of("test-set") for shard in folder.shards]
    sources: dict[tuple[str, str], tuple[Segments, Noise]] = {}
    for folder, shard in track(pairs, len(pairs), "mixtures"):
        key = (folder.inputs.get("segments", ""), folder.inputs.get("noise", ""))
        if key not in sources:
            sources = {key: sources_of(results, folder)}
        if folder.path.name == CLEAN:
            tally.n_clean += _without_noise(folder, shard, sources[key][0], finding)
        else:
            _shard(folder, mapped(shard.path), str(shard.path), sources[key], tally, finding)
    if tally.n_nominal and tally.n_nominal < MOSTLY * tally.n_compound:
        finding.problems.append(
            f"{tally.n_nominal} of {tally.n_compound} mixtures of several kinds have a nominal SNR, the others not"
        )
    if tally.n:
        rule = "the components' SNRs are nominal (mixing rule `published`), total" if tally.n_nominal else "total"
        finding.summary = (
            f"{tally.n} mixtures rebuilt from segment, noise and gains, {tally.n_exact} bit for bit, the others within "
            f"1 unit in the last place; {rule} SNR within {tally.worst_db:.1e} dB of its label"
        )
        if tally.n_clean:
            finding.summary += f"; {tally.n_clean} signals of the set without noise are their segments"
    return finding


def _without_noise(folder: Folder, shard: Shard, segments: Segments, finding: Finding) -> int:
    """Rows of the set `clean`: segments to which nothing was added."""
    columns, path = mapped(shard.path), str(shard.path)
    step = float(folder.info.get("round_to", 0.0))
    ids = np.asarray(columns["segment_id"]).astype(str).tolist()
    n_kinds, kinds = np.asarray(columns["n_kinds"]), np.asarray(columns["kinds"], bool)
    for row, segment_id in enumerate(ids):
        at = f"{path}, row {row} ({columns['mixture_id'][row]})"
        try:
            segment = _on_steps(segments.signal(segment_id), step)
        except ArtifactError as error:
            finding.problems.append(f"{at}: {error}")
            continue
        clean, noisy = np.asarray(columns["clean"][row]), np.asarray(columns["noisy"][row])
        if not np.array_equal(clean, segment) or not np.array_equal(noisy, segment):
            finding.problems.append(f"{at}: not segment '{segment_id}' as it is")
        if n_kinds[row] or kinds[row].any() or np.any(columns["gain"][row]) or columns["snr_db"][row] != np.inf:
            finding.problems.append(f"{at}: a row of the set without noise has some")
    return len(ids)


def sources_of(results: Results, folder: Folder) -> tuple[Segments, Noise]:
    """The segments and the noise that a test set was mixed from.

    Raises:
        ArtifactError: they are not in the results.
    """
    segments = results.folder_of("segments", folder.inputs.get("segments"))
    noise = results.folder_of("noise-library", folder.inputs.get("noise"))
    if segments is None or noise is None:
        missing = "segments" if segments is None else "noise"
        raise ArtifactError(f"{folder.path}: the {missing} that it was mixed from are not here")
    return Segments(segments), Noise.open(noise, [str(kind) for kind in folder.info["kinds"]])


def _shard(
    folder: Folder, columns: Columns, path: str, sources: tuple[Segments, Noise], tally: Tally, finding: Finding
) -> None:
    segments, noise = sources
    clean, noisy = np.asarray(columns["clean"]), np.asarray(columns["noisy"])
    kinds, gain = np.asarray(columns["kinds"], bool), np.asarray(columns["gain"], np.float64)
    piece, offset = np.asarray(columns["noise_piece"]), np.asarray(columns["noise_offset"])
    names, snr_db = np.asarray(columns["noise_name"]).astype(str), np.asarray(columns["snr_db"], np.float64)
    who = np.asarray(columns["mixture_id"]).astype(str).tolist()
    length = clean.shape[1]
    order = [str(kind) for kind in folder.info["kinds"]]
    step = float(folder.info.get("round_to", 0.0))
    for row, segment_id in enumerate(np.asarray(columns["segment_id"]).astype(str).tolist()):
        at = f"{path}, row {row} ({who[row]})"
        tally.n += 1
        try:
            segment = _on_steps(segments.signal(segment_id), step)
            used = np.flatnonzero(kinds[row])
            parts = {k: noise.excerpt(int(k), int(piece[row, k]), int(offset[row, k]), length) for k in used.tolist()}
        except ArtifactError as error:
            finding.problems.append(f"{at}: {error}")
            continue
        finding.problems += [f"{at}: {text}" for text in _odd_recipe(row, used, columns, names, noise)]
        if segment.shape != clean[row].shape or (segment != clean[row]).any():
            finding.problems.append(f"{at}: its clean signal is not segment '{segment_id}'")
            continue
        total = np.zeros(length)
        for k in used.tolist():
            total += gain[row, k] * parts[k]
        rebuilt = _on_steps((segment.astype(np.float64) + total).astype(np.float32), step)
        if (rebuilt == noisy[row]).all():
            tally.n_exact += 1
        elif not _within_one_unit(rebuilt, noisy[row], step):
            finding.problems.append(f"{at}: segment and noise do not give the noisy signal that is stored")
            continue
        energies = {order[k]: float(np.sum((gain[row, k] * parts[k]) ** 2)) for k in used.tolist()}
        finding.problems += [
            f"{at}: {text}" for text in _odd_level(segment, noisy[row], snr_db[row], energies, tally, step)
        ]


def _odd_recipe(row: int, used: NDArray[np.intp], columns: Columns, names: NDArray[np.str_], noise: Noise) -> list[str]:
    """Problems in the columns of one recipe that should agree: number of kinds, unused kinds, names of pieces."""
    problems = []
    if int(columns["n_kinds"][row]) != len(used) or not len(used):
        problems.append(f"n_kinds is {columns['n_kinds'][row]}, but {len(used)} kinds are in")
    unused = np.setdiff1d(np.arange(names.shape[1]), used)
    if np.any(columns["gain"][row][unused] != 0) or np.any(columns["noise_piece"][row][unused] != -1):
        problems.append("a kind that is out has a gain or a piece")
    wrong = [k for k in used.tolist() if names[row, k] != noise.names[k][int(columns["noise_piece"][row, k])]]
    if wrong:
        problems.append(f"noise '{names[row, wrong[0]]}' is not the name of its piece")
    return problems


def _odd_level(
    clean: NDArray[np.float32],
    noisy: NDArray[np.float32],
    label_db: float,
    energies: dict[str, float],
    tally: Tally,
    step: float,
) -> list[str]:
    """Problems of the total SNR (or the components' SNR) of a mixture, and of the shares of its kinds (A6)."""
    c = clean.astype(np.float64)
    signal = float(np.sum(c * c))
    error = float(np.sum((noisy.astype(np.float64) - c) ** 2))
    if not signal > 0 or not error > 0:
        return ["clean signal or noise is silent, so there is no SNR"]
    tally.n_compound += len(energies) > 1
    away_db = abs(10 * np.log10(signal / error) - label_db)
    others = [energy for kind, energy in energies.items() if kind != WGN]
    problems = []
    if others and max(others) - min(others) > SHARE * max(others):
        problems.append("its kinds of noise have different energies")
    if others and energies.get(WGN, 0.0) > (1 + SHARE) * max(others):
        problems.append("white noise is louder than the other kinds")
    allowed_db = EXACT_DB + _rounding_db(step, error, len(c))
    if away_db > allowed_db:
        nominal_db = 10 * np.log10(signal / sum(energies.values()))
        if len(energies) > 1 and abs(nominal_db - label_db) <= allowed_db:
            tally.n_nominal += 1
        else:
            problems.append(f"its SNR is {10 * np.log10(signal / error):.4f} dB, its label says {label_db:g}")
    tally.worst_db = max(tally.worst_db, away_db)
    return problems


def _on_steps(signal: NDArray[np.float32], step: float) -> NDArray[np.float32]:
    """The nearest multiples of a step, halves to the even one; the signal itself where the step is 0."""
    if not step:
        return signal
    return (np.rint(signal.astype(np.float64) / step) * step + 0.0).astype(np.float32)


def _rounding_db(step: float, error: float, length: int) -> float:
    """How far rounding the samples may move an SNR, in dB.

    Rounding errors are uniform, of standard deviation step / sqrt(12), and independent of the noise, of energy `error`:
    their product with it stays below 6 standard deviations, their own energy below length (step / 2)^2.
    """
    return float(10 / np.log(10) * (12 / np.sqrt(12) * step / np.sqrt(error) + length * step**2 / (4 * error)))


def _within_one_unit(a: NDArray[np.float32], b: NDArray[np.float32], step: float) -> bool:
    """Whether two float32 signals differ by one unit in the last place, or by one step, at most."""
    unit = np.maximum(np.spacing(np.abs(a)), np.spacing(np.abs(b))).astype(np.float64)
    return bool((np.abs(a.astype(np.float64) - b.astype(np.float64)) <= np.maximum(unit, step)).all())
