"""The stage that makes libraries, and the library for consumers: arrays, disjointness, errors, published layout."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from scipy.signal import welch

from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import ArtifactError, ItemError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.settings import PARTS
from cleansemg.core.stage import RunOptions
from cleansemg.noise import library as stage
from cleansemg.noise.base import NoiseSource, Piece, Request
from cleansemg.noise.kinds import BENCHMARK_KINDS
from cleansemg.noise.library import SCHEMA, NoiseLibrary, build_libraries
from cleansemg.settings import Settings

SMALL = {"train": 3, "valid": 2, "test": 2}


def settings(kinds, root="${DATA_ROOT}", **noise):
    return Settings.model_validate(
        {
            "config_file": "x.yaml",
            "paths": {"data_root": str(root)},
            "noise": {"piece_s": 12.0, "kinds": kinds, **noise},
        }
    )


def generated(**more):
    names = {"PLI": "pli", "WGN": "wgn", "Color": "color", "MOA": "moa_simulated"}
    return {kind: [{"source": name, "pieces": SMALL}] for kind, name in names.items()} | more


def build(tmp_path, config, **options):
    return build_libraries(config, Layout(tmp_path), RunOptions(**options))


class Leaky(NoiseSource):
    """One record for all parts."""

    kind = "WGN"

    def __init__(self, records: dict[str, str] | None = None) -> None:
        self.records = records or {}

    def pieces(self, request: Request) -> Iterator[Piece]:
        rng = np.random.default_rng(len(request.part))
        record = self.records.get(request.part, "r1")
        yield Piece(rng.standard_normal(request.piece_samples), "r1", record)


class Sick(NoiseSource):
    """A good piece, one that cannot be read, one of NaN, one silent, and another good one."""

    kind = "Color"

    def __init__(self, good: bool = True) -> None:
        self.good = good

    def pieces(self, request: Request) -> Iterator[Piece]:
        return map(partial(self._piece, request=request), ["a", "unreadable", "nan", "silent", "b"])

    def _piece(self, name: str, request: Request) -> Piece:
        if name == "unreadable" or (not self.good and len(name) == 1):
            raise ItemError(f"{name}: broken")
        fill = {"nan": np.nan, "silent": 0.0}.get(name)
        rng = np.random.default_rng(ord(name[0]))
        samples = rng.standard_normal(request.piece_samples) if fill is None else np.full(request.piece_samples, fill)
        return Piece(samples, name, f"{request.part}/{name}")


HERE = f"{__name__}:"


def test_libraries_of_three_parts(tmp_path):
    report = build(tmp_path, settings(generated()))
    assert report.n_failures == 0
    assert report.lines[0].startswith("train: PLI 3, MOA 3, WGN 3, Color 3 pieces")
    for part in PARTS:
        library = NoiseLibrary.open(Layout(tmp_path).noise(part))
        assert library.kinds == ("PLI", "MOA", "WGN", "Color")
        assert library.piece_names("PLI") == tuple(f"PLI_{i:03d}" for i in range(SMALL[part]))
        assert library.piece_names("ECG") == ()
        assert np.isfinite(library.line_hz("PLI")).all()
        assert np.isnan(library.line_hz("WGN")).all()
        x = library.segment("WGN", 1, 500, 10_000)
        assert x.dtype == np.float32
        f_hz, power = welch(x, 1000.0, nperseg=2000)
        assert power[(f_hz > 1) & (f_hz < 5)].max() < 1e-4 * np.median(power), "band-passed from 20 Hz"
    again = build(tmp_path, settings(generated()))
    assert again.lines == report.lines


def test_arrays_of_a_shard(tmp_path):
    build(tmp_path, settings(generated()))
    artifact = Artifact.open(Layout(tmp_path).noise("train"), SCHEMA)
    assert [shard.name for shard in artifact.manifest.shards] == [
        "PLI_0_pli", "MOA_0_moa_simulated", "WGN_0_wgn", "Color_0_color",
    ]  # fmt: skip
    arrays = artifact.load("Color_0_color")
    assert set(arrays) == {"noise", "name", "record", "subtype", "line_hz", "kind"}
    assert arrays["noise"].shape == (3, 12_000)
    assert arrays["noise"].dtype == np.float32
    assert set(arrays["subtype"]) <= {"pink", "brown"}
    assert artifact.manifest.info["fs_hz"] == 1000.0


def test_bytes_do_not_depend_on_workers_and_a_resumed_run_is_the_same(tmp_path):
    build(tmp_path / "one", settings(generated()))
    build(tmp_path / "two", settings(generated()), workers=2)
    folder = Layout(tmp_path / "two").noise("test")
    (folder / "WGN_0_wgn.npz").unlink()
    (folder / "manifest.json").unlink()
    build(tmp_path / "two", settings(generated()))
    for part in PARTS:
        for path in Layout(tmp_path / "one").noise(part).iterdir():
            assert path.read_bytes() == (Layout(tmp_path / "two").noise(part) / path.name).read_bytes(), path


def test_without_a_band_noise_stays_as_it_comes(tmp_path):
    build(tmp_path, settings({"WGN": [{"source": "wgn", "pieces": SMALL}]}, band_hz=None))
    x = NoiseLibrary.open(Layout(tmp_path).noise("train")).flat
    f_hz, power = welch(x, 1000.0, nperseg=2000)
    assert power[(f_hz > 1) & (f_hz < 10)].mean() == pytest.approx(power[(f_hz > 100) & (f_hz < 400)].mean(), rel=0.3)


def test_recordings_in_a_library(tmp_path, write_record):
    rng = np.random.default_rng(0)
    for name in ("a1", "a2", "a3"):
        write_record(tmp_path / "data" / "ecg", name, rng.standard_normal((250 * 15, 1)), 250.0)
    kinds = {"ECG": [{"source": "ecg_wfdb", "folder": "ecg", "pieces": SMALL}]}
    config = settings(kinds, tmp_path / "data", piece_s=200.0)
    build(tmp_path / "out", config)
    library = NoiseLibrary.open(Layout(tmp_path / "out").noise("test"))
    assert library.piece_lengths("ECG").tolist() == [15_000], "cut down to what the record has"
    write_record(tmp_path / "data" / "ecg", "a1", rng.standard_normal((250 * 15, 1)), 250.0)
    with pytest.raises(ArtifactError, match="from other inputs"):
        build(tmp_path / "out", config)


def test_broken_records_are_failures_and_the_rest_is_kept(tmp_path):
    report = build(tmp_path, settings({"Color": [{"source": f"{HERE}Sick", "pieces": SMALL}]}))
    assert report.n_failures == 9
    folder = Layout(tmp_path).noise("train")
    assert NoiseLibrary.open(folder).piece_names("Color") == ("a", "b")
    text = (folder / "failures.csv").read_text()
    assert "noise.kinds.Color[0],unreadable: broken" in text
    assert "nan: holds values that are not finite" in text
    assert "silent: is silent" in text


def test_a_kind_without_any_piece_is_an_error_and_looks_unfinished(tmp_path):
    kinds = generated(Color=[{"source": f"{HERE}Sick", "pieces": SMALL, "parameters": {"good": False}}])
    with pytest.raises(UserError, match=r"noise.kinds.Color: no piece for train: a: broken"):
        build(tmp_path, settings(kinds))
    with pytest.raises(ArtifactError, match=r"unfinished; run: cleansemg run --stages noise"):
        NoiseLibrary.open(Layout(tmp_path).noise("train"))


@pytest.mark.parametrize(
    ("records", "clash"),
    [
        ({}, True),
        ({"train": "em@0-60s", "valid": "em@60-80s", "test": "em@80-100s"}, False),
        ({"train": "em@0-60s", "valid": "em@60-80s", "test": "em@79-100s"}, True),
        ({"train": "em@0-90s", "valid": "bw@60-80s", "test": "em@30-40s"}, True),
        ({"train": "em", "valid": "bw", "test": "em@30-40s"}, True),
        ({"train": "em", "valid": "bw", "test": "ma"}, False),
    ],
)
def test_records_in_two_parts_are_refused(tmp_path, records, clash):
    kinds = {"WGN": [{"source": f"{HERE}Leaky", "pieces": SMALL, "parameters": {"records": records}}]}
    if not clash:
        build(tmp_path, settings(kinds))
        return
    with pytest.raises(UserError, match=r"noise record '(em|r1)' serves (train|valid|test) and (train|valid|test)"):
        build(tmp_path, settings(kinds))
    assert not list(tmp_path.rglob("manifest.json"))


def test_two_sources_of_a_kind_need_two_prefixes(tmp_path):
    two = [{"source": "pli", "pieces": SMALL, "parameters": {"lines_hz": [hz]}} for hz in (50.0, 60.0)]
    with pytest.raises(UserError, match=r"PLI\[1\]: piece 'PLI_000' of noise.kinds.PLI\[0\] has the same name.*prefix"):
        build(tmp_path, settings({"PLI": two}))
    two[1]["parameters"]["prefix"] = "PLI60"
    build(tmp_path, settings({"PLI": two}), force=True)
    library = NoiseLibrary.open(Layout(tmp_path).noise("train"))
    assert library.piece_names("PLI")[3] == "PLI60_000"
    np.testing.assert_allclose(library.line_hz("PLI"), [50] * 3 + [60] * 3, atol=0.3)


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({}, r"x.yaml: noise.kinds is empty"),
        ({"ECG": [{"source": "ecg_wfb"}]}, r"no noise is called 'ecg_wfb'; did you mean 'ecg_wfdb'"),
        ({"ECG": [{"source": "pli"}]}, r"x.yaml: noise.kinds.ECG\[0\]: source 'pli' makes PLI, not ECG"),
        (
            {"ECG": [{"source": "ecg_wfdb"}]},
            r"noise.kinds.ECG\[0\].folder: source 'ecg_wfdb' needs a folder.*physionet",
        ),
        (
            {"MOA": [{"source": "moa_wfdb", "folder": "no"}]},
            r"noise.kinds.MOA\[0\].folder: .*no: no such folder.*nstdb",
        ),
        ({"WGN": [{"source": f"{HERE}Leaky"}]}, r"noise.kinds.WGN\[0\].pieces: no number for train, valid, test"),
        ({"MOA": [{"source": "moa_machado"}]}, r"moa_train: no such folder.*ask their authors"),
    ],
)
def test_mistakes_in_the_configuration(tmp_path, kinds, message):
    with pytest.raises(UserError, match=message):
        build(tmp_path, settings(kinds, tmp_path))


def test_an_unset_data_root_is_named(tmp_path):
    with pytest.raises(UserError, match=r"paths.data_root needs \$\{DATA_ROOT\}"):
        build(tmp_path, settings({"ECG": [{"source": "ecg_wfdb", "folder": "nsrdb"}]}))


def test_pieces_under_ten_seconds_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"WGN\[0\]: pieces of 9.0 s, needed are 10 s"):
        build(tmp_path, settings({"WGN": [{"source": "wgn"}]}, piece_s=9.0))


def test_published_layout(tmp_path):
    rng = np.random.default_rng(0)
    for root in (tmp_path / "a", tmp_path / "b" / "noise_pool"):
        for kind in BENCHMARK_KINDS:
            (root / kind).mkdir(parents=True)
            for i in range(2):
                np.save(root / kind / f"{kind}_{i}.npy", rng.standard_normal(3000).astype(np.float32))
    a, b = NoiseLibrary.open(tmp_path / "a"), NoiseLibrary.open(tmp_path / "b")
    assert a.kinds == b.kinds == BENCHMARK_KINDS
    assert a.piece_names("MOA") == ("MOA_0", "MOA_1")
    assert np.isnan(a.line_hz("PLI")).all()
    np.testing.assert_array_equal(
        a.segment("ECG", 1, 100, 2000), np.load(tmp_path / "a" / "ECG" / "ECG_1.npy")[100:2100]
    )
    assert a.fingerprint != b.fingerprint
    assert NoiseLibrary.open(tmp_path / "a") is a
    np.save(tmp_path / "a" / "ECG" / "ECG_1.npy", np.zeros(4000))
    assert NoiseLibrary.open(tmp_path / "a").piece_lengths("ECG").tolist() == [3000, 4000]
    np.save(tmp_path / "a" / "ECG" / "ECG_0.npy", np.array([{}], dtype=object))
    with pytest.raises(ArtifactError, match=r"ECG_0.npy: not a readable npy file"):
        NoiseLibrary.open(tmp_path / "a")


def test_opening_what_is_not_there(tmp_path):
    with pytest.raises(ArtifactError, match=r"run: cleansemg run --stages noise"):
        NoiseLibrary.open(tmp_path)


def test_an_altered_shard_is_found_even_when_the_library_was_open(tmp_path):
    build(tmp_path, settings({"WGN": [{"source": "wgn", "pieces": SMALL}]}))
    folder = Layout(tmp_path).noise("test")
    assert NoiseLibrary.open(folder) is NoiseLibrary.open(folder)
    path = folder / "WGN_0_wgn.npz"
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ArtifactError, match="altered"):
        NoiseLibrary.open(folder)


def test_segments_within_bounds(library):
    assert library.segment("PLI", 0, 0, 20_000).shape == (20_000,)
    with pytest.raises(ValueError, match="read-only"):
        library.segment("PLI", 0, 0, 5)[0] = 1
    for piece, offset in ((4, 0), (-1, 0), (0, 1), (0, -1)):
        with pytest.raises(IndexError):
            library.segment("PLI", piece, offset, 20_000)
    at = library.positions(np.array([[0, -1, 2, 3, -1]]), np.array([[5, -1, 6, 7, -1]]), 100)
    for kind, piece, offset, start in (("PLI", 0, 5, at[0, 0]), ("MOA", 2, 6, at[0, 2]), ("WGN", 3, 7, at[0, 3])):
        np.testing.assert_array_equal(library.flat[start : start + 100], library.segment(kind, piece, offset, 100))
    assert at[0, 1] == at[0, 4] == -1


def test_the_stage_is_a_script():
    from cleansemg.noise import noise_generator

    assert noise_generator.build_libraries is stage.build_libraries


def test_a_source_can_serve_some_parts_alone_and_is_named_in_the_manifest(tmp_path):
    """Motion of test from a second source: pieces, manifest and library say which is which."""
    motion = [
        {"source": "moa_simulated", "pieces": SMALL},
        {"source": "moa_simulated", "parts": ["test"], "pieces": {"test": 2}, "parameters": {"prefix": "second"}},
    ]
    build(tmp_path, settings({"MOA": motion}))
    for part in PARTS:
        library, info = (
            NoiseLibrary.open(Layout(tmp_path).noise(part)),
            Artifact.open(Layout(tmp_path).noise(part), SCHEMA),
        )
        names = library.piece_names("MOA")
        assert [name for name in names if name.startswith("second")] == (
            ["second_000", "second_001"] if part == "test" else []
        )
        assert library.piece_sources("MOA") == ("moa_simulated",) * len(names)
        shards = ["MOA_0_moa_simulated"] + (["MOA_1_moa_simulated"] if part == "test" else [])
        assert list(info.manifest.info["sources"]) == shards


def test_a_kind_of_one_part_is_in_no_other_library(tmp_path):
    kinds = generated(baseline=[{"source": "baseline", "parts": ["test"]}])
    report = build(tmp_path, settings(kinds))
    assert [NoiseLibrary.open(Layout(tmp_path).noise(p)).kinds for p in PARTS] == [
        ("PLI", "MOA", "WGN", "Color"), ("PLI", "MOA", "WGN", "Color"), ("PLI", "MOA", "WGN", "Color", "baseline"),
    ]  # fmt: skip
    assert "baseline 10 pieces" in report.lines[2]


@pytest.mark.parametrize("parts", [["tests"], [], ["out_of_domain"]])
def test_parts_that_a_source_cannot_serve_are_refused(parts):
    with pytest.raises(ValueError, match=r"parts"):
        settings({"WGN": [{"source": "wgn", "parts": parts}]})
