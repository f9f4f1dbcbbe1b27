"""The quality of a recording without a reference, channel by channel, in bounded memory.

meter = RecordingMeter(file.info.channels, file.info.fs_hz, quality_model())
for block in file.blocks():
    meter.push(block)
for channel in meter.result():
    print(channel.name, channel.snr)

`as_json` returns the form that is written to files (docs/own-recordings.md lists its keys).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.formats import ChannelInfo
from cleansemg.recordings.spectra import Line, Spectrum, find_line, mean_and_median_hz
from cleansemg.recordings.waveform import Parts, WaveformMeter

if TYPE_CHECKING:
    from cleansemg.quality import Quality
    from cleansemg.quality.models import Predictor

LOG = logging.getLogger(__name__)
SHORTEST_S = 1.0
GOOD_SNR_DB = 15.0  # from here on most methods lose more than they gain (README)


@dataclass(frozen=True)
class PredictedSNR:
    """SNR as the quality network reads it.

    Attributes:
        median_db: over the windows.
        low_db: 10th percentile over the windows; None for fewer than two.
        high_db: 90th percentile.
        overall_db: power of the signal over that of the noise in all windows together.
        n_windows: that could be read.
    """

    median_db: float
    low_db: float | None
    high_db: float | None
    overall_db: float
    n_windows: int


@dataclass(frozen=True)
class ChannelReport:
    """One channel.

    Attributes:
        name: as the file has it.
        unit: of the amplitudes below, the file's own.
        fs_hz: sampling rate.
        duration_s: gaps included.
        rms: about the mean; None where the channel has no value, as the next three.
        mean: the offset.
        minimum: smallest value.
        maximum: largest.
        snr: None without a quality model, or where no window could be read.
        kinds: probability of each kind of noise, mean over the windows; None as `snr`.
        line: what stands out at the mains frequency.
        mean_frequency_hz: within 20 to 500 Hz; None where no power is there.
        median_frequency_hz: likewise.
        clipped_share: of the values, those at the extremes in runs.
        flat: runs of one value.
        gaps: stretches without a value.
        spectrum: in volts squared per Hz.
    """

    name: str
    unit: str
    fs_hz: float
    duration_s: float
    rms: float | None
    mean: float | None
    minimum: float | None
    maximum: float | None
    snr: PredictedSNR | None
    kinds: dict[str, float] | None
    line: Line
    mean_frequency_hz: float | None
    median_frequency_hz: float | None
    clipped_share: float
    flat: Parts
    gaps: Parts
    spectrum: Spectrum


class RecordingMeter:
    """A recording, block by block: `push`, `push`, ..., `result`."""

    def __init__(self, channels: Sequence[ChannelInfo], fs_hz: float, model: Predictor | None) -> None:
        """Start.

        Args:
            channels: of every block.
            fs_hz: sampling rate, from 200 Hz.
            model: of quality, for SNR and kinds of noise; None: these are left out.

        Raises:
            InputError: a rate that the quality model refuses.
        """
        self._channels, self._fs_hz = tuple(channels), float(fs_hz)
        self._waveforms = [WaveformMeter(self._fs_hz) for _ in self._channels]
        self._quality = None
        if model is not None:
            from cleansemg.quality import QualityMeter

            self._quality = QualityMeter(self._fs_hz, len(self._channels), model)

    def push(self, block: NDArray[np.floating]) -> None:
        """Add the next samples [C, l], volts; NaN where there is no value."""
        values = np.asarray(block, np.float64)
        for waveform, row in zip(self._waveforms, values, strict=True):
            waveform.push(row)
        if self._quality is not None:
            self._quality.push(values)

    def result(self) -> list[ChannelReport]:
        """One report a channel; nothing can be pushed after it.

        Raises:
            UserError: the recording is shorter than 1 s.
        """
        check_duration(self._waveforms[0].n_samples, self._fs_hz)
        qualities = self._quality.result() if self._quality is not None else [None] * len(self._channels)
        parts = zip(self._channels, self._waveforms, qualities, strict=True)
        return [self._report(channel, waveform, quality) for channel, waveform, quality in parts]

    def _report(self, channel: ChannelInfo, waveform: WaveformMeter, quality: Quality | None) -> ChannelReport:
        waveform.finish()
        spectrum = waveform.spectrum.result()
        mean_hz, median_hz = mean_and_median_hz(spectrum)
        has_values = waveform.n_values > 0
        scale, offset = channel.volts_per_unit, channel.offset
        read = quality is not None and len(quality.windows.snr_db) > 0
        return ChannelReport(
            name=channel.name,
            unit=channel.unit,
            fs_hz=self._fs_hz,
            duration_s=waveform.n_samples / self._fs_hz,
            rms=None if waveform.rms is None else waveform.rms / scale,
            mean=waveform.mean / scale + offset if has_values else None,
            minimum=waveform.minimum / scale + offset if has_values else None,
            maximum=waveform.maximum / scale + offset if has_values else None,
            snr=_snr(quality) if quality is not None and read else None,
            kinds=quality.kinds if quality is not None and read else None,
            line=find_line(spectrum),
            mean_frequency_hz=mean_hz,
            median_frequency_hz=median_hz,
            clipped_share=waveform.clipped_share,
            flat=waveform.flat,
            gaps=waveform.gaps,
            spectrum=spectrum,
        )


def quality_model(weights: Path | None = None) -> Predictor:
    """The network that reads SNR and kinds of noise.

    Args:
        weights: a file; None: the pretrained ones.

    Raises:
        UserError: a file that is absent, broken, or no quality model that takes recordings; no pretrained weights.
    """
    from cleansemg.quality import models

    model = models.load(weights)
    if not hasattr(model.network, "convolutions"):
        which = weights or "the pretrained weights"
        raise UserError(f"{which}: '{model.name}' takes signals of one length only, so it cannot assess recordings")
    return model


def check_duration(n_samples: int, fs_hz: float, name: str = "the recording") -> None:
    """Refuse what is too short to be assessed.

    Raises:
        UserError: shorter than 1 s.
    """
    if n_samples < SHORTEST_S * fs_hz:
        seconds = n_samples / fs_hz
        raise UserError(f"{name} has {n_samples} samples, {seconds:.3g} s at {fs_hz:g} Hz; at least {SHORTEST_S:g} s")


def good_already(reports: Sequence[ChannelReport]) -> list[ChannelReport]:
    """The channels whose predicted SNR is `GOOD_SNR_DB` or more: those a denoiser can hardly improve."""
    return [one for one in reports if one.snr is not None and one.snr.median_db >= GOOD_SNR_DB]


def as_json(report: ChannelReport) -> dict[str, Any]:
    """A report as JSON can hold it; null where there is no value."""
    snr, line = report.snr, report.line
    return {
        "name": report.name,
        "unit": report.unit,
        "fs_hz": report.fs_hz,
        "duration_s": report.duration_s,
        "rms": report.rms,
        "mean": report.mean,
        "minimum": report.minimum,
        "maximum": report.maximum,
        "predicted_snr": None
        if snr is None
        else {
            "median_db": snr.median_db,
            "low_db": snr.low_db,
            "high_db": snr.high_db,
            "overall_db": snr.overall_db,
            "windows": snr.n_windows,
        },
        "noise_kinds": report.kinds,
        "line": {
            "mains_hz": line.mains_hz,
            "present": line.present,
            "peak_hz": line.peak_hz,
            "level_db": line.level_db,
            "harmonics": list(line.harmonics),
        },
        "mean_frequency_hz": report.mean_frequency_hz,
        "median_frequency_hz": report.median_frequency_hz,
        "clipped_share": report.clipped_share,
        "flat": {"count": report.flat.count, "seconds": report.flat.seconds},
        "gaps": {"count": report.gaps.count, "seconds": report.gaps.seconds},
    }


def _snr(quality: Quality) -> PredictedSNR:
    median_db = float(np.median(quality.windows.snr_db))
    n_windows = len(quality.windows.snr_db)
    return PredictedSNR(median_db, quality.snr_low_db, quality.snr_high_db, quality.snr_db, n_windows)
