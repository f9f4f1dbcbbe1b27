"""Generated noise: line frequency, spectral slopes, unit standard deviation, heart rate, reproducibility."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import find_peaks, welch

from cleansemg.core import dsp, registry
from cleansemg.core.errors import UserError
from cleansemg.noise.base import Request
from cleansemg.noise.color import Coloured, power_law_noise
from cleansemg.noise.ecg_ecgsyn import EcgSyn
from cleansemg.noise.moa_simulated import MotionSimulated
from cleansemg.noise.pli import PowerLine
from cleansemg.noise.wgn import WhiteGaussian

FS = 1000.0


def request(n=4, piece_s=60.0, part="train", seed=2025, fs_hz=FS):
    return Request(part, n, fs_hz, piece_s, seed, None)


CASES = [
    (source, fs_hz) for source in (PowerLine(), WhiteGaussian(), Coloured(), MotionSimulated()) for fs_hz in (FS, 500.0)
]


@pytest.fixture(scope="module")
def synthetic_ecg():
    return list(EcgSyn().pieces(request(3, 40.0)))


@pytest.mark.parametrize(("source", "fs_hz"), [*CASES, (EcgSyn(), 500.0)], ids=lambda c: getattr(c, "kind", str(c)))
def test_pieces_are_as_asked_for_and_reproducible(source, fs_hz):
    asked = request(2, 10.0, fs_hz=fs_hz)
    first, again = list(source.pieces(asked)), list(source.pieces(asked))
    assert [p.name for p in first] == [p.name for p in again]
    for a, b in zip(first, again, strict=True):
        assert a.samples.shape == (round(10 * fs_hz),)
        assert a.samples.tobytes() == b.samples.tobytes()
        assert np.isfinite(a.samples).all()
    assert len({p.name for p in first}) == 2
    more = list(source.pieces(request(3, 10.0, fs_hz=fs_hz)))
    assert more[1].samples.tobytes() == first[1].samples.tobytes(), "a piece depends on how many are made"
    other = [
        next(iter(source.pieces(request(1, 10.0, part, seed, fs_hz)))) for part, seed in (("test", 2025), ("train", 1))
    ]
    for piece in other:
        assert not np.array_equal(piece.samples, first[0].samples)
    assert other[0].record != first[0].record


@pytest.mark.parametrize("source", [PowerLine(), WhiteGaussian(), Coloured(), MotionSimulated()], ids=lambda s: s.kind)
def test_unit_standard_deviation(source):
    for piece in source.pieces(request()):
        assert piece.samples.std() == pytest.approx(1.0, abs=0.02)
        assert abs(piece.samples.mean()) < 0.02


def test_power_line_is_where_it_says():
    lines = []
    for piece in PowerLine().pieces(request(30, 100.0)):
        n = len(piece.samples)
        amplitude = np.abs(np.fft.rfft(piece.samples * np.hanning(n), 8 * n))
        f_hz = np.fft.rfftfreq(8 * n, 1 / FS)
        assert f_hz[amplitude.argmax()] == pytest.approx(piece.line_hz, abs=0.002)
        peaks = np.array([amplitude[np.abs(f_hz - k * piece.line_hz).argmin()] for k in range(1, 6)])
        np.testing.assert_allclose(peaks / peaks[0], 1 / np.arange(1, 6), rtol=0.02)
        lines.append(piece.line_hz)
    deviation = np.minimum(np.abs(np.array(lines) - 50), np.abs(np.array(lines) - 60))
    assert deviation.max() <= 0.3
    assert deviation.max() > 0.15
    assert 0.2 < np.mean(np.array(lines) > 55) < 0.8


def test_harmonics_above_half_the_rate_are_left_out():
    piece = next(iter(PowerLine(lines_hz=[60.0], deviation_hz=0.0).pieces(request(1, 20.0, fs_hz=250.0))))
    f_hz, power = welch(piece.samples, 250.0, nperseg=2500)
    lines = set(f_hz[power > power.max() * 1e-3].round())
    assert lines == {60.0, 120.0}


@pytest.mark.parametrize(("colour", "alpha"), [("pink", 1.0), ("brown", 2.0)])
def test_slope_of_coloured_noise(colour, alpha):
    for piece in Coloured([colour]).pieces(request(2, 200.0)):
        assert piece.subtype == colour
        assert piece.name.endswith(colour)
        f_hz, power = welch(piece.samples, FS, nperseg=8192)
        band = (f_hz > 5) & (f_hz < 400)
        slope = np.polyfit(np.log10(f_hz[band]), np.log10(power[band]), 1)[0]
        assert slope == pytest.approx(-alpha, abs=0.03)


def test_both_colours_are_drawn():
    assert {p.subtype for p in Coloured().pieces(request(12, 1.0))} == {"pink", "brown"}


def test_white_noise_is_white_and_normal():
    x = next(iter(WhiteGaussian().pieces(request(1, 200.0)))).samples
    assert (x**4).mean() / (x**2).mean() ** 2 == pytest.approx(3.0, abs=0.06)  # 5 standard errors
    _, power = welch(x, FS, nperseg=256)
    np.testing.assert_allclose(power[1:-1], 2 / FS, rtol=0.25)


def test_power_law_noise_of_odd_length():
    assert power_law_noise(np.random.default_rng(0), 1001, 1.0).shape == (1001,)


def test_synthetic_ecg_beats_at_the_stated_rate(synthetic_ecg):
    rates = []
    for piece in synthetic_ecg:
        stated = float(piece.subtype.removesuffix("bpm"))
        x = dsp.band_pass(piece.samples, 8, 40, FS)
        beats, _ = find_peaks(x, height=0.4 * x.max(), distance=300)
        found = 60 / np.median(np.diff(beats) / FS)
        assert found == pytest.approx(stated, rel=0.05)
        rates.append(stated)
    assert all(55 <= rate <= 110 for rate in rates)
    assert np.ptp(rates) > 5


def test_synthetic_ecg_has_qrs_energy_in_the_emg_band(synthetic_ecg):
    """Share of power above 20 Hz: 0.015 to 0.18 in ten MIT-BIH records, 0.003 to 0.012 with the paper's QRS widths."""
    for piece in synthetic_ecg:
        assert 0.015 < (dsp.high_pass(piece.samples, 20, FS) ** 2).sum() / (piece.samples**2).sum() < 0.18


def test_without_neurokit_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "neurokit2", None)
    with pytest.raises(UserError, match=r"cleansemg\[simulation\].*ecg_wfdb"):
        next(iter(EcgSyn().pieces(request(1))))


def test_simulated_motion_lies_below_20_hz_and_has_pops():
    """De Luca 2010: power of movement artefact below 20 Hz; pops make it heavy-tailed within the EMG band."""
    for piece in MotionSimulated().pieces(request(4, 200.0)):
        f_hz, power = welch(piece.samples, FS, nperseg=8192)
        assert power[f_hz < 20].sum() / power.sum() > 0.98
        x = dsp.band_pass(piece.samples, 20, 495, FS)
        assert (x**4).mean() / (x**2).mean() ** 2 > 4


@pytest.mark.realdata
def test_simulated_motion_is_like_nstdb(real_data):
    """Share of the EMG band's power below 100 Hz, after the library's band-pass; `em` 0.93 to 0.96."""
    from cleansemg.noise.moa_wfdb import MotionRecords

    def share(piece):
        x = dsp.band_pass(piece.samples, 20, 495, FS)
        f_hz, power = welch(x, FS, nperseg=4096)
        return power[f_hz < 100].sum() / power.sum()

    recorded = [share(p) for p in MotionRecords().pieces(Request("train", 4, FS, 60.0, 2025, real_data / "nstdb"))]
    simulated = [share(p) for p in MotionSimulated().pieces(request(4))]
    assert np.mean(simulated) == pytest.approx(np.mean(recorded), abs=0.12)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("color", {"colours": ["blue"]}, "expected some of"),
        ("pli", {"harmonics": 0}, "harmonics at least 1"),
        ("pli", {"harmonic": 3}, "did you mean 'harmonics'"),
        ("moa_simulated", {"pops_per_s": -1}, "at least 0"),
    ],
)
def test_refused_parameters(name, parameters, message):
    with pytest.raises(UserError, match=message):
        registry.find("noises", name).build(**parameters)


@pytest.mark.parametrize("name", sorted(registry.entries("noises")))
def test_every_entry_is_complete(name):
    entry = registry.find("noises", name)
    source = entry.build()
    assert entry.extra["kind"] == source.kind
    assert set(entry.extra["pieces"]) == {"train", "valid", "test"}
    assert entry.summary
    assert not source.needs_folder or entry.extra["where"]
    assert f"`{name}`" in (registry.project_root() / "docs" / "noise.md").read_text()


def test_the_motion_of_the_open_test_set_lies_outside_what_training_draws():
    """Pitfall 26: every range of the second source of motion is disjoint from the simulator's defaults, and it moves faster."""
    import yaml

    from cleansemg.noise import moa_simulated
    from tests.conftest import ROOT

    source = yaml.safe_load((ROOT / "configs" / "open.yaml").read_text())["noise"]["kinds"]["MOA"][1]
    assert (source["source"], source["parts"]) == ("moa_simulated", ["test"])
    for name in ("pop_rise_s", "pop_recovery_s", "sway_hz", "sway_decay_s"):
        (low, high), (first, last) = source["parameters"][name], getattr(moa_simulated, name.upper())
        assert high < first or low > last, name

    def above_20_hz(one: MotionSimulated) -> float:
        x = np.concatenate([piece.samples for piece in one.pieces(request(2, 60.0))])
        f_hz, power = welch(x, FS, nperseg=2000)
        return float(power[f_hz > 20].sum() / power.sum())

    assert above_20_hz(MotionSimulated(**source["parameters"])) > 2 * above_20_hz(MotionSimulated())


@pytest.mark.parametrize("bounds", [[1.0], [0.0, 1.0], [2.0, 1.0]])
def test_ranges_of_motion_that_make_no_sense_are_refused(bounds):
    with pytest.raises(ValueError, match="sway_hz is"):
        MotionSimulated(sway_hz=bounds)
