"""Repeats the draws of the mixtures from the seed: names give a generator, its numbers give kinds and offsets.

Rule (docs/architecture.md, Randomness; protocol A8): the key of a draw is "mix", set, segment[, SNR, number of kinds].
Each name is written as type:repr and prefixed by its length in 4 bytes; BLAKE2b hashes all to 16 bytes, the spawn key
of a SeedSequence of the configuration's seed. Of the generator's uniform numbers, five rank the kinds, five select the
pieces and five the offsets; in the combined set, two more come first. With noise files (`mix.files`), the key is "mix",
set, segment, SNR, "draw", number; five numbers select pieces and five offsets. A kind beyond the benchmark's five has
three (two) numbers from a generator whose spawn key is that of the mixture followed by that of "kind", its name, 0.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cleansemg.evaluation.verification.findings import Finding, Track
from cleansemg.evaluation.verification.folders import Columns, Folder, Results, mapped
from cleansemg.evaluation.verification.library import Noise
from cleansemg.evaluation.verification.mixtures import sources_of

Key = tuple[int, ...]
Name = str | int | float

WGN = "WGN"
GRID, CLEAN = "grid", "clean"  # sets with a draw for each cell, and without any
SHARED = 5  # kinds that share the numbers of one generator, the first columns
IMPROBABLE = 1e-9  # if the observed number of repeated draws is less probable than this, seeds collide
FILE_DRAW = re.compile(r"_d(\d+)")


@dataclass
class Tally:
    """Keys, ids and recipes of all test sets."""

    keys: set[Key] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    recipes: Counter[tuple[object, ...]] = field(default_factory=Counter)  # library, pieces, offsets
    places: dict[tuple[object, ...], int] = field(default_factory=dict)  # library, pieces -> possible offsets
    n: int = 0


@dataclass(frozen=True)
class _Draw:
    """The key of one mixture's draw, and the layout of its numbers."""

    mixture_id: str
    names: tuple[Name, ...]
    skip: int  # numbers before the recipe's
    of_files: bool


def check(results: Results, track: Track) -> Finding:
    """Finding `draws`: seeds and ids are unique, recipes follow from their seeds, repeats are as rare as by chance."""
    finding, tally = Finding("draws"), Tally()
    pairs = [(folder, shard) for folder in results.of("test-set") for shard in folder.shards]
    noise: dict[str, Noise] = {}
    for folder, shard in track(pairs, len(pairs), "draws"):
        if folder.name not in noise:
            noise = {folder.name: sources_of(results, folder)[1]}
        _shard(folder, mapped(shard.path), str(shard.path), noise[folder.name], tally, finding)
    repeated = sum(count * (count - 1) // 2 for count in tally.recipes.values())
    by_chance = _by_chance(tally)
    if repeated and _poisson_tail(repeated, by_chance) < IMPROBABLE:
        finding.problems.append(
            f"{results.root}: {repeated} pairs of mixtures have the same noise at the same place, "
            f"{by_chance:.2g} expected by chance"
        )
    if tally.n:
        finding.summary = (
            f"{tally.n} mixtures, {len(tally.keys)} seeds and {len(tally.ids)} ids, each once; every recipe is what "
            f"its seed draws; {repeated} pairs share a recipe, {by_chance:.2g} expected by chance"
        )
    return finding


def spawn_key(*names: Name) -> Key:
    """The hash of a draw's names: four 32-bit words."""
    digest = hashlib.blake2b(digest_size=16)
    for name in names:
        text = f"{type(name).__name__}:{name!r}".encode()
        digest.update(len(text).to_bytes(4, "little"))
        digest.update(text)
    return tuple(int(word) for word in np.frombuffer(digest.digest(), "<u4"))


def _shard(folder: Folder, columns: Columns, path: str, noise: Noise, tally: Tally, finding: Finding) -> None:
    kinds = [str(kind) for kind in folder.info["kinds"]]
    all_drawn_from = {str(kind) for kind in folder.info.get("drawn_kinds", kinds)}
    excluded_below_db = float(folder.info.get("wgn_excluded_below_db", -math.inf))
    room = noise.room(columns["clean"].shape[1])
    piece, offset = np.asarray(columns["noise_piece"]), np.asarray(columns["noise_offset"])
    used = np.asarray(columns["kinds"], bool)
    for row, mixture_id in enumerate(np.asarray(columns["mixture_id"]).astype(str).tolist()):
        tally.n += 1
        at = f"{path}, row {row} ({mixture_id})"
        if folder.path.name == CLEAN:  # nothing is drawn
            _of_clean(mixture_id, str(columns["segment_id"][row]), at, tally, finding)
            continue
        draw = _draw(folder.path.name, mixture_id, columns, row)
        key = spawn_key(*draw.names)
        if key in tally.keys or mixture_id in tally.ids:
            finding.problems.append(f"{at}: another mixture has its id or its seed")
        if mixture_id != draw.mixture_id:
            finding.problems.append(f"{at}: its segment and condition make it '{draw.mixture_id}'")
        tally.keys.add(key)
        tally.ids.add(mixture_id)
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(folder.seed, spawn_key=key)))
        drawn_from = all_drawn_from - ({WGN} if float(columns["snr_db"][row]) < excluded_below_db else set())
        uniform = rng.random(draw.skip + (10 if draw.of_files else 15))[draw.skip :].reshape(-1, SHARED)
        for kind in kinds[SHARED:]:
            sequence = np.random.SeedSequence(folder.seed, spawn_key=(*key, *spawn_key("kind", kind, 0)))
            numbers = np.random.Generator(np.random.PCG64(sequence)).random(len(uniform))
            uniform = np.column_stack([uniform, numbers])
        if not _is_drawn(uniform, kinds, drawn_from, used[row], piece[row], offset[row], room, draw.of_files):
            finding.problems.append(f"{at}: its noise is not what its seed draws")
        library = folder.inputs.get("noise", "")
        tally.recipes[library, tuple(piece[row].tolist()), tuple(offset[row].tolist())] += 1
        places = [room[k][piece[row, k]] for k in np.flatnonzero(used[row]) if 0 <= piece[row, k] < len(room[k])]
        tally.places[library, tuple(piece[row].tolist())] = math.prod(places)


def _of_clean(mixture_id: str, segment: str, at: str, tally: Tally, finding: Finding) -> None:
    """The id of a row without noise: its segment's, once."""
    if mixture_id != f"{CLEAN}_{segment}":
        finding.problems.append(f"{at}: its segment makes it '{CLEAN}_{segment}'")
    if mixture_id in tally.ids:
        finding.problems.append(f"{at}: another row has its id")
    tally.ids.add(mixture_id)


def _draw(set_name: str, mixture_id: str, columns: Columns, row: int) -> _Draw:
    segment, snr = str(columns["segment_id"][row]), float(columns["snr_db"][row])
    stem = f"{set_name}_{segment}_snr{snr:g}"
    k = int(columns["n_kinds"][row])
    of_files = FILE_DRAW.fullmatch(mixture_id.removeprefix(stem))
    if of_files:
        number = int(of_files[1])
        return _Draw(f"{stem}_d{number}", ("mix", set_name, segment, snr, "draw", number), 0, True)
    if set_name != GRID:
        return _Draw(f"{stem}_k{k}", ("mix", set_name, segment), 2, False)
    return _Draw(f"{stem}_k{k}", ("mix", set_name, segment, snr, k), 0, False)


def _is_drawn(
    uniform: NDArray[np.float64],
    kinds: list[str],
    drawn_from: set[str],
    used: NDArray[np.bool_],
    piece: NDArray[np.integer],
    offset: NDArray[np.integer],
    room: list[list[int]],
    of_files: bool,
) -> bool:
    """Whether uniform numbers [3 or 2, K] give a recipe."""
    if not of_files and not _is_smallest(uniform[0], kinds, drawn_from, used, room):
        return False
    for k in np.flatnonzero(used).tolist():
        wanted = int(uniform[-2, k] * len(room[k]))
        if not of_files and int(piece[k]) != wanted:  # the piece of a file with one kind is not drawn
            return False
        if not 0 <= piece[k] < len(room[k]) or int(offset[k]) != int(uniform[-1, k] * room[k][piece[k]]):
            return False
    return True


def _is_smallest(
    keys: NDArray[np.float64], kinds: list[str], drawn_from: set[str], used: NDArray[np.bool_], room: list[list[int]]
) -> bool:
    """Whether the kinds are those with the smallest numbers; white noise alone may be excluded below its floor."""
    count = int(used.sum())
    available = [k for k in range(len(kinds)) if room[k] and kinds[k] in drawn_from]
    smallest = sorted(available, key=lambda k: keys[k])[:count]
    if smallest == [kinds.index(WGN)] and count == 1:
        without = sorted((k for k in available if k != smallest[0]), key=lambda k: keys[k])[:1]
        return bool(used[smallest[0]]) or (bool(without) and bool(used[without[0]]))
    return set(smallest) == set(np.flatnonzero(used).tolist())


def _by_chance(tally: Tally) -> float:
    """Expected number of pairs of mixtures with the same offsets by chance, among those with the same pieces."""
    counts: Counter[tuple[object, ...]] = Counter()
    for (library, pieces, _), count in tally.recipes.items():
        counts[library, pieces] += count
    return sum(n * (n - 1) / 2 / max(1, tally.places[key]) for key, n in counts.items())


def _poisson_tail(count: int, mean: float) -> float:
    """Upper bound (Chernoff) of the probability of `count` or more where `mean` is expected."""
    if count <= mean:
        return 1.0
    if mean == 0:
        return 0.0
    return math.exp(count - mean - count * math.log(count / mean))
