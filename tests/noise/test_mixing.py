"""The mixing rule: invariants of protocols I.1, pitfalls 5, 6 and 7, exact rebuilding, errors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.seeding import generator, spawn_key
from cleansemg.noise import mixing
from cleansemg.noise.kinds import BENCHMARK_KINDS
from cleansemg.noise.pool import NoiseLibrary

GRID_DB = (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0)
L = 2000
WGN = BENCHMARK_KINDS.index("WGN")


def draw(library, snr_db, n_kinds, n, floor_db=-5.0, length=L, tag="t"):
    generators = (generator(2025, "mix", tag, f"s{i}", float(snr_db), int(n_kinds)) for i in range(n))
    return mixing.draw_recipes(generators, snr_db, n_kinds, library, length, floor_db)


def clean_signals(n, scale=1e-5, length=L, seed=0):
    return (scale * np.random.default_rng(seed).standard_normal((n, length))).astype(np.float32)


def snr_of(clean, noisy):
    noise = noisy.astype(np.float64) - clean
    return 10 * np.log10((clean.astype(np.float64) ** 2).sum(1) / (noise**2).sum(1))


@settings(max_examples=40, deadline=None)
@given(
    snr_db=st.floats(-30, 30),  # above, float32's rounding of the stored sum alone reaches 1e-6 dB
    n_kinds=st.integers(1, 5),
    exponent=st.integers(-7, 3),
    seed=st.integers(0, 10**6),
)
def test_exact_rule_realises_the_total_snr_in_the_stored_samples(library, snr_db, n_kinds, exponent, seed):
    clean = clean_signals(4, 10.0**exponent, seed=seed)
    recipe = draw(library, snr_db, n_kinds, 4, tag=str(seed))
    noisy, gain = mixing.mix_recipes(clean, recipe, library, snr_db, "exact", -5.0)
    assert noisy.dtype == np.float32
    np.testing.assert_allclose(snr_of(clean, noisy), snr_db, atol=1e-6, rtol=0)
    assert ((gain > 0) == recipe.kinds).all()


@settings(max_examples=40, deadline=None)
@given(snr_db=st.floats(-40, 40), mask=st.integers(1, 31), energy=st.floats(1e-12, 1e3))
def test_component_energies_add_up_and_white_noise_keeps_its_floor(snr_db, mask, energy):
    kinds = np.array([[bool(mask >> i & 1) for i in range(5)]])
    if kinds.sum() == 1 and kinds[0, WGN] and snr_db < -5:
        with pytest.raises(ValueError, match="alone below its floor"):
            mixing.component_energies(energy, snr_db, kinds, -5.0)
        return
    parts = mixing.component_energies(energy, snr_db, kinds, -5.0)[0]
    total = energy / 10 ** (snr_db / 10)
    assert parts.sum() == pytest.approx(total, rel=1e-9)
    assert (parts[~kinds[0]] == 0).all()
    if kinds[0, WGN]:
        wgn_db = 10 * np.log10(energy / parts[WGN])
        assert wgn_db >= -5 - 1e-9
        share_db = snr_db + 10 * np.log10(kinds.sum())
        assert wgn_db == pytest.approx(max(share_db, -5.0), abs=1e-9)
    others = parts[kinds[0] & (np.arange(5) != WGN)]
    if others.size:
        np.testing.assert_allclose(others, others[0], rtol=1e-12)


def test_published_rule_scales_components_alone(library):
    """k = 1: the SNR is exact; k > 1: component energies are, and the total is nominal (pitfall 6)."""
    clean = clean_signals(50)
    one = draw(library, 0.0, 1, 50)
    noisy, _ = mixing.mix_recipes(clean, one, library, 0.0, "published", -5.0)
    np.testing.assert_allclose(snr_of(clean, noisy), 0.0, atol=1e-6)

    five = draw(library, -10.0, 5, 50)
    noisy, gain = mixing.mix_recipes(clean, five, library, -10.0, "published", -5.0)
    for row in range(50):
        energies = [
            float(((gain[row, j] * library.segment(kind, five.piece[row, j], five.offset[row, j], L)) ** 2).sum())
            for j, kind in enumerate(BENCHMARK_KINDS)
        ]
        expected = (clean[row].astype(np.float64) ** 2).sum() / 10**-1.0
        assert sum(energies) == pytest.approx(expected, rel=1e-6)
    realised = snr_of(clean, noisy)
    assert np.abs(realised + 10).max() > 0.01
    assert abs(realised.mean() + 10) < 0.2


def test_the_sum_is_what_numpy_gives(library):
    """An independent sum, kind by kind, in float64."""
    clean = clean_signals(30)
    recipe = draw(library, -15.0, 4, 30)
    noisy, gain = mixing.mix_recipes(clean, recipe, library, -15.0, "exact", -5.0)
    expected = clean.astype(np.float64)
    for row, j in zip(*np.nonzero(recipe.kinds), strict=True):
        excerpt = library.segment(BENCHMARK_KINDS[j], recipe.piece[row, j], recipe.offset[row, j], L)
        expected[row] += gain[row, j] * excerpt.astype(np.float64)
    np.testing.assert_array_equal(noisy, expected.astype(np.float32))


@pytest.mark.parametrize("rule", ["exact", "published"])
@pytest.mark.parametrize("length", [3, 7, 500, 2000])
def test_rebuild_is_bit_for_bit(library, rule, length):
    clean = clean_signals(40, length=length)
    snr_db = np.random.default_rng(1).choice(GRID_DB, 40)
    n_kinds = np.random.default_rng(2).integers(1, 6, 40)
    generators = (generator(1, "mix", "r", f"s{i}") for i in range(40))
    recipe = mixing.draw_recipes(generators, snr_db, n_kinds, library, length, -5.0)
    noisy, gain = mixing.mix_recipes(clean, recipe, library, snr_db, rule, -5.0)
    again = mixing.rebuild(clean, recipe, gain, library)
    assert again.tobytes() == noisy.tobytes()
    one = mixing.Recipe(recipe.kinds[5:6], recipe.piece[5:6], recipe.offset[5:6])
    assert mixing.rebuild(clean[5:6], one, gain[5:6], library).tobytes() == noisy[5:6].tobytes()


def test_a_mixture_does_not_depend_on_its_neighbours_or_on_the_unit(library):
    clean = clean_signals(10)
    recipe = draw(library, -15.0, 3, 10)
    noisy, _ = mixing.mix_recipes(clean, recipe, library, -15.0, "exact", -5.0)
    for row in range(10):
        alone = mixing.Recipe(*(a[row : row + 1] for a in (recipe.kinds, recipe.piece, recipe.offset)))
        by_itself, _ = mixing.mix_recipes(clean[row : row + 1], alone, library, -15.0, "exact", -5.0)
        assert by_itself.tobytes() == noisy[row : row + 1].tobytes()
    for factor in (2.0**10, 2.0**20):  # about millivolts and microvolts, exact in binary
        scaled, _ = mixing.mix_recipes(clean * np.float32(factor), recipe, library, -15.0, "exact", -5.0)
        np.testing.assert_array_equal(scaled, noisy * np.float32(factor))
    for factor in (1e3, 1e6):
        scaled, _ = mixing.mix_recipes((clean * factor).astype(np.float32), recipe, library, -15.0, "exact", -5.0)
        np.testing.assert_allclose(scaled, noisy * factor, rtol=1e-5, atol=1e-7 * factor * np.abs(noisy).max())


def test_seeds_are_unique_over_segments_snr_and_kinds():
    """Pitfall 7: the published seeds collide for segment i at SNR s and segment i + 1 at s - 10."""
    names = itertools.product(range(400), GRID_DB, range(1, 6))
    keys = {spawn_key("mix", "grid", f"s{i}", s, k) for i, s, k in names}
    assert len(keys) == 400 * 7 * 5


def test_draws_are_uniform_without_replacement_and_white_noise_stays_out_alone_below_the_floor(library):
    three = draw(library, 0.0, 3, 4000)
    assert (three.kinds.sum(axis=1) == 3).all()
    np.testing.assert_allclose(three.kinds.mean(axis=0), 0.6, atol=0.03)  # 4 standard errors
    used = three.piece[three.kinds]
    np.testing.assert_allclose(np.bincount(used, minlength=4) / used.size, 0.25, atol=0.02)
    offsets = three.offset[three.kinds] / (20_000 - L)
    assert offsets.min() < 0.01
    assert offsets.max() > 0.99
    assert abs(offsets.mean() - 0.5) < 0.02
    assert (three.piece[~three.kinds] == -1).all()
    assert (three.offset[~three.kinds] == -1).all()

    alone = draw(library, -5.1, 1, 2000)
    assert not alone.kinds[:, WGN].any()
    np.testing.assert_allclose(alone.kinds[:, [0, 1, 2, 4]].mean(axis=0), 0.25, atol=0.04)
    assert draw(library, -5.0, 1, 500).kinds[:, WGN].any()
    assert draw(library, -15.0, 1, 500, floor_db=None).kinds[:, WGN].any()
    assert draw(library, -15.0, 5, 5).kinds.all()


def test_drawable_names_kinds():
    assert mixing.drawable(-10, 1, -5.0, BENCHMARK_KINDS) == ("PLI", "ECG", "MOA", "Color")
    assert mixing.drawable(-10, 2, -5.0, BENCHMARK_KINDS) == BENCHMARK_KINDS
    assert mixing.drawable(-10, 1, None, ["WGN"]) == ("WGN",)
    assert mixing.drawable(-5, 1, -5.0, ["WGN", "PLI"]) == ("PLI", "WGN")


def test_every_offset_fits_pieces_of_any_length():
    """Pieces exactly as long as a mixture have one offset."""
    library = NoiseLibrary({"PLI": [np.ones(L), np.ones(L + 1)], "MOA": [np.ones(L)]})
    recipe = draw(library, 0.0, 2, 200)
    assert set(recipe.offset[:, 2]) == {0}
    assert set(recipe.offset[recipe.piece[:, 0] == 1, 0]) == {0, 1}


def test_silent_signals_are_item_errors_that_name_the_mixture(library):
    clean = clean_signals(3)
    clean[1] = 0
    recipe = draw(library, 0.0, 2, 3)
    assert list(mixing.unmixable(clean, recipe, library)) == [1]
    with pytest.raises(ItemError, match="seg_b: the clean segment is all zero"):
        mixing.mix_recipes(clean, recipe, library, 0.0, "exact", -5.0, names=["seg_a", "seg_b", "seg_c"])
    clean[1, 5] = np.nan
    with pytest.raises(ItemError, match="not finite"):
        mixing.mix_recipes(clean, recipe, library, 0.0, "exact", -5.0)

    gap = np.ones(20_000)
    gap[:10_000] = 0
    quiet = NoiseLibrary({"MOA": [gap]}, names={"MOA": ["em_gap"]})
    recipe = mixing.Recipe(
        np.eye(5, dtype=bool)[[2]], np.where(np.eye(5)[[2]], 0, -1), np.where(np.eye(5)[[2]], 17, -1)
    )
    with pytest.raises(ItemError, match=r"a: noise 'em_gap' \(MOA\) is silent from sample 17"):
        mixing.mix_recipes(clean_signals(1), recipe, quiet, 0.0, "exact", -5.0, names=["a"])


def test_noise_that_cancels_is_an_item_error():
    x = np.random.default_rng(0).standard_normal(L)
    library = NoiseLibrary({"PLI": [x], "ECG": [-x]})
    recipe = draw(library, 0.0, 2, 1)
    with pytest.raises(ItemError, match="cancel"):
        mixing.mix_recipes(clean_signals(1), recipe, library, 0.0, "exact", -5.0)


def test_what_a_library_cannot_give_is_said(library):
    few = NoiseLibrary({"WGN": [np.ones(L)], "PLI": [np.ones(L)]})
    with pytest.raises(UserError, match=r"3 kinds at 0 dB, but only 2 can be drawn \(PLI, WGN\)"):
        draw(few, 0.0, 3, 1)
    with pytest.raises(UserError, match=r"1 kinds at -10 dB, but only 0 can be drawn \(none\)"):
        draw(NoiseLibrary({"WGN": [np.ones(L)]}), -10.0, 1, 1)
    with pytest.raises(UserError, match=r"PLI, WGN are shorter than a mixture of 2001 samples"):
        draw(few, 0.0, 1, 1, length=L + 1)
    recipe = draw(library, 0.0, 1, 1)
    with pytest.raises(ValueError, match="expected one of exact, published, first_commit"):
        mixing.mix_recipes(clean_signals(1), recipe, library, 0.0, "nominal", -5.0)
    with pytest.raises(IndexError, match="not in this library"):
        mixing.rebuild(clean_signals(1), recipe, np.ones((1, 5)), NoiseLibrary({}))


def test_the_first_commits_rule_has_no_white_noise_below_its_floor_and_equal_energies(library):
    clean = clean_signals(60)
    for snr_db in GRID_DB:
        for n_kinds in (1, 2, 4):
            generators = (generator(1, "first", i, float(snr_db), n_kinds) for i in range(60))
            recipe = mixing.draw_recipes(
                generators, snr_db, n_kinds, library, L, -5.0, rule="first_commit"
            )  # fmt: skip
            assert recipe.kinds.sum(axis=1).tolist() == [n_kinds] * 60
            assert recipe.kinds[:, WGN].any() == (snr_db >= -5)
            _, gain = mixing.mix_recipes(clean, recipe, library, snr_db, "first_commit", -5.0)
            for row in range(5):
                total = (clean[row].astype(np.float64) ** 2).sum() / 10 ** (snr_db / 10)
                for j in np.flatnonzero(recipe.kinds[row]):
                    excerpt = library.segment(BENCHMARK_KINDS[j], recipe.piece[row, j], recipe.offset[row, j], L)
                    energy = float(((gain[row, j] * excerpt.astype(np.float64)) ** 2).sum())
                    assert energy == pytest.approx(total / n_kinds, rel=1e-6)  # no floor


def test_the_first_commits_rule_fills_33_cells():
    cells = [
        (snr_db, k)
        for snr_db in GRID_DB
        for k in (1, 2, 3, 4, 5)
        if len(mixing.drawable(snr_db, k, -5.0, BENCHMARK_KINDS, "first_commit")) >= k
    ]
    assert len(cells) == 33
    assert {(-15.0, 5), (-10.0, 5)}.isdisjoint(cells)
    published = [len(mixing.drawable(s, k, -5.0, BENCHMARK_KINDS, "published")) for s in GRID_DB for k in (1, 5)]
    assert published == [4, 5, 4, 5, *[5] * 10]
