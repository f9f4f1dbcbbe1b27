"""The mixing rule: which noise a mixture holds, at which level, and the sum (protocol A6, A8).

A *recipe* lists the kinds of noise, the piece of each and the offset in it; `mix_recipes` computes the gains and adds
the noise. Arrays have one row per mixture and one column per kind, in the order of the library's `columns`. Recipe,
gains and clean signal reproduce the stored mixture bit for bit (`rebuild`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cleansemg.core.errors import ItemError, UserError, did_you_mean
from cleansemg.core.seeding import branch
from cleansemg.noise.kinds import BENCHMARK_KINDS, columns_of
from cleansemg.noise.pool import NoiseLibrary
from cleansemg.noise.wgn import WhiteGaussian

Float64 = NDArray[np.float64]

FLOORED = WhiteGaussian.kind  # the kind that `mix.wgn_floor_db` applies to
WGN = BENCHMARK_KINDS.index(FLOORED)
# published: components scaled one by one, white noise not louder than its floor. exact: then the sum is scaled to its
# SNR. first_commit: that of the benchmark's first commit, equal energies, and no white noise below the floor (A6).
Rule = Literal["exact", "published", "first_commit"]
CANCELLED = 1e-12  # noise whose components cancel to this share of their energy cannot be scaled


@dataclass(frozen=True)
class Recipe:
    """The noise of n mixtures, without the gains.

    Attributes:
        kinds: [n, K] bool, which kinds a mixture holds.
        piece: [n, K] int32, index in the kind's pieces; -1 where the mixture does not hold the kind.
        offset: [n, K] int64, first sample of the excerpt in the piece; -1 where the mixture does not hold the kind.
    """

    kinds: NDArray[np.bool_]
    piece: NDArray[np.int32]
    offset: NDArray[np.int64]


def drawable(
    snr_db: float, n_kinds: int, floor_db: float | None, available: Iterable[str], rule: Rule = "exact"
) -> tuple[str, ...]:
    """The kinds that a mixture may draw, in the order of columns.

    White noise alone is excluded below its floor: it would have to be louder than the floor allows. By the rule
    `first_commit` it is excluded below the floor whatever else is in the mixture.

    >>> drawable(-10.0, 2, -5.0, ["ECG", "WGN"]), drawable(-10.0, 2, -5.0, ["ECG", "WGN"], "first_commit")
    (('ECG', 'WGN'), ('ECG',))
    """
    without_wgn = (n_kinds == 1 or rule == "first_commit") and floor_db is not None and snr_db < floor_db
    present = set(available)
    return tuple(kind for kind in columns_of(present) if kind in present and not (without_wgn and kind == FLOORED))


def selected_kinds(kinds: Collection[str] | None, available: Sequence[str], where: str) -> tuple[str, ...]:
    """The kinds that sets of mixtures draw from: those that `mix.kinds` names, or all that there are.

    Args:
        kinds: the setting.
        available: kinds that the library has pieces of.
        where: the library, for errors.

    Raises:
        UserError: a kind that the library does not have.
    """
    if kinds is None:
        return tuple(available)
    for kind in kinds:
        if kind not in available:
            raise UserError(
                f"mix.kinds: {where} has no piece of '{kind}'{did_you_mean(kind, available)}; add noise.kinds.{kind}"
            )
    return tuple(kind for kind in available if kind in kinds)


def uniform_numbers(
    generators: Iterable[np.random.Generator], columns: Sequence[str], per_kind: int, block: int = 0
) -> Float64:
    """[n, per_kind, K] uniform numbers in [0, 1), from which recipes are drawn.

    The benchmark's five kinds draw theirs together from the mixture's generator. Any other kind draws from a separate
    stream, keyed by the mixture's stream, the kind and the block. So it does not shift the draws of other kinds.

    Args:
        generators: one for each mixture.
        columns: names of the kinds, the benchmark's five first.
        per_kind: number of numbers per kind.
        block: index of the block, where one generator serves several blocks in turn (a long stream).
    """
    rows = []
    for generator in generators:
        five = generator.random(per_kind * len(BENCHMARK_KINDS)).reshape(per_kind, -1)
        others = [branch(generator, "kind", kind, block).random(per_kind) for kind in columns[len(BENCHMARK_KINDS) :]]
        rows.append(np.concatenate([five, *(numbers[:, None] for numbers in others)], axis=1))
    return np.array(rows).reshape(-1, per_kind, len(columns))


def draw_recipes(
    generators: Iterable[np.random.Generator],
    snr_db: ArrayLike,
    n_kinds: ArrayLike,
    library: NoiseLibrary,
    length: int,
    floor_db: float | None,
    block: int = 0,
    kinds: Collection[str] | None = None,
    rule: Rule = "exact",
) -> Recipe:
    """Draw kinds without replacement, and for each kind a piece and an offset, all uniformly.

    Args:
        generators: one for each mixture, keyed by its names
            (`cleansemg.core.seeding.generator(seed, "mix", set_name, segment_id, snr_db, n_kinds)`); each yields
            15 numbers, whatever is drawn; see `uniform_numbers`.
        snr_db: [n] or one for all, in dB.
        n_kinds: [n] or one for all.
        library: the noise library.
        length: number of samples of a mixture.
        floor_db: see `drawable`.
        block: see `uniform_numbers`.
        kinds: those to draw from, of the library's; None: all. A kind that is left out shifts no number of the others.
        rule: see `drawable`.

    Raises:
        UserError: the library has fewer kinds than a mixture needs, or a piece is shorter than a mixture.
    """
    uniform = uniform_numbers(generators, library.columns, 3, block)  # [n, 3, K]
    n = len(uniform)
    snr = np.broadcast_to(np.asarray(snr_db, np.float64), n)
    wanted = np.broadcast_to(np.asarray(n_kinds, np.int64), n)
    counts, room = counts_and_room(library, length)

    drawn_from = selected_kinds(kinds, library.kinds, str(library.folder))
    allowed = np.tile([column in drawn_from for column in library.columns], (n, 1))
    if floor_db is not None:
        allowed[((wanted == 1) | (rule == "first_commit")) & (snr < floor_db), WGN] = False
    _check_enough(allowed, snr, wanted, library)
    # the k smallest of independent uniform keys are a uniform random subset of size k
    keys = np.where(allowed, uniform[:, 0], np.inf)
    rank = keys.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    drawn = rank < wanted[:, None]

    piece = np.where(drawn, (uniform[:, 1] * counts).astype(np.int64), -1)
    space = np.take_along_axis(room, np.maximum(piece, 0).T, axis=1).T  # [n, K] offsets that fit
    offset = np.where(drawn, (uniform[:, 2] * space).astype(np.int64), -1)
    return Recipe(drawn, piece.astype(np.int32), offset)


def counts_and_room(library: NoiseLibrary, length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[K] number of pieces of each kind, and [K, most pieces] number of possible offsets in each piece.

    Raises:
        UserError: a piece is shorter than a mixture.
    """
    lengths = [library.piece_lengths(kind) for kind in library.columns]
    counts = np.array([len(of_kind) for of_kind in lengths], np.int64)
    room = np.zeros((len(counts), max(int(counts.max()), 1)), np.int64)
    for row, of_kind in zip(room, lengths, strict=True):
        row[: len(of_kind)] = of_kind - length + 1
    too_short = [kind for kind, of_kind in zip(library.columns, lengths, strict=True) if (of_kind < length).any()]
    if too_short:
        raise UserError(
            f"{library.folder}: pieces of {', '.join(too_short)} are shorter than a mixture of {length} samples; "
            "raise noise.piece_s or lower segment.window_s"
        )
    return counts, room


def component_energies(
    clean_energy: ArrayLike, snr_db: ArrayLike, kinds: NDArray[np.bool_], floor_db: float | None
) -> Float64:
    """[n, K] energy (sum of squares) of each noise component, before any rescaling of the sum (A6).

    The total, clean energy / 10^(SNR/10), is split equally over the kinds. Where the equal share would
    make white noise louder than its floor allows (a component SNR under `floor_db`), white noise gets exactly the
    energy at the floor, and the other kinds share the rest equally.

    >>> kinds = np.array([[True, False, False, True, False]])
    >>> component_energies(1.0, 0.0, kinds, -5.0)[0].tolist()
    [0.5, 0.0, 0.0, 0.5, 0.0]
    >>> component_energies(1.0, -10.0, kinds, -5.0)[0].round(6).tolist()
    [6.837722, 0.0, 0.0, 3.162278, 0.0]

    Raises:
        ValueError: a mixture has white noise alone below its floor, which `drawable` excludes, or no kind at all.
    """
    energy = np.broadcast_to(np.asarray(clean_energy, np.float64), len(kinds))
    total = energy / 10.0 ** (np.asarray(snr_db, np.float64) / 10.0)
    k = kinds.sum(axis=1)
    if (k == 0).any():
        raise ValueError("a mixture without any kind of noise")
    share = np.where(kinds, (total / k)[:, None], 0.0)
    if floor_db is None:
        return share
    loudest = energy / 10.0 ** (floor_db / 10.0)
    capped = kinds[:, WGN] & (share[:, WGN] > loudest * (1 + 1e-12))
    if (capped & (k == 1)).any():
        raise ValueError(f"white noise alone below its floor of {floor_db:g} dB")
    others = kinds & (np.arange(kinds.shape[1]) != WGN)
    rest = (total - loudest) / np.maximum(k - 1, 1)
    floored = np.where(others, rest[:, None], 0.0)
    floored[:, WGN] = loudest
    return np.where(capped[:, None], floored, share)


def mix_recipes(
    clean: NDArray[np.float32],
    recipe: Recipe,
    library: NoiseLibrary,
    snr_db: ArrayLike,
    rule: Rule,
    floor_db: float | None,
    names: Sequence[str] | NDArray[np.str_] | None = None,
) -> tuple[NDArray[np.float32], Float64]:
    """Mix noise into clean signals.

    Args:
        clean: [n, L] float32, in volts (gains scale with the unit of the signal).
        recipe: recipes of the n mixtures.
        library: the library that the recipe was drawn from.
        snr_db: [n] or one for all, in dB; the total SNR over the whole window, from sums of squares without mean
            removal.
        rule: `published` scales each component separately, so with several components the total SNR is nominal
            (cross terms); `exact` then scales the summed noise once, so that the total SNR holds to 1e-6 dB
            in the stored float32 (measured up to 30 dB, 2000 samples; from about 35 dB on, the rounding
            of float32 alone is of that size); `first_commit` is `published` with equal energies, whatever the floor.
        floor_db: lowest component SNR of white noise in dB, before that last scaling; None: no floor.
        names: [n] names of the mixtures for errors; None: their indexes.

    Returns:
        noisy [n, L] float32 and gain [n, K] float64 (0 for kinds that a mixture does not hold):
        noisy = clean + sum over kinds of gain * excerpt.

    Raises:
        ItemError: the clean segment or a noise excerpt of a mixture is silent or not finite (`unmixable` lists
            all such mixtures), or its noise components cancel one another; the message names the first one.
        ValueError: `rule` is none of the three.
    """
    from cleansemg.noise import mixing_kernel

    clean = np.ascontiguousarray(clean, np.float32)
    at = library.positions(recipe.piece, recipe.offset, clean.shape[1])
    clean_energy, energy = _energies(clean, at, library)
    for row, cause in _causes(clean_energy, energy, recipe, library).items():
        raise ItemError(f"{row if names is None else names[row]}: {cause}")
    target = component_energies(clean_energy, snr_db, recipe.kinds, None if rule == "first_commit" else floor_db)
    gain = np.sqrt(np.divide(target, energy, out=np.zeros_like(target), where=recipe.kinds))
    if rule == "exact":
        realised = mixing_kernel.summed_energies(library.flat, at, gain, clean.shape[1])
        total = clean_energy / 10.0 ** (np.asarray(snr_db, np.float64) / 10.0)
        cancelled = np.flatnonzero(realised <= CANCELLED * total)
        if cancelled.size:
            row = int(cancelled[0])
            raise ItemError(f"{row if names is None else names[row]}: its noise components cancel one another")
        gain *= np.sqrt(total / realised)[:, None]
    elif rule not in get_args(Rule):
        raise ValueError(f"rule: '{rule}', expected one of {', '.join(get_args(Rule))}")
    return mixing_kernel.add_noise(clean, library.flat, at, gain), gain


def unmixable(clean: NDArray[np.float32], recipe: Recipe, library: NoiseLibrary) -> dict[int, str]:
    """Rows with a silent or not finite segment or excerpt, with the cause, so that a stage can mix the other rows.

    `mix_recipes` also refuses rows whose noise components cancel one another; those are not listed.
    """
    at = library.positions(recipe.piece, recipe.offset, clean.shape[1])
    clean_energy, energy = _energies(np.ascontiguousarray(clean, np.float32), at, library)
    return _causes(clean_energy, energy, recipe, library)


def rebuild(clean: NDArray[np.float32], recipe: Recipe, gain: Float64, library: NoiseLibrary) -> NDArray[np.float32]:
    """[n, L] float32: the mixtures that `mix_recipes` returned, bit for bit, from the stored recipe and gains."""
    from cleansemg.noise import mixing_kernel

    clean = np.ascontiguousarray(clean, np.float32)
    at = library.positions(recipe.piece, recipe.offset, clean.shape[1])
    noisy: NDArray[np.float32] = mixing_kernel.add_noise(
        clean, library.flat, at, np.ascontiguousarray(gain, np.float64)
    )
    return noisy


def _energies(clean: NDArray[np.float32], at: NDArray[np.int64], library: NoiseLibrary) -> tuple[Float64, Float64]:
    from cleansemg.noise import mixing_kernel

    starts = np.arange(len(clean), dtype=np.int64)[:, None] * clean.shape[1]
    clean_energy = mixing_kernel.excerpt_energies(clean.reshape(-1), starts, clean.shape[1])[:, 0]
    return clean_energy, mixing_kernel.excerpt_energies(library.flat, at, clean.shape[1])


def _causes(clean_energy: Float64, energy: Float64, recipe: Recipe, library: NoiseLibrary) -> dict[int, str]:
    clean_bad = ~((clean_energy > 0) & np.isfinite(clean_energy))
    noise_bad = recipe.kinds & ~((energy > 0) & np.isfinite(energy))
    causes: dict[int, str] = {}
    for row in np.flatnonzero(clean_bad | noise_bad.any(axis=1)):
        if clean_bad[row]:
            what = "all zero" if clean_energy[row] == 0 else "not finite"
            causes[int(row)] = f"the clean segment is {what}, so it has no SNR"
            continue
        column = int(np.flatnonzero(noise_bad[row])[0])
        kind = library.columns[column]
        name = library.piece_names(kind)[recipe.piece[row, column]]
        causes[int(row)] = f"noise '{name}' ({kind}) is silent from sample {recipe.offset[row, column]}"
    return causes


def _check_enough(
    allowed: NDArray[np.bool_], snr_db: Float64, wanted: NDArray[np.int64], library: NoiseLibrary
) -> None:
    short = np.flatnonzero((allowed.sum(axis=1) < wanted) | (wanted < 1))
    if short.size:
        row = short[0]
        names = [kind for kind, ok in zip(library.columns, allowed[row], strict=True) if ok]
        raise UserError(
            f"mix.n_kinds: {wanted[row]} kinds at {snr_db[row]:g} dB, but only {len(names)} can be drawn "
            f"({', '.join(names) or 'none'}); add noise.kinds or ask for fewer"
        )
