"""The public interface of the package, over arrays and files; `cleansemg` offers it by name (docs/python-interface.md).

Signals are arrays of one dimension [L], or of two, a signal a row [n, L], in volts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cleansemg.core.errors import InputError, UserError

if TYPE_CHECKING:
    from cleansemg.denoising.chain import ChainLike
    from cleansemg.recordings import ChannelReport, Cleaned
    from cleansemg.running import BenchmarkRun

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

RAMP_S = 0.5  # of a simulated contraction, at both ends; cut off


def denoise(
    signal: ArrayLike,
    fs_hz: float,
    denoiser: ChainLike | None = None,
    weights: str | Path | None = None,
    *,
    track: str = "blind",
    window_s: float | None = None,
    overlap_s: float | None = None,
    **parameters: Any,
) -> Float32:
    """Denoise signals of any length and rate from 200 Hz, in overlapping windows, as `denoise_file` does.

    Args:
        signal: [L] or [n, L], in volts; NaN where there is no value: gaps stay gaps.
        fs_hz: sampling rate.
        denoiser: a name of `cleansemg list denoisers`, `package.module:Class`, or several, one after the other:
            "line_interpolation+vmd", or a list as `load` takes it; None: `default_denoiser`.
        weights: of a network: pretrained, open (fine-tuned on open recordings) or a file; None: the denoiser's default.
        track: blind, or auto: the denoiser is given the kinds of noise that the quality network predicts.
        window_s: length of a window; None: 4 s.
        overlap_s: of neighbouring windows; None: 1 s.
        parameters: of the denoiser; in a chain, `**{"vmd.k": 5}`.

    Returns:
        An array of the same shape, float32.

    Raises:
        UserError: an unknown denoiser, track, parameter or weights; a signal that the denoiser refuses.

    >>> import numpy as np
    >>> noisy = 1e-4 * np.random.default_rng(0).standard_normal(8192)
    >>> noisy[3000:3100] = np.nan
    >>> clean = denoise(noisy, 2048.0, "hp", cutoff_hz=20.0)
    >>> clean.shape, int(np.isnan(clean).sum())
    ((8192,), 100)
    """
    from cleansemg.core.errors import did_you_mean
    from cleansemg.core.threads import single_threaded
    from cleansemg.denoising.overlap_add import OVERLAP_S, WINDOW_S, OverlapAdd
    from cleansemg.recordings.auto_track import TRACKS, AutoTrack
    from cleansemg.recordings.denoiser_choice import choose, try_out
    from cleansemg.recordings.report import quality_model

    rows = _rows(signal)
    if track not in TRACKS:
        raise UserError(f"track is '{track}'{did_you_mean(track, TRACKS)}")
    method = choose(denoiser, weights, parameters).denoiser
    try_out(method, fs_hz)
    if track == "auto":
        method = AutoTrack(method, quality_model())
    window_s = WINDOW_S if window_s is None else window_s
    stream = OverlapAdd(method, fs_hz, len(rows), window_s, OVERLAP_S if overlap_s is None else overlap_s)
    with single_threaded():
        denoised = np.concatenate([stream.push(rows), stream.finish()], axis=1)
    return denoised.reshape(np.shape(signal))


def denoise_file(
    path: str | Path,
    output: str | Path,
    denoiser: ChainLike | None = None,
    weights: str | Path | None = None,
    *,
    reading: Mapping[str, Any] | None = None,
    **options: Any,
) -> Cleaned:
    """Denoise a recording's file into another, as `cleansemg denoise` does.

    Args:
        path: the recording.
        output: the denoised recording; its suffix says its format. A file that is there needs overwrite=True.
        denoiser: as for `denoise`.
        weights: as for `denoise`.
        reading: what the file does not say, as arguments of `open_recording`: {"fs_hz": 2000, "unit": "mV"}.
        options: others of `cleansemg.recordings.DenoiseOptions`: track, parameters, plot, report, overwrite ...

    Raises:
        UserError: whatever is wrong with the file, the options or the disk; nothing is written then.
    """
    import dataclasses

    from cleansemg.core.errors import did_you_mean
    from cleansemg.formats import open_file
    from cleansemg.recordings import DenoiseOptions, clean_file

    names = [field.name for field in dataclasses.fields(DenoiseOptions)]
    for name in options:
        if name not in names:
            raise UserError(f"denoise_file: unknown option '{name}'{did_you_mean(name, names)}")
    for name in ("plot", "report", "quality_weights"):
        if isinstance(options.get(name), str):
            options[name] = Path(options[name])
    wanted = DenoiseOptions(output=Path(output), denoiser=denoiser, weights=weights, **options)
    with open_file(path, **(reading or {})) as recording:
        return clean_file(recording, wanted)


def assess(
    recording: str | Path | ArrayLike,
    fs_hz: float | None = None,
    *,
    quality_weights: str | Path | None = None,
    **reading: Any,
) -> list[ChannelReport]:
    """Predict how good a recording is, with no clean one at hand: one report a channel, as `cleansemg quality` does.

    Args:
        recording: a file; or an array [L] or [n, L] in volts, NaN where there is no value.
        fs_hz: sampling rate; of a file, where the file does not say it.
        quality_weights: a file of the quality network; None: the pretrained one.
        reading: others of `open_recording`, for a file.

    Raises:
        UserError: shorter than 1 s, no rate, or a file that cannot be read.

    >>> import numpy as np
    >>> report = assess(1e-4 * np.random.default_rng(0).standard_normal(4000), 2000.0)[0]
    >>> report.rms is not None and round(report.rms, 6)
    0.0001
    """
    from cleansemg.formats import ChannelInfo, open_file
    from cleansemg.recordings import assess_file
    from cleansemg.recordings.report import RecordingMeter, check_duration, quality_model

    weights = None if quality_weights is None else Path(quality_weights)
    if isinstance(recording, str | Path):
        with open_file(recording, fs_hz=fs_hz, **reading) as file:
            return assess_file(file, weights).reports
    if reading:
        raise UserError(f"assess: {', '.join(reading)}: of files alone; an array is in volts")
    if fs_hz is None or not fs_hz > 0:
        raise UserError(f"assess: fs_hz is {fs_hz!r}: an array needs its sampling rate in Hz")
    from cleansemg.core.threads import single_threaded

    rows = _rows(recording)
    check_duration(rows.shape[1], fs_hz)
    channels = [ChannelInfo(f"ch{number}", "V", 1.0, column=number - 1) for number in range(1, len(rows) + 1)]
    with single_threaded():
        meter = RecordingMeter(channels, fs_hz, quality_model(weights))
        meter.push(rows)
        return meter.result()


def simulate(n: int = 1, duration_s: float = 2.0, fs_hz: float = 1000.0, *, seed: int = 2025) -> Float32:
    """Simulate clean surface EMG of steady contractions, by motor units (docs/simulation.md).

    Args:
        n: how many signals, each of another simulated person.
        duration_s: of each.
        fs_hz: sampling rate, from 1000 Hz.
        seed: of all draws; row i is the same for every n.

    Returns:
        [n, L], in volts.

    Raises:
        UserError: a value out of range.

    >>> simulate(2, 1.0).shape
    (2, 1000)
    """
    from cleansemg.data_pipeline.readers.simulated import SimulatedReader

    try:
        reader = SimulatedReader(
            n_subjects=n, n_channels=1, n_gestures=1, n_repetitions=1, contraction_s=duration_s + 2 * RAMP_S,
            rest_s=0.0, fs_hz=fs_hz, seed=seed,
        )  # fmt: skip
    except ValueError as error:
        raise UserError(f"simulate: {error}") from error
    first, length = round(RAMP_S * fs_hz), round(duration_s * fs_hz)
    if length < 1:
        raise UserError(f"simulate: duration_s is {duration_s!r}: shorter than one sample")
    signals = [reader.read(ref).signal[0, first : first + length] for ref in reader.list()]
    return np.stack(signals).astype(np.float32)


def mix(
    clean: ArrayLike, fs_hz: float, kinds: str | Iterable[str], snr_db: float | Sequence[float], *, seed: int = 0
) -> Float32:
    """Add generated noise to clean signals: equal energy of every kind, then their sum at exactly the SNR.

    Args:
        clean: [L] or [n, L].
        fs_hz: sampling rate.
        kinds: of noise, "PLI+ECG" or ["PLI", "ECG"]; or sources, by their names in `cleansemg list noises`. Those
            that need recordings are not for here. ECG needs the extra `simulation`.
        snr_db: total, over the whole signal, by sums of squares; one, or one a signal.
        seed: of all draws; row i gets the same noise for every n.

    Returns:
        An array of the same shape, float32.

    Raises:
        UserError: an unknown kind, or one that needs recordings or an extra; a silent signal.

    >>> import numpy as np
    >>> clean = simulate()
    >>> noise = mix(clean, 1000.0, "PLI+WGN", snr_db=5.0) - clean
    >>> round(float(10 * np.log10((clean**2).sum() / (noise**2).sum())), 2)
    5.0
    """
    from cleansemg.core.registry import find
    from cleansemg.noise.base import Request

    rows = _rows(clean)
    energy = (rows**2).sum(axis=1)
    if not (np.isfinite(energy) & (energy > 0)).all():
        raise InputError("mix: a clean signal is all zero or not finite, so it has no SNR")
    names = [name.strip() for name in (kinds.split("+") if isinstance(kinds, str) else kinds) if name.strip()]
    if not names or len(set(names)) < len(names):
        raise UserError(f"mix: kinds is {kinds!r}: expected one or more different kinds of noise")
    noise = np.zeros_like(rows)
    request = Request("test", len(rows), float(fs_hz), rows.shape[1] / float(fs_hz), seed, None)
    for name in names:
        source = find("noises", _source_of(name)).build()
        if source.needs_folder:
            raise UserError(f"mix: '{name}' needs recordings; a configuration names their folder (docs/noise.md)")
        pieces = np.stack([piece.samples[: rows.shape[1]] for piece in source.pieces(request)])
        noise += pieces / np.sqrt((pieces**2).sum(axis=1, keepdims=True))
    wanted = energy / 10.0 ** (np.broadcast_to(np.asarray(snr_db, np.float64), len(rows)) / 10.0)
    noise *= np.sqrt(wanted / (noise**2).sum(axis=1))[:, None]
    return (rows + noise).astype(np.float32).reshape(np.shape(clean))


def score(
    clean: ArrayLike,
    noisy: ArrayLike,
    denoised: ArrayLike,
    fs_hz: float,
    *,
    metrics: Iterable[str] | None = None,
    profile: str = "standard",
) -> dict[str, Float64]:
    """Score denoised against clean signals; definitions in docs/metrics.md.

    Args:
        clean: [L] or [n, L], the references.
        noisy: likewise, what was denoised.
        denoised: likewise.
        fs_hz: sampling rate.
        metrics: names of `cleansemg list metrics`, or `package.module:Class`; None: all of the profile.
        profile: of the definitions: standard, or that of a paper.

    Returns:
        By metric, a value a signal [n].

    Raises:
        UserError: unknown metrics, shapes that differ, signals that are too short or not finite.

    >>> import numpy as np
    >>> clean = simulate()
    >>> noisy = mix(clean, 1000.0, "WGN", snr_db=0.0)
    >>> score(clean, noisy, clean + 0.5 * (noisy - clean), 1000.0, metrics=["snrimp"])["SNRimp"].round(2).tolist()
    [6.02]
    """
    from cleansemg.evaluation.metrics import compute

    return compute(_rows(clean), _rows(noisy), _rows(denoised), fs_hz, profile, metrics=metrics)


def run_benchmark(
    config: str | Path = "demo",
    output: str | Path | None = None,
    *,
    stages: str = "all",
    denoisers: Sequence[str] = (),
    overrides: Sequence[str] = (),
    workers: int = 1,
    force: bool = False,
) -> BenchmarkRun:
    """Run the stages of a configuration, as `cleansemg run` does. Finished work is kept.

    Args:
        config: the name of a configuration of the project, or a file.
        output: folder of the results; None: `paths.output` of the configuration, below the working folder.
        stages: all, or some, with commas between.
        denoisers: beside those of the configuration.
        overrides: settings, as "mix.shard_size=500".
        workers: local processes.
        force: start over where results of other settings lie.

    Raises:
        UserError: whatever is wrong with configuration, data or results.
    """
    from cleansemg.running import run_stages

    return run_stages(
        Path(config), None if output is None else Path(output), stages=stages, denoisers=denoisers,
        overrides=overrides, workers=workers, force=force,
    )  # fmt: skip


def _rows(signal: ArrayLike) -> Float64:
    """[n, L] float64 of one or several signals."""
    rows = np.atleast_2d(np.asarray(signal, np.float64))
    if rows.ndim != 2 or rows.size == 0:
        raise InputError(f"expected signals [L] or [n, L], got an array of shape {np.shape(signal)}")
    return rows


def _source_of(name: str) -> str:
    """The source of a kind of noise that needs no recordings: the first of its name; other names stay."""
    from cleansemg.core.registry import entries, load_class

    for entry in entries("noises").values():
        cls = load_class(entry.target)
        if not cls.needs_folder and str(entry.extra.get("kind", cls.kind)).lower() == name.lower():
            return entry.name
    return name
