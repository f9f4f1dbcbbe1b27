"""Noise files: what there is to draw from, all different, and the same however much is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleansemg.core.errors import UserError
from cleansemg.core.seeding import generator
from cleansemg.noise.files import NoiseFiles
from cleansemg.noise.kinds import BENCHMARK_KINDS
from cleansemg.noise.mixing import mix_recipes
from cleansemg.noise.pool import NoiseLibrary

LENGTH = 2000


def test_one_file_a_piece_or_as_many_as_asked_for(library):
    files = NoiseFiles({"ECG": 0, "WGN": 6, "PLI+MOA+Color": 3}, library, "mix.files")
    assert len(files) == 4 + 6 + 3
    ecg, wgn = BENCHMARK_KINDS.index("ECG"), BENCHMARK_KINDS.index("WGN")
    assert files.piece[files.kinds[:, ecg]].tolist() == [0, 1, 2, 3]
    assert files.piece[files.kinds[:, wgn]].tolist() == [0, 1, 2, 3, 0, 1]  # the library has four pieces
    compound = files.kinds.sum(1) == 3
    assert compound.sum() == 3
    assert set(files.piece[compound]) == {-1}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 13))
def test_draws_are_different_and_fewer_are_the_first_of_more(library, seed, draws):
    files = NoiseFiles({"ECG": 0, "WGN": 6, "PLI+MOA+Color": 3}, library, "mix.files")
    everything = files.choose(generator(seed, "a"), 13)
    assert sorted(everything) == list(range(13))
    assert files.choose(generator(seed, "a"), draws).tolist() == everything[:draws].tolist()


def test_recipes_hold_the_file_at_equal_energy(library):
    files = NoiseFiles({"ECG": 0, "PLI+MOA+Color": 40}, library, "mix.files")
    chosen = np.arange(len(files))
    recipe = files.recipes([generator(1, int(i)) for i in chosen], chosen, LENGTH)
    assert recipe.kinds.tolist() == files.kinds.tolist()
    assert ((recipe.piece >= 0) == recipe.kinds).all()
    ecg = BENCHMARK_KINDS.index("ECG")
    assert recipe.piece[:4, ecg].tolist() == [0, 1, 2, 3]
    compounds = {tuple(row) for row in recipe.piece[4:].tolist()}
    assert len(compounds) > 20  # 4 x 4 x 4 possible
    clean = np.random.default_rng(2).standard_normal((len(files), LENGTH)).astype(np.float32)
    noisy, gain = mix_recipes(clean, recipe, library, -7.0, "exact", None)
    noise = noisy.astype(np.float64) - clean
    snr = 10 * np.log10((clean.astype(np.float64) ** 2).sum(1) / (noise**2).sum(1))
    np.testing.assert_allclose(snr, -7.0, atol=1e-6)
    row = len(files) - 1
    energies = [
        gain[row, column] ** 2
        * np.sum(
            library.segment(kind, recipe.piece[row, column], recipe.offset[row, column], LENGTH).astype(float) ** 2
        )
        for column, kind in enumerate(BENCHMARK_KINDS)
        if recipe.kinds[row, column]
    ]
    assert len(energies) == 3
    np.testing.assert_allclose(energies, energies[0], rtol=1e-6)


def test_a_row_depends_on_its_own_generator_only(library):
    files = NoiseFiles({"PLI+MOA+Color": 1}, library, "mix.files")
    alone = files.recipes([generator(1, "b")], np.zeros(1, np.int64), LENGTH)
    among = files.recipes([generator(1, n) for n in "abc"], np.zeros(3, np.int64), LENGTH)
    assert among.piece[1].tolist() == alone.piece[0].tolist()
    assert among.offset[1].tolist() == alone.offset[0].tolist()


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"EKG": 0}, "'EKG': no kind is called 'EKG'; did you mean 'ECG'"),
        ({"ECG+ECG": 2}, "'ECG\\+ECG' names a kind twice"),
        ({"ECG+MOA": 0}, "'ECG\\+MOA' needs a number of files"),
        ({}, "lists no noise file"),
    ],
)
def test_refused_lists(library, counts, message):
    with pytest.raises(UserError, match=message):
        NoiseFiles(counts, library, "mix.files")


def test_kinds_and_numbers_that_the_library_does_not_have():
    small = NoiseLibrary({"ECG": [np.ones(3000)]})
    with pytest.raises(UserError, match=r"'WGN': .* has no WGN; add noise\.kinds\.WGN"):
        NoiseFiles({"WGN": 0}, small, "mix.files")
    with pytest.raises(UserError, match=r"mix\.draws: 2 draws, but .* gives 1 noise files"):
        NoiseFiles({"ECG": 0}, small, "mix.files").require(2, "mix.draws")
