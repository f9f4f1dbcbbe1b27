"""Kinds beyond the benchmark's five: they change nothing where they are not used, and are drawn where they are."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cleansemg.core.errors import UserError
from cleansemg.core.seeding import branch, generator
from cleansemg.noise import mixing
from cleansemg.noise.files import NoiseFiles
from cleansemg.noise.kinds import BENCHMARK_KINDS, columns_of, known_kinds, named_columns, names_in
from cleansemg.noise.labels import NoiseLabels, parse_labels
from cleansemg.noise.pool import NoiseLibrary
from cleansemg.noise.settings import Noise

# SHA-256 of the bytes that the code at commit a165c34 drew and mixed, when the five kinds were a closed list.
DRAWS = "69e30e0d53b25573b605bbb808a64ea7f1a6bda731db6542aae5a8f80058dbd0"
FILE_DRAWS = "7822879bdebf0d4fb59f4a96a6f11a8d58aba996eea041ab184fd8a27d19b6ef"
MIXTURES = "402c3665ce656932614d6cea7e2ae3106d9417cf573503571d9cb49acd04eda8"


def pieces(*others):
    rng = np.random.default_rng(7)
    five = {kind: [10.0**i * rng.standard_normal(20_000 + 100 * i) for i in range(4)] for kind in BENCHMARK_KINDS}
    return five | {kind: [rng.standard_normal(20_000) for _ in range(3)] for kind in others}


@pytest.fixture(scope="module")
def five():
    return NoiseLibrary(pieces(), line_hz={"PLI": [50.1, 49.9, 60.2, 59.8]})


@pytest.fixture(scope="module")
def six():
    return NoiseLibrary(pieces("baseline"))


def sha256(*arrays):
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def cells():
    return [(f"seg{i}", snr, k) for i in range(20) for snr in (-15.0, 0.0, 15.0) for k in (1, 2, 3, 4, 5)]


def drawn(library, conditions, floor_db=-5.0):
    generators = [generator(2025, "mix", "grid", *condition) for condition in conditions]
    _, snr_db, n_kinds = zip(*conditions, strict=True)
    return mixing.draw_recipes(generators, snr_db, n_kinds, library, 2000, floor_db), list(snr_db)


def test_the_five_kinds_are_drawn_and_mixed_as_before_there_were_others(five):
    recipe, snr_db = drawn(five, cells())
    assert sha256(recipe.kinds, recipe.piece, recipe.offset) == DRAWS
    files = NoiseFiles({"ECG": 0, "PLI": 6, "ECG+PLI+MOA": 4}, five, "mix.files")
    generators = [generator(2025, "mix", "grid", f"seg{i}", 0.0, "draw", draw) for i in range(50) for draw in (0, 1)]
    of_files = files.recipes(generators, np.arange(100) % len(files), 2000)
    assert sha256(of_files.kinds, of_files.piece, of_files.offset) == FILE_DRAWS
    clean = np.random.default_rng(1).standard_normal((300, 2000)).astype(np.float32)
    noisy, _ = mixing.mix_recipes(clean, recipe, five, snr_db, "exact", -5.0)
    assert sha256(noisy) == MIXTURES


@settings(max_examples=30, deadline=None)
@given(
    st.sets(st.sampled_from(BENCHMARK_KINDS), min_size=1).flatmap(
        lambda kinds: st.tuples(st.just(kinds), st.integers(1, len(kinds)))
    ),
    st.integers(0, 2**31),
)
def test_another_kind_shifts_no_number_of_the_five(used, seed):
    """Where the sixth kind is in the library and does not win, the recipe is the one without it."""
    kinds, k = used
    generators = [[generator(seed, "x", i) for i in range(10)] for _ in range(2)]
    library = {kind: of_kind for kind, of_kind in pieces("zzz").items() if kind in kinds or kind == "zzz"}
    with_it = mixing.draw_recipes(generators[0], 0.0, k, NoiseLibrary(library), 2000, None)
    del library["zzz"]
    without = mixing.draw_recipes(generators[1], 0.0, k, NoiseLibrary(library), 2000, None)
    rows = ~with_it.kinds[:, 5]
    for name in ("kinds", "piece", "offset"):
        assert (getattr(with_it, name)[rows, :5] == getattr(without, name)[rows]).all()
    assert [rng.random() for rng in generators[0]] == [rng.random() for rng in generators[1]]


def test_what_is_installed_changes_nothing(five, monkeypatch):
    """Draws know the kinds of the library alone: one more in the registry leaves every byte as it is."""
    before, _ = drawn(five, cells())
    monkeypatch.setattr("cleansemg.noise.kinds.known_kinds", lambda: (*BENCHMARK_KINDS, "aaa", "baseline"))
    after, _ = drawn(NoiseLibrary(pieces()), cells())
    assert sha256(after.kinds, after.piece, after.offset) == sha256(before.kinds, before.piece, before.offset) == DRAWS


def test_a_sixth_kind_is_drawn_as_often_as_the_others(six):
    recipe, _ = drawn(six, [(f"s{i}", 0.0, 2) for i in range(3000)])
    assert recipe.kinds.shape == (3000, 6)
    assert (recipe.kinds.sum(axis=1) == 2).all()
    np.testing.assert_allclose(recipe.kinds.mean(axis=0), 2 / 6, atol=0.03)
    assert sorted(set(recipe.piece[recipe.kinds[:, 5], 5])) == [0, 1, 2]


def test_two_other_kinds_do_not_shift_each_other():
    one, two = NoiseLibrary(pieces("baseline")), NoiseLibrary(pieces("baseline", "aaa"))
    assert two.columns == (*BENCHMARK_KINDS, "aaa", "baseline")
    numbers = [
        mixing.uniform_numbers([generator(1, "x")], library.columns, 3)[0, :, library.columns.index("baseline")]
        for library in (one, two)
    ]
    assert (numbers[0] == numbers[1]).all()
    blocks = [mixing.uniform_numbers([generator(1, "x")], one.columns, 3, block)[0, :, 5] for block in (0, 1)]
    assert (blocks[0] != blocks[1]).all()


def test_mixtures_with_six_kinds_have_their_snr_and_are_rebuilt(six):
    recipe, snr_db = drawn(six, [(f"s{i}", -10.0, 6) for i in range(20)])
    clean = np.random.default_rng(1).standard_normal((20, 2000)).astype(np.float32)
    noisy, gain = mixing.mix_recipes(clean, recipe, six, snr_db, "exact", -5.0)
    noise = noisy.astype(np.float64) - clean
    got = 10 * np.log10(np.sum(clean.astype(np.float64) ** 2, axis=1) / np.sum(noise**2, axis=1))
    np.testing.assert_allclose(got, -10.0, atol=1e-4)
    assert (mixing.rebuild(clean, recipe, gain, six) == noisy).all()


def test_a_branch_depends_on_names_alone():
    parent = generator(3, "a")
    first = branch(parent, "kind", "hum", 0).random(4)
    parent.random(17)
    assert (branch(parent, "kind", "hum", 0).random(4) == first).all()
    assert (branch(parent, "kind", "hum", 1).random(4) != first).all()
    assert (branch(generator(4, "a"), "kind", "hum", 0).random(4) != first).all()
    with pytest.raises(TypeError, match="no names to branch from"):
        branch(np.random.Generator(np.random.PCG64(NoNames())), "x")


class NoNames(np.random.bit_generator.ISeedSequence):
    """What has no entropy to branch from."""

    def generate_state(self, n_words, dtype=np.uint32):
        return np.arange(n_words, dtype=dtype)


def test_columns_have_names():
    assert known_kinds() == (*BENCHMARK_KINDS, "baseline")
    assert columns_of(["Color", "b", "a", "b"]) == (*BENCHMARK_KINDS, "a", "b")
    assert named_columns(BENCHMARK_KINDS, 3) == {}
    table = named_columns(columns_of(["hum"]), 3)
    assert table["kind_names"].shape == (3, 6)
    assert names_in(table) == (*BENCHMARK_KINDS, "hum")
    assert names_in({}) == BENCHMARK_KINDS


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"ECGG": [{"source": "ecg_ecgsyn"}]}, "no kind of noise is called 'ECGG'; did you mean 'ECG'?"),
        ({"hum": []}, "no kind of noise is called 'hum'"),
        ({"a+b": [{"source": "x:Y"}]}, "'a\\+b' is not a name of a kind"),
    ],
)
def test_a_misspelt_kind_is_an_error(kinds, message):
    with pytest.raises(ValidationError, match=message):
        Noise.model_validate({"kinds": kinds})


def test_a_kind_from_outside_needs_sources_from_outside():
    assert list(Noise.model_validate({"kinds": {"hum": [{"source": "my.hum:Hum"}]}}).kinds) == ["hum"]


def test_files_of_a_sixth_kind(six, five):
    files = NoiseFiles({"baseline": 0, "ECG+baseline": 2}, six, "mix.files")
    recipe = files.recipes([generator(1, "m", i) for i in range(5)], np.arange(5), 2000)
    assert recipe.kinds[:, 5].all()
    assert recipe.piece[:3, 5].tolist() == [0, 1, 2]
    with pytest.raises(UserError, match=r"has no baseline; add noise\.kinds\.baseline"):
        NoiseFiles({"baseline": 0}, five, "mix.files")


def test_labels_go_to_the_columns_that_a_denoiser_knows():
    labels = parse_labels(["ECG+baseline", "WGN"], 2)
    assert labels.names == (*BENCHMARK_KINDS, "baseline")
    known = labels.for_kinds(BENCHMARK_KINDS)
    assert known.kinds.shape == (2, 5)
    assert known.others == (frozenset({"baseline"}), frozenset())
    assert known.has("baseline").tolist() == [True, False]
    assert known.has("ECG").tolist() == [True, False]
    assert known.has("hum").tolist() == [False, False]
    assert known[1:].others == (frozenset(),)
    assert known.for_kinds(("baseline", "WGN")).kinds.tolist() == [[True, False], [False, True]]
    assert known.for_kinds(("baseline", "WGN")).others == (frozenset({"ECG"}), frozenset())
    of_five = NoiseLabels(np.eye(5, dtype=bool), np.full(5, np.nan))
    assert of_five.for_kinds(BENCHMARK_KINDS) is of_five
