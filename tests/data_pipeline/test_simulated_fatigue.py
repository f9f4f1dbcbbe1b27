from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import welch

from cleansemg.core.errors import ItemError
from cleansemg.core.seeding import generator
from cleansemg.data_pipeline.readers.simulated_fatigue import SimulatedFatigueReader
from cleansemg.data_pipeline.recording import Recording
from cleansemg.data_pipeline.simulation.contraction import Contraction
from cleansemg.data_pipeline.simulation.fatigue import FatigueParameters, contract_until_tired, endurance_s, tired
from cleansemg.data_pipeline.simulation.population import draw_limb

FS_HZ = 1000.0


def reader(**changes: object) -> SimulatedFatigueReader:
    return SimulatedFatigueReader(**{"n_subjects": 2, "n_trials": 1, "n_channels": 1, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def recording() -> Recording:
    return reader().read(reader().list()[0])


def median_hz(x: np.ndarray) -> float:
    frequency, power = welch(x, FS_HZ, nperseg=512)
    running = np.cumsum(power)
    return float(np.interp(running[-1] / 2, running, frequency))


def test_layout(recording: Recording) -> None:
    label = recording.label
    assert label is not None
    assert recording.repetition is not None
    assert (recording.signal[:, label == 0] == 0).all()  # rest is silent
    assert label[:1000].tolist() == label[-1000:].tolist() == [0] * 1000
    held = label[1000:-1000]
    assert (np.diff(held) >= 0).all()
    assert np.bincount(held).tolist()[1:] == pytest.approx([held.size / 3] * 3, rel=0.5)
    assert set(recording.repetition[label > 0].tolist()) == {1}


def test_the_spectrum_falls_and_the_amplitude_grows(recording: Recording) -> None:
    """De Luca 1984, Merletti 1990: the median frequency falls by a fifth to a half until failure."""
    thirds = np.array_split(recording.signal[0, 2000:-2000], 3)
    medians, rms = [median_hz(x) for x in thirds], [float(x.std()) for x in thirds]
    assert medians[0] > medians[1] > medians[2]
    assert 0.15 < 1 - medians[2] / medians[0] < 0.5
    assert rms[0] < rms[1] < rms[2] < 3 * rms[0]


def test_conduction_velocity_falls_as_asked() -> None:
    limb = draw_limb(1, "S001", 1)
    before, after = limb.muscles[0], tired(limb, 0.5, FatigueParameters(velocity_fall=0.3)).muscles[0]
    ratio = after.fibres.velocity_m_per_s / before.fibres.velocity_m_per_s
    assert ratio.mean() == pytest.approx(0.85)
    assert ratio[0].mean() > ratio[-1].mean()  # large units tire more
    assert tired(limb, 0.0, FatigueParameters()).muscles[0].fibres.velocity_m_per_s == pytest.approx(
        before.fibres.velocity_m_per_s
    )


@pytest.mark.parametrize("force_rise", [0.0, 0.3])
def test_units_fire_more_slowly_and_more_of_them_do(force_rise: float) -> None:
    limb = draw_limb(1, "S001", 1)
    shapes = [limb.potentials(FS_HZ)[0]] * 2  # rates do not depend on them
    parameters = FatigueParameters(rate_fall=0.3, force_rise=force_rise)
    effort = Contraction(0.3, 30.0, common_drive=0.0)
    signal = np.zeros((1, 30_000))
    trains = contract_until_tired(limb.muscles[0].pool, shapes, effort, 30.0, parameters, signal, generator(1, "rates"))
    early, late = ((trains.time_s > low) & (trains.time_s < low + 5) for low in (2, 24))
    rates = [np.count_nonzero(part & (trains.unit < 60)) for part in (early, late)]
    # F is 0.15 in the middle of the first window, and 0.883 of the second; units below 60 fire in both
    slowed = (1 - 0.3 * 0.883) / (1 - 0.3 * 0.15)
    units = [np.unique(trains.unit[part]).size for part in (early, late)]
    if force_rise == 0:
        assert rates[1] / rates[0] == pytest.approx(slowed, rel=0.03)
        assert units[0] == units[1]
    else:
        assert slowed < rates[1] / rates[0] < 1.05  # the drive makes up for a part
        assert units[1] > units[0]


def test_without_fatigue_rates_stay() -> None:
    limb = draw_limb(1, "S001", 1)
    shapes = [limb.potentials(FS_HZ)[0]]
    still = FatigueParameters(velocity_fall=0, velocity_fall_range=0, rate_fall=0, force_rise=0)
    trains = contract_until_tired(
        limb.muscles[0].pool, shapes, Contraction(0.4, 20.0), 20.0, still, np.zeros((1, 20_000)), generator(1, "still")
    )
    halves = [np.count_nonzero((trains.time_s > a) & (trains.time_s < a + 8)) for a in (1.5, 10.5)]
    assert halves[1] == pytest.approx(halves[0], rel=0.05)


def test_endurance_falls_with_force() -> None:
    """Rohmert 1960: about a minute at half the maximum; below 15 % we take his value at 15 %."""
    times = [endurance_s(force) for force in (0.2, 0.3, 0.5, 0.7, 1.0)]
    assert (np.diff(times) < 0).all()
    assert 50 < endurance_s(0.5) < 80
    assert endurance_s(0.05) == endurance_s(0.15)
    with pytest.raises(ValueError, match="fraction"):
        endurance_s(1.2)


def test_a_reference_always_gives_the_same_signal(recording: Recording) -> None:
    own = reader(n_subjects=1, n_trials=2)
    again = own.read(own.list()[0])
    assert again.signal.tobytes() == recording.signal.tobytes()


def test_fingerprint_follows_the_parameters() -> None:
    first = reader().list()[0]
    assert reader(n_subjects=5, n_trials=3).list()[0] == first
    for change in ({"seed": 1}, {"fs_hz": 2000.0}, {"longest_s": 20.0}, {"n_channels": 2}, {"rest_s": 0.0}):
        assert reader(**change).list()[0].fingerprint != first.fingerprint


def test_people_differ() -> None:
    own = reader(longest_s=5.0)
    a, b = (own.read(ref) for ref in own.list())
    assert not np.array_equal(a.signal, b.signal)
    assert a.signal.shape == (1, 7000)  # ends after longest_s, before the muscle fails


def test_an_unknown_reference() -> None:
    own = reader(n_trials=3)
    with pytest.raises(ItemError, match="not simulated"):
        reader().read(own.list()[1])


@pytest.mark.parametrize(
    "bad", [{"n_subjects": 0}, {"n_trials": 1.5}, {"fs_hz": 500.0}, {"longest_s": 1}, {"seed": -1}]
)
def test_parameters_out_of_range(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        reader(**bad)


@pytest.mark.parametrize(
    "bad", [{"velocity_fall": 0.6}, {"rate_fall": 0.9}, {"force_rise": -1}, {"velocity_fall": 0.05}]
)
def test_physiology_out_of_range(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        FatigueParameters(**bad)
