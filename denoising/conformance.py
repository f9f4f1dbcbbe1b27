"""What any denoiser must do, as a list of checks: `run_checks(lambda: load("hp"))`, or `cleansemg check hp`.

The first line of a check's docstring says what it expects. The checks use synthetic EMG with a power line, heartbeats
and white noise. They do not measure how well a method denoises.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.dsp import band_pass
from cleansemg.core.errors import InputError, UserError
from cleansemg.core.seeding import generator
from cleansemg.denoising.base import NAME, TRACKS, Denoiser
from cleansemg.denoising.resampled import LOWEST_HZ, native
from cleansemg.noise.kinds import BENCHMARK_KINDS
from cleansemg.noise.labels import NoiseLabels, Rule

Factory = Callable[[], Denoiser]

DEFAULT_RATE_HZ = 1000.0
OTHER_RATES_HZ = (200.0, 1259.26, 2048.0)
DURATION_S = 2.0
N_SIGNALS = 3
AMPLITUDE_V = 1e-4
DECADES = (-6, -3, 3, 6)
SILENCE = 1e-6  # share of the input's RMS: a quieter output counts as silence, and differences are over this level


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check on one track."""

    check: str
    track: str
    passed: bool
    detail: str = ""
    skipped: bool = False
    expected: str = ""


class _CheckFailedError(Exception):
    pass


class _SkippedError(Exception):
    pass


@dataclass(frozen=True)
class Signals:
    """Contaminated signals and the labels of a track."""

    noisy: NDArray[np.float64]  # [n, L] V
    clean: NDArray[np.float64]  # [n, L] V
    fs_hz: float
    track: str

    def run(
        self, denoiser: Denoiser, rows: slice | Sequence[int] = slice(None), factor: float = 1.0
    ) -> NDArray[np.float32]:
        """Denoise some rows, multiplied by `factor`: [n, L] float32."""
        return denoiser.denoise(factor * self.noisy[rows], self.fs_hz, self.labels(rows, factor))

    def labels(self, rows: slice | Sequence[int] = slice(None), factor: float = 1.0) -> NoiseLabels | None:
        """The labels of these rows; None on the blind track."""
        if self.track == "blind":
            return None
        clean = factor * self.clean[rows]
        kinds = np.tile([kind in ("PLI", "ECG", "WGN") for kind in BENCHMARK_KINDS], (len(clean), 1))
        line_hz = np.full(len(self.clean), 50.2)
        line_hz[::2] = np.nan  # known for some, not for others
        rule: Rule = "published" if self.track == "published" else "evidence"
        return NoiseLabels(kinds, line_hz[rows], clean, rule=rule)


def make_signals(fs_hz: float, n_samples: int, track: str) -> Signals:
    """Three EMG-like signals in volts with slow bursts, a line at 50.2 Hz, heartbeats, white noise; always the same."""
    rng = generator(0, "conformance", fs_hz, n_samples)
    t = np.arange(n_samples) / fs_hz
    clean = rng.standard_normal((N_SIGNALS, n_samples))
    if n_samples > 100:
        clean = band_pass(clean, 20.0, 450.0, fs_hz)
    clean *= AMPLITUDE_V * (1 + np.sin(2 * np.pi * 0.7 * t + rng.uniform(0, 6, (N_SIGNALS, 1)))) / 2
    phase_s = (t + rng.uniform(0, 0.8, (N_SIGNALS, 1))) % 0.8 - 0.4
    beats = 5 * np.exp(-0.5 * (phase_s / 0.012) ** 2)
    line = np.sin(2 * np.pi * 50.2 * t)
    white = 0.3 * rng.standard_normal((N_SIGNALS, n_samples))
    return Signals(clean + AMPLITUDE_V * (beats + line + white), clean, fs_hz, track)


def run_checks(factory: Factory, tracks: Sequence[str] | None = None) -> list[CheckResult]:
    """Run every check.

    Args:
        factory: builds the denoiser; it is called more than once and must return equal ones.
        tracks: tracks to check; None: all that the denoiser has.

    Returns:
        One result per check and track; a check that raises an unexpected error has failed.
    """
    return list(iter_checks(factory, tracks))


def iter_checks(factory: Factory, tracks: Sequence[str] | None = None) -> Iterator[CheckResult]:
    """As `run_checks`, but yields each result as soon as it is available."""
    for track in tracks if tracks is not None else factory().tracks:
        for check in CHECKS:
            yield _run(check, factory, track)


def _run(check: Callable[[Factory, str], str | None], factory: Factory, track: str) -> CheckResult:
    name = check.__name__.removeprefix("_").replace("_", " ")
    expected = (inspect.getdoc(check) or "").partition("\n")[0].rstrip(".")
    skipped = False
    try:
        passed, detail = True, check(factory, track) or ""
    except _SkippedError as reason:
        passed, detail, skipped = True, str(reason), True
    except _CheckFailedError as failure:
        passed, detail = False, str(failure)
    except Exception as error:  # noqa: BLE001 - whatever a method raises where it should not is the finding
        passed, detail = False, f"{type(error).__name__}: {error}{_where(error, factory)}"
    return CheckResult(name, track, passed, detail, skipped, expected)


def _where(error: Exception, factory: Factory) -> str:
    """The last line of the denoiser's file in an error's traceback; "" where the file is not in it."""
    source = inspect.getsourcefile(type(native(factory())))
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == source:
            return f" ({frame.filename}, line {frame.lineno})"
    return ""


def _signals(denoiser: Denoiser, track: str, n_samples: int | None = None, fs_hz: float | None = None) -> Signals:
    fs_hz = fs_hz or _rate_of(denoiser)
    return make_signals(fs_hz, n_samples or max(round(DURATION_S * fs_hz), denoiser.shortest(fs_hz)), track)


def _rate_of(denoiser: Denoiser) -> float:
    return native(denoiser).sampling_rate_hz or DEFAULT_RATE_HZ


def _declares_what_it_is(factory: Factory, track: str) -> None:
    """A name that a folder can have, tracks among blind, oracle and published, min_samples of at least 1."""
    denoiser = factory()
    _require(bool(denoiser.name), "has no name")
    _require(bool(NAME.fullmatch(denoiser.name)), f"name '{denoiser.name}': letters, digits, and _ . + - inside")
    _require(track in denoiser.tracks, f"has no {track} track")
    _require(set(denoiser.tracks) <= set(TRACKS), f"tracks {denoiser.tracks} are not among {TRACKS}")
    _require(denoiser.min_samples >= 1, f"min_samples is {denoiser.min_samples}")
    _require(not (denoiser.needs_labels and "blind" in denoiser.tracks), "needs labels and claims a blind track")


def _returns_float32_in_the_shape_of_its_input(factory: Factory, track: str) -> None:
    """[n, L] and [L], float64 and float32: finite float32 in the shape of the input."""
    denoiser = factory()
    signals = _signals(denoiser, track)
    one = signals.labels(slice(0, 1))
    for array in (signals.noisy, signals.noisy[:1], signals.noisy[0], signals.noisy.astype(np.float32)):
        labels = signals.labels() if len(array) == N_SIGNALS else one
        output = denoiser.denoise(array, signals.fs_hz, labels)
        _require(output.shape == array.shape, f"shape {output.shape} for {array.shape}")
        _require(output.dtype == np.float32, f"{output.dtype} for float32")
        _require(bool(np.isfinite(output).all()), "values that are not finite")


def _takes_any_length(factory: Factory, track: str) -> str:
    """Every number of samples from the shortest on, odd ones too."""
    denoiser = factory()
    usual = _signals(denoiser, track).noisy.shape[1]
    shortest = denoiser.shortest(_rate_of(denoiser))
    lengths = [shortest, shortest + 1, usual - 1, usual + 1, usual + 778]
    for n_samples in lengths:
        if n_samples >= shortest:
            output = _signals(denoiser, track, n_samples).run(denoiser)
            _require(output.shape == (N_SIGNALS, n_samples), f"shape {output.shape} for {n_samples} samples")
    return f"{min(lengths)} to {max(lengths)} samples"


def _takes_any_sampling_rate(factory: Factory, track: str) -> None:
    """Rates of 200, 1259.26 and 2048 Hz, where sampling_rate_hz does not name the one there is."""
    denoiser = factory()
    if denoiser.sampling_rate_hz is not None:
        raise _SkippedError(f"works at {denoiser.sampling_rate_hz:g} Hz only")
    for fs_hz in OTHER_RATES_HZ:
        _signals(denoiser, track, fs_hz=fs_hz).run(denoiser)


def _keeps_the_scale(factory: Factory, track: str) -> str:
    """denoise(a x) = a denoise(x) for a from 1e-6 to 1e6: no absolute thresholds or epsilons."""
    denoiser = factory()
    signals = _signals(denoiser, track)
    reference = signals.run(denoiser).astype(np.float64)
    worst = 0.0
    for decade in DECADES:
        scaled = signals.run(denoiser, factor=10.0**decade) / 10.0**decade
        worst = max(worst, _difference(scaled, reference, signals.noisy))
    _require(worst <= denoiser.scale_tolerance, f"differs by {worst:.2g} of the RMS in another unit")
    return f"differs by {worst:.2g} of the RMS over {DECADES[-1] - DECADES[0]} decades"


def _keeps_the_sign(factory: Factory, track: str) -> None:
    """denoise(-x) = -denoise(x), where sign_equivariant says so."""
    denoiser = factory()
    if not denoiser.sign_equivariant:
        raise _SkippedError("does not promise it")
    signals = _signals(denoiser, track)
    difference = _difference(-signals.run(denoiser, factor=-1.0), signals.run(denoiser), signals.noisy)
    _require(difference <= denoiser.scale_tolerance, f"differs by {difference:.2g} of the RMS upside down")


def _ignores_its_neighbours(factory: Factory, track: str) -> None:
    """A signal denoised alone, in another order or repeated has the same output as in the batch."""
    denoiser = factory()
    signals = _signals(denoiser, track)
    together = signals.run(denoiser)
    order = list(range(N_SIGNALS))[::-1]
    for rows in ([0], [N_SIGNALS - 1], order, [1, 1, 1, 1, 1, 0]):
        difference = _difference(signals.run(denoiser, rows), together[rows], signals.noisy[rows])
        _require(difference <= denoiser.scale_tolerance, f"differs by {difference:.2g} of the RMS in another batch")


def _gives_the_same_twice(factory: Factory, track: str) -> None:
    """The same bits when called again, and from an object built again."""
    denoiser = factory()
    signals = _signals(denoiser, track)
    first = signals.run(denoiser)
    _require(np.array_equal(first, signals.run(denoiser)), "differs when called again")
    _require(np.array_equal(first, signals.run(factory())), "differs when built again")


def _leaves_its_input_alone(factory: Factory, track: str) -> None:
    """The signals and labels that it is given stay as they are, and may be read-only."""
    denoiser = factory()
    signals = _signals(denoiser, track)
    noisy = signals.noisy.copy()
    labels = signals.labels()
    denoiser.denoise(noisy, signals.fs_hz, labels)
    _require(np.array_equal(noisy, signals.noisy), "changed the signals it was given")
    if labels is not None and labels.clean is not None:
        _require(np.array_equal(labels.clean, signals.clean), "changed the labels it was given")
    noisy.flags.writeable = False  # as signals mapped from a file are
    denoiser.denoise(noisy, signals.fs_hz, signals.labels())


def _copes_with_constants(factory: Factory, track: str) -> None:
    """Finite output for constant signals, and silence for silence."""
    denoiser = factory()
    shape = _signals(denoiser, track).noisy.shape
    fs_hz = _rate_of(denoiser)
    for level in (0.0, AMPLITUDE_V, -1.0):
        signals = Signals(np.full(shape, level), np.zeros(shape), fs_hz, track)
        output = signals.run(denoiser)
        _require(bool(np.isfinite(output).all()), f"not finite for a constant {level:g}")
        _require(level != 0.0 or not output.any(), "silence gives something else than silence")


def _refuses_what_is_not_a_signal(factory: Factory, track: str) -> None:
    """InputError for NaN, infinity, other types and shapes, too few samples and wrong rates."""
    denoiser = factory()
    signals = _signals(denoiser, track)
    fs_hz, noisy = signals.fs_hz, signals.noisy
    for bad in (np.nan, np.inf, -np.inf):
        broken = noisy.copy()
        broken[1, -1] = bad
        _refused(denoiser, broken, fs_hz, signals, f"a sample of {bad}")
    _refused(denoiser, noisy[None], fs_hz, signals, "three dimensions")
    _refused(denoiser, noisy[:, :0], fs_hz, signals, "no samples")
    _refused(denoiser, noisy.astype(np.complex128), fs_hz, signals, "complex numbers")
    _refused(denoiser, noisy > 0, fs_hz, signals, "truth values")
    _refused(denoiser, noisy.astype(str), fs_hz, signals, "texts")
    if denoiser.shortest(fs_hz) > 1:
        _refused(denoiser, noisy[:, : denoiser.shortest(fs_hz) - 1], fs_hz, signals, "too few samples")
    for rate in (0.0, -fs_hz, np.nan, np.inf):
        _refused(denoiser, noisy, rate, signals, f"a rate of {rate} Hz")
    if native(denoiser).sampling_rate_hz is not None:
        rate = fs_hz + 1 if denoiser.sampling_rate_hz is not None else LOWEST_HZ - 1
        _refused(denoiser, noisy, rate, signals, f"a rate of {rate} Hz")


def _checks_its_labels(factory: Factory, track: str) -> None:
    """UserError for labels that are unknown, too many, missing where needed or given to a blind method."""
    denoiser = factory()
    signals = _signals(denoiser, track)
    if denoiser.needs_labels:
        _user_error(lambda: denoiser.denoise(signals.noisy, signals.fs_hz), "missing labels")
    if "oracle" not in denoiser.tracks:
        _user_error(lambda: denoiser.denoise(signals.noisy, signals.fs_hz, "PLI"), "labels on a blind method")
        return
    _user_error(lambda: denoiser.denoise(signals.noisy, signals.fs_hz, "PLY"), "an unknown kind of noise")
    _user_error(lambda: denoiser.denoise(signals.noisy, signals.fs_hz, ["PLI"] * (N_SIGNALS + 1)), "too many labels")
    if track == "oracle":
        try:
            denoiser.denoise(signals.noisy, signals.fs_hz, "PLI+ECG")
        except UserError:
            _require(denoiser.needs_labels, "refuses labels given as text")


CHECKS: tuple[Callable[[Factory, str], str | None], ...] = (
    _declares_what_it_is,
    _returns_float32_in_the_shape_of_its_input,
    _takes_any_length,
    _takes_any_sampling_rate,
    _keeps_the_scale,
    _keeps_the_sign,
    _ignores_its_neighbours,
    _gives_the_same_twice,
    _leaves_its_input_alone,
    _copes_with_constants,
    _refuses_what_is_not_a_signal,
    _checks_its_labels,
)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise _CheckFailedError(message)


def _refused(denoiser: Denoiser, noisy: NDArray[np.generic], fs_hz: float, signals: Signals, what: str) -> None:
    try:
        denoiser.denoise(noisy, fs_hz, signals.labels())  # type: ignore[arg-type]
    except InputError:
        return
    raise _CheckFailedError(f"takes {what}")


def _user_error(call: Callable[[], object], what: str) -> None:
    try:
        call()
    except UserError:
        return
    raise _CheckFailedError(f"takes {what}")


def _difference(a: NDArray[np.floating], b: NDArray[np.floating], noisy: NDArray[np.float64]) -> float:
    """Largest difference of two outputs over the RMS of the second, of all signals."""
    rms = np.sqrt(np.mean(np.asarray(b, np.float64) ** 2, axis=-1))
    floor = SILENCE * np.sqrt(np.mean(noisy**2, axis=-1))
    return float(np.max(np.abs(np.asarray(a, np.float64) - b).max(axis=-1) / np.maximum(rms, floor)))
