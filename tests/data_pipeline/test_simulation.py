from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import welch
from scipy.stats import kurtosis

from cleansemg.core.seeding import generator
from cleansemg.data_pipeline.simulation.contraction import CONTROL_HZ, Contraction, SpikeTrains, discharge
from cleansemg.data_pipeline.simulation.motor_units import MotorUnitPool, PoolParameters
from cleansemg.data_pipeline.simulation.population import Limb, draw_limb, draw_muscle, gesture_force, trial_force
from cleansemg.data_pipeline.simulation.potentials import Fibres, Potentials, intracellular_slope, potentials
from cleansemg.data_pipeline.simulation.synthesis import contract, render
from cleansemg.data_pipeline.simulation.volume_conductor import SHALLOWEST_M, STEP_M, ElectrodePair, LeadField, Tissue

FS_HZ = 2000.0
POOL = MotorUnitPool()
HOMOGENEOUS = Tissue(fat_m=2e-3, muscle_across_s_per_m=0.2, muscle_along_s_per_m=0.2, fat_s_per_m=0.2)
POINTS = ElectrodePair(spacing_m=20e-3, radius_m=0.0)


@functools.lru_cache(maxsize=4)
def person(subject: str, fs_hz: float = FS_HZ) -> tuple[Limb, list[Potentials]]:
    limb = draw_limb(7, subject, 2)
    return limb, limb.potentials(fs_hz)


@functools.lru_cache(maxsize=64)
def hold(subject: str, force: float, duration_s: float = 6.0) -> tuple[np.ndarray, SpikeTrains]:
    """The plateau [T] at the muscle's own channel, and all its discharges."""
    limb, shapes = person(subject)
    signal = np.zeros((2, round(duration_s * FS_HZ)))
    task = Contraction(force, duration_s)
    trains = contract(limb.muscles[0].pool, shapes[0], task, signal, generator(1, "hold", subject, force))
    return signal[0, round(0.7 * FS_HZ) : -round(0.7 * FS_HZ)], trains


def half_space_lead_field(x_m: float, depth_m: float, z_m: np.ndarray, conductivity: float) -> np.ndarray:
    """d/dz of the potential under an insulating plane, 1 / (2 pi s r), between electrodes at -10 and +10 mm."""

    def slope(z: np.ndarray) -> np.ndarray:
        return -z / (x_m**2 + depth_m**2 + z**2) ** 1.5 / (2 * np.pi * conductivity)

    return slope(z_m + 10e-3) - slope(z_m - 10e-3)


def test_pool_follows_the_equations_of_fuglevand() -> None:
    # By hand: 120 units, RR 30: RTE_60 = sqrt(30), RTE_120 = 30; E_max = 30 + (25 - 8) / 1.
    assert POOL.threshold[[59, 119]] == pytest.approx([30**0.5, 30.0])
    assert POOL.maximum_excitation == pytest.approx(47.0)
    assert POOL.twitch[-1] == pytest.approx(100.0)
    assert POOL.contraction_s[-1] == pytest.approx(0.030)
    assert POOL.rate_hz(30.0)[-1] == pytest.approx(8.0)
    assert POOL.rate_hz(35.0)[-1] == pytest.approx(13.0)
    assert POOL.rate_hz(47.0)[-1] == pytest.approx(25.0)
    assert POOL.rate_hz(29.99)[-1] == 0.0


def test_force_of_a_single_twitch_train_matches_the_summed_twitches() -> None:
    # One slow unit at 4 Hz: T times rate is 0.36 at most, in the linear range: mean force = rate x twitch area.
    area = np.trapezoid((t := np.arange(0, 3, 1e-4)) / 0.09 * np.exp(1 - t / 0.09), t)
    assert area == pytest.approx(np.e * 0.09, rel=1e-6)
    pool = MotorUnitPool(PoolParameters(minimum_rate_hz=4.0))
    first = pool.threshold[0]
    assert pool._raw_force(first) == pytest.approx(4.0 * np.e * pool.twitch[0] * pool.contraction_s[0], rel=1e-9)


@given(st.floats(0.01, 1.0))
def test_excitation_inverts_force(force: float) -> None:
    # Up to the step of force with which a single unit is recruited.
    step = np.diff(POOL.force(np.concatenate([POOL.threshold - 1e-9, POOL.threshold])).reshape(2, -1), axis=0).max()
    assert step < 0.01
    assert float(POOL.force(POOL.excitation(force))) == pytest.approx(force, abs=step)


def test_force_rises_with_excitation() -> None:
    force = POOL.force(np.linspace(0, POOL.maximum_excitation, 500))
    assert force[0] == 0.0
    assert force[-1] == pytest.approx(1.0)
    assert (np.diff(force) >= 0).all()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"n_units": 1}, "n_units"),
        ({"recruitment_range": 1.0}, "recruitment_range"),
        ({"minimum_rate_hz": 30.0}, "minimum_rate_hz"),
        ({"isi_cv": (0.1, 0.5)}, "isi_cv"),
        ({"rate_gain_hz": 0.0}, "rate_gain_hz"),
    ],
)
def test_pool_parameters_are_checked(change: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        dataclasses.replace(PoolParameters(), **change)  # type: ignore[arg-type]


def test_force_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="fraction of the maximum"):
        POOL.excitation(1.2)


def test_interspike_intervals_have_the_rate_and_the_variability_asked_for() -> None:
    excitation = np.full(round(60 * CONTROL_HZ), 20.0)
    trains = discharge(POOL, excitation, 0.0, 60.0, generator(3, "constant"))
    expected = POOL.rate_hz(20.0)
    active = np.flatnonzero(expected)
    intervals = [np.diff(trains.of(int(unit))) for unit in active]
    rate = np.array([1 / gaps.mean() for gaps in intervals])
    cv = np.array([gaps.std() / gaps.mean() for gaps in intervals])
    assert rate == pytest.approx(expected[active], rel=0.06)
    assert rate.mean() == pytest.approx(expected[active].mean(), rel=0.005)
    assert cv.min() > 0.08
    assert cv.max() < 0.33
    assert cv.mean() == pytest.approx(0.20, abs=0.02)
    assert set(trains.unit) == set(active)


def test_units_are_recruited_by_size_and_start_unsynchronised() -> None:
    ramp = np.linspace(0, 30, round(10 * CONTROL_HZ) + 1)
    trains = discharge(POOL, ramp, 0.0, 10.0, generator(4, "ramp"))
    for unit in np.unique(trains.unit):  # each within one interval of crossing its own threshold
        assert 0 <= trains.of(int(unit))[0] - POOL.threshold[unit] / 3 < 1 / 8 + 2e-3
    excitation = np.full(1000, 40.0)
    start = discharge(POOL, excitation, 0.0, 1.0, generator(4, "step"))
    onset = np.array([start.of(unit)[0] for unit in range(120)])
    assert 0.2 < onset.std() / onset.mean() < 0.8  # uniform within one interval: 0.58


def test_no_discharge_outside_its_bounds() -> None:
    trains = discharge(POOL, np.full(2000, 40.0), 0.3, 1.5, generator(5, "bounds"))
    assert trains.time_s.min() >= 0.3
    assert trains.time_s.max() <= 1.5


def test_trapezoid() -> None:
    profile = Contraction(0.5, 5.0, ramp_s=0.5).profile()
    assert profile[[0, 250, 500, 2500, 4500, 4750, 5000]] == pytest.approx([0, 0.25, 0.5, 0.5, 0.5, 0.25, 0])


def test_common_drive_has_the_spread_asked_for() -> None:
    drive = Contraction(0.5, 100.0).drive(POOL, generator(6, "drive"))[1000:-1000]
    assert drive.std() / drive.mean() == pytest.approx(0.03, rel=0.2)
    spectrum = np.abs(np.fft.rfft(drive - drive.mean())) ** 2
    below = np.fft.rfftfreq(drive.size, 1 / CONTROL_HZ) < 4.0
    assert spectrum[below].sum() / spectrum.sum() > 0.99


@pytest.mark.parametrize("bad", [{"force": 1.1}, {"duration_s": 0.8}, {"common_drive": -1.0}])
def test_contractions_are_checked(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Contraction(**{"force": 0.5, "duration_s": 3.0, **bad})


def test_lead_field_of_equal_conductivities_is_the_half_space_in_closed_form() -> None:
    field = LeadField.of(HOMOGENEOUS, POINTS)
    z_m = (np.arange(field.table.shape[2]) - field.table.shape[2] // 2) * STEP_M
    for level in (12, 20, 28):
        for across in (0, 10, 30):
            depth_m = float(np.exp(field.log_depth[level])) + HOMOGENEOUS.fat_m
            exact = half_space_lead_field(across * STEP_M, depth_m, z_m, 0.2)
            assert np.abs(field.table[level, across] - exact).max() < 0.01 * np.abs(exact).max()


def test_lead_field_of_anisotropic_muscle_is_andreassens_where_fat_is_thin() -> None:
    # Without fat: phi = 1 / (2 pi s_r sqrt(z^2 + K d^2)), Andreassen and Rosenfalck 1981, doubled by the surface.
    tissue = Tissue(fat_m=0.5e-3, fat_s_per_m=1e-9)  # fat that conducts nothing only passes the potential on
    field = LeadField.of(tissue, POINTS)
    level = 30
    depth_m = float(np.exp(field.log_depth[level]))
    z_m = (np.arange(field.table.shape[2]) - field.table.shape[2] // 2) * STEP_M

    def slope(z: np.ndarray) -> np.ndarray:
        return -z / (z**2 + 5 * depth_m**2) ** 1.5 / (2 * np.pi * 0.1)

    exact = slope(z_m + 10e-3) - slope(z_m - 10e-3)
    assert np.abs(field.table[level, 0] - exact).max() < 0.03 * np.abs(exact).max()


def test_potential_of_one_fibre_matches_direct_integration_over_the_fibre() -> None:
    depth_m, velocity, end_m, electrode_m = 6e-3, 4.0, 0.05, 0.025
    one = np.ones((1, 1))
    fibre = Fibres(
        depth_m * one, 0 * one, 0 * one, np.full((1, 1, 2), end_m), velocity * one, np.array([50e-6]), np.array([1.0])
    )
    shapes = potentials(fibre, LeadField.of(HOMOGENEOUS, POINTS), np.array([[0.0, electrode_m]]), 8000.0)
    n = shapes.waveform.shape[-1]
    time_s = (np.arange(n) - shapes.lead) / 8000.0
    way_m = np.linspace(0, end_m, 20001)
    exact = np.zeros(n)
    for side in (1, -1):
        seen = half_space_lead_field(0.0, depth_m + HOMOGENEOUS.fat_m, side * way_m - electrode_m, 0.2)
        for k in np.flatnonzero(time_s > 0):
            exact[k] += side * np.trapezoid(intracellular_slope(velocity * time_s[k] - way_m) * seen, way_m)
    exact *= 1.01 * np.pi * 25e-6**2
    assert np.abs(shapes.waveform[0, 0, 0] - exact).max() < 0.03 * np.abs(exact).max()


def test_potentials_have_no_net_area() -> None:
    # The source carries no net charge over its life, so that no potential has energy at 0 Hz.
    _, shapes = person("S001")
    waveform = shapes[0].waveform[:, 0, 0]
    assert np.abs(waveform.sum(axis=-1)).max() < 0.01 * np.abs(waveform).sum(axis=-1).max()
    assert (np.abs(waveform.sum(axis=-1)) < 0.03 * np.abs(waveform).sum(axis=-1)).all()


def test_nothing_aliases() -> None:
    for fs_hz in (1000.0, 2000.0):
        _, shapes = person("S001", fs_hz)
        spectrum = np.abs(np.fft.rfft(shapes[0].waveform[:, :, 0], 4096)) ** 2
        above = np.fft.rfftfreq(4096, 1 / fs_hz) > 0.46 * fs_hz
        assert (spectrum[..., above].sum(axis=-1) < 1e-6 * spectrum.sum(axis=-1)).all()


def test_sampling_rate_and_phase_do_not_change_a_potential() -> None:
    coarse, fine = person("S001")[1][0], person("S001", 4000.0)[1][0]
    a = coarse.waveform[-1, 0, 0]
    b = fine.waveform[-1, 0, 0][fine.lead - 2 * coarse.lead :: 2][: a.size]
    assert np.abs(a[: b.size] - b).max() < 0.03 * np.abs(a).max()
    # Phase p is the same potential p / P samples later.
    half = coarse.waveform[-1, coarse.waveform.shape[1] // 2, 0]
    frequency = np.fft.rfftfreq(1024)
    moved = np.fft.irfft(np.fft.rfft(a, 1024) * np.exp(-2j * np.pi * frequency * 0.5), 1024)[: a.size]
    assert np.abs(half - moved).max() < 2e-3 * np.abs(a).max()


def test_potentials_fall_with_distance_and_follow_the_size_of_the_unit() -> None:
    limb, shapes = person("S001")
    height = np.ptp(shapes[0].waveform[:, 0], axis=-1)  # [U, C]
    rank = np.arange(height.shape[0])
    assert np.corrcoef(rank, np.log(height[:, 0]))[0, 1] > 0.75
    assert np.median(height[:, 1] / height[:, 0]) < 0.3  # the next muscle's channel, 30 mm away
    velocity = limb.muscles[0].fibres.velocity_m_per_s.mean(axis=1)
    assert 3.0 < velocity[0] < velocity[-1] < 5.0
    base = limb.muscles[0].fibres
    pair = np.array([[0.0, 0.028]])
    field = LeadField.of(limb.tissue, limb.pair)
    deep = potentials(dataclasses.replace(base, depth_m=base.depth_m + 8e-3), field, pair, FS_HZ)
    near = potentials(base, field, pair, FS_HZ)
    assert (np.ptp(deep.waveform[:, 0, 0], axis=-1) < np.ptp(near.waveform[:, 0, 0], axis=-1)).mean() > 0.98
    slow = potentials(dataclasses.replace(base, velocity_m_per_s=0.75 * base.velocity_m_per_s), field, pair, FS_HZ)
    # Duration scales with 1 / velocity (Lindstrom and Magnusson 1977): the mean frequency with velocity.
    assert mean_frequency_hz(slow) / mean_frequency_hz(near) == pytest.approx(0.75, abs=0.03)


def mean_frequency_hz(shapes: Potentials) -> float:
    power = (np.abs(np.fft.rfft(shapes.waveform[:, 0, 0], 4096)) ** 2).sum(axis=0)
    return float((power * np.fft.rfftfreq(4096, 1 / FS_HZ)).sum() / power.sum())


@pytest.mark.parametrize("bad", [{"fat_m": 0.0}, {"fat_s_per_m": 0.0}])
def test_tissue_is_checked(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Tissue(**bad)


def test_electrodes_are_checked() -> None:
    with pytest.raises(ValueError, match="spacing_m"):
        ElectrodePair(spacing_m=0.1)
    with pytest.raises(ValueError, match="overlap"):
        ElectrodePair(spacing_m=10e-3, radius_m=6e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 40))
def test_a_signal_is_the_sum_of_its_discharges(seed: int, n_spikes: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = Potentials(rng.standard_normal((3, 4, 2, 20)), lead=5, fs_hz=1000.0)
    step = rng.integers(5 * 4, 400, n_spikes)
    trains = SpikeTrains(rng.integers(0, 3, n_spikes), step / 4000.0, 3)
    expected = np.zeros((2, 200))
    for unit, at in zip(trains.unit, step, strict=True):
        expected[:, at // 4 - 5 : at // 4 + 15] += shapes.waveform[unit, at % 4]
    signal = np.zeros((2, 200))
    render(trains, shapes, signal)
    assert signal == pytest.approx(expected, abs=1e-12)


def test_a_potential_that_does_not_fit_is_an_error() -> None:
    shapes = Potentials(np.ones((1, 4, 1, 20)), lead=5, fs_hz=1000.0)
    for time_s in (0.001, 0.19):
        with pytest.raises(ValueError, match="does not fit"):
            render(SpikeTrains(np.array([0]), np.array([time_s]), 1), shapes, np.zeros((1, 200)))


def test_contract_refuses_a_short_signal() -> None:
    limb, shapes = person("S001")
    with pytest.raises(ValueError, match="needs"):
        contract(limb.muscles[0].pool, shapes[0], Contraction(0.5, 5.0), np.zeros((2, 100)), generator(1))


SUBJECTS = ("S001", "S002", "S003")


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("force", [0.2, 0.4, 0.6])
def test_spectrum_at_moderate_force(subject: str, force: float) -> None:
    signal, _ = hold(subject, force)
    f, power = welch(signal, FS_HZ, nperseg=1024)
    share = np.cumsum(power) / power.sum()
    assert 50 <= f[np.searchsorted(share, 0.5)] <= 120  # De Luca 1997; Merletti and Parker 2004
    assert power[(f >= 20) & (f <= 450)].sum() / power.sum() >= 0.90


@pytest.mark.parametrize("subject", SUBJECTS)
def test_amplitude_and_rate_rise_with_force(subject: str) -> None:
    forces = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
    held = [hold(subject, force) for force in forces]
    rms = np.array([signal.std() for signal, _ in held])
    rate = np.array([trains.time_s.size / 6.0 / np.unique(trains.unit).size for _, trains in held])
    assert (np.diff(rms) > 0).all()
    assert (np.diff(rate) > 0).all()
    assert 7 < rate[0] < 13  # 8 Hz at recruitment
    assert 20 < rate[-1] < 35  # 20 to 35 Hz at the maximum, Enoka and Fuglevand 2001
    assert 1e-4 < rms[-1] < 1e-3


@pytest.mark.parametrize("subject", SUBJECTS)
def test_amplitude_is_nearly_gaussian_at_high_force(subject: str) -> None:
    high, low = (np.mean([kurtosis(hold(subject, force)[0]) for force in pair]) for pair in ((0.85, 0.95), (0.05, 0.1)))
    assert abs(high) < 1.0  # excess kurtosis; 3 for a Laplace law
    assert high < low


def test_crosstalk_is_small_beside_the_muscle() -> None:
    limb, shapes = person("S001")
    signal = np.zeros((2, 10_000))
    contract(limb.muscles[0].pool, shapes[0], Contraction(0.5, 5.0), signal, generator(2, "crosstalk"))
    assert 0.005 < signal[1].std() / signal[0].std() < 0.17  # De Luca and Merletti 1988: up to 17 %


def test_fibres_lie_in_their_muscle() -> None:
    muscle = draw_muscle(generator(8, "muscle"))
    x = muscle.fibres.across_m / 10e-3
    y = (muscle.fibres.depth_m - 2e-3 - 8e-3) / 8e-3
    assert (x**2 + y**2 <= 1 + 1e-9).all()
    assert muscle.fibres.depth_m.min() >= SHALLOWEST_M
    assert muscle.fibres.count[-1] == pytest.approx(1400.0)


def test_subjects_differ_and_repeat() -> None:
    first, again, other = draw_limb(1, "S001", 3), draw_limb(1, "S001", 3), draw_limb(1, "S002", 3)
    assert first.tissue == again.tissue
    assert np.array_equal(first.muscles[2].fibres.depth_m, again.muscles[2].fibres.depth_m)
    assert first.tissue != other.tissue
    assert first.circumference_m != other.circumference_m


def test_gestures_are_distinct_patterns_shared_by_people() -> None:
    patterns = np.log([gesture_force(2025, gesture, 4) for gesture in range(1, 6)])
    distance = np.linalg.norm(patterns[:, None] - patterns[None], axis=-1)[np.triu_indices(5, 1)]
    assert distance.min() > 0.4
    made = np.log([trial_force(2025, f"S{n:03d}", 1, 1, 4) for n in range(1, 41)])
    assert made.mean(axis=0) == pytest.approx(patterns[0], abs=0.15)
    assert made.std(axis=0).min() > 0.1
