"""Notch, band-pass and high-pass filters (infinite impulse response), the usual filter chain for surface EMG.

All tracks use one definition. All filters run forwards and backwards (`causal`: forwards only); the high-pass and the
band-pass are Butterworth filters of order 4:

    step              blind                            published
    notch             where `power_line` finds a line  signals with PLI: at the known frequency, or at the
                      (rule and threshold there)       highest candidate where it is not known
    band-pass 20-500  never                            signals with WGN or Color
    high-pass         `cutoff_hz`, signals that are    signals with ECG or MOA: `cutoff_hz`; 20 Hz for motion of
                      slow (`noise_detection`)         NSTDB (record em); 10 Hz for baseline wander (bw)

On the oracle and auto tracks, the steps of the blind track are taken where the labels have a kind of noise that can
show itself so (`noise_detection.from_both`), and the notch is at the given frequency.

The fundamental gets a notch, and so does every harmonic that the same rule detects. The width in hertz is the same at
every harmonic: a constant Q would remove a band of 60 Hz from the EMG at 300 Hz. The cut-off of 40 Hz is that of the
published baselines for ECG and motion (ICASSP 2023 FCN paper; TrustEMG-Net supplement; CleanSEMG); 20 to 500 Hz is
the band of surface EMG there. Those baselines apply the high-pass to unlabelled data, too, whatever it holds
(`slow_ratio=0`). That removes the EMG below the cut-off from signals without slow noise. So by default the high-pass
is applied only where there is more power below the cut-off than EMG has.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import dsp
from cleansemg.core.errors import InputError, UserError
from cleansemg.denoising.base import Denoiser
from cleansemg.denoising.causal_high_pass import CausalHighPass
from cleansemg.denoising.noise_detection import (
    NOTCH_WIDTH_HZ,
    SHOWS_AS,
    SLOW_RATIO,
    given_line_for_notch,
    is_slow,
    without_line,
)
from cleansemg.denoising.power_line import THRESHOLD, find_power_line
from cleansemg.noise.labels import NoiseLabels

# The published baselines (protocol A10) high-pass Machado's motion at 40 Hz, that of NSTDB and baseline wander lower.
MOTION_HZ = {"em": 20.0}  # by the record that motion is from; others: `cutoff_hz`
WANDER, WANDER_HZ = "bw", 10.0


class HighPass(Denoiser):
    """High-pass, band-pass and notch filters."""

    name = "hp"
    tracks = ("blind", "oracle", "published")
    min_samples = 32
    sign_equivariant = True

    def __init__(
        self,
        cutoff_hz: float = 40.0,
        band_hz: tuple[float, float] = (20.0, 500.0),
        order: int = 4,
        notch_width_hz: float = NOTCH_WIDTH_HZ,
        n_harmonics: int = 5,
        line_threshold: float = THRESHOLD,
        slow_ratio: float = SLOW_RATIO,
    ) -> None:
        """Set the filters.

        Args:
            cutoff_hz: cut-off of the high-pass.
            band_hz: low and high edge of the band-pass; the high edge is limited to 0.99 of the Nyquist
                frequency.
            order: order of the Butterworth filters, for one direction.
            notch_width_hz: -3 dB width of a notch, for one direction.
            n_harmonics: largest number of harmonics of the power line, the fundamental included.
            line_threshold: least power of a spectral line over the median around it.
            slow_ratio: the blind track applies the high-pass where the power below `cutoff_hz` is more than this
                multiple of what surface EMG has there; 0: always.

        Raises:
            UserError: a parameter is out of range.
        """
        self.cutoff_hz = _positive("cutoff_hz", cutoff_hz)
        self.band_hz = (_positive("band_hz", band_hz[0]), _positive("band_hz", band_hz[1]))
        self.order = int(_positive("order", order))
        self.notch_width_hz = _positive("notch_width_hz", notch_width_hz)
        self.n_harmonics = int(_positive("n_harmonics", n_harmonics))
        self.line_threshold = _positive("line_threshold", line_threshold)
        if not np.isfinite(slow_ratio) or slow_ratio < 0:
            raise UserError(f"hp: slow_ratio is {slow_ratio!r}, expected a number from 0")
        self.slow_ratio = float(slow_ratio)
        if self.band_hz[0] >= self.band_hz[1]:
            raise UserError(f"hp: band_hz is {self.band_hz}, expected low, high")

    def causal(self, fs_hz: float, n_channels: int) -> CausalHighPass:
        """The same filters run forwards only, by the blind rules (`denoising/causal_high_pass.py`).

        Raises:
            InputError: a cut-off does not fit the rate, or the rate or number of channels is not positive.
        """
        if np.isfinite(fs_hz):
            self._check_rate(fs_hz)
        return CausalHighPass(
            fs_hz, n_channels,
            cutoff_hz=self.cutoff_hz, order=self.order, notch_width_hz=self.notch_width_hz,
            n_harmonics=self.n_harmonics, line_threshold=self.line_threshold, slow_ratio=self.slow_ratio,
        )  # fmt: skip

    def _check_rate(self, fs_hz: float) -> None:
        highest_hz = max(self.cutoff_hz, self.band_hz[0])
        if highest_hz >= dsp.NYQUIST_MARGIN * fs_hz / 2:
            raise InputError(f"hp: a cut-off of {highest_hz:g} Hz does not fit a sampling rate of {fs_hz:g} Hz")

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> NDArray[np.float64]:
        self._check_rate(fs_hz)
        cleaned = np.stack([self._without_line(row, fs_hz, labels, i) for i, row in enumerate(noisy)])
        if labels is not None and labels.rule == "published":
            return self._by_kind(cleaned, fs_hz, labels)
        believed = np.ones(len(cleaned), np.bool_) if labels is None else labels.may_hold(SHOWS_AS["slow"])
        always = self.slow_ratio == 0
        slow = np.array([always or is_slow(row, self.cutoff_hz, fs_hz, self.slow_ratio) for row in cleaned]) & believed
        if slow.any():
            cleaned[slow] = dsp.high_pass(cleaned[slow], self.cutoff_hz, fs_hz, self.order)
        return cleaned

    def _by_kind(self, x: NDArray[np.float64], fs_hz: float, labels: NoiseLabels) -> NDArray[np.float64]:
        """The published filters for what is given, lines aside; several high-passes are one, that of the highest."""
        wander = np.array([record == WANDER for record in labels.record_of("Color")], np.bool_)
        wide = labels.has("WGN") | (labels.has("Color") & ~wander)
        if wide.any():
            x[wide] = dsp.band_pass(x[wide], *self.band_hz, fs_hz, self.order)
        cutoff_hz = np.where(labels.has("Color") & wander, WANDER_HZ, 0.0)
        moving_hz = [MOTION_HZ.get(record, self.cutoff_hz) for record in labels.record_of("MOA")]
        cutoff_hz = np.maximum(cutoff_hz, np.where(labels.has("MOA"), moving_hz, 0.0))
        cutoff_hz = np.maximum(cutoff_hz, np.where(labels.has("ECG"), self.cutoff_hz, 0.0))
        for one_hz in np.unique(cutoff_hz[cutoff_hz > 0]):
            rows = cutoff_hz == one_hz
            x[rows] = dsp.high_pass(x[rows], float(one_hz), fs_hz, self.order)
        return x

    def _without_line(
        self, x: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None, row: int
    ) -> NDArray[np.float64]:
        if labels is not None and labels.rule == "evidence":
            line = given_line_for_notch(
                x, fs_hz, labels[row : row + 1], self.line_threshold, self.n_harmonics, self.notch_width_hz
            )
            return x if line is None else without_line(x, fs_hz, line, self.notch_width_hz)
        if labels is not None and not labels.has("PLI")[row]:
            return x
        line = find_power_line(
            x, fs_hz,
            known_hz=float("nan") if labels is None else float(labels.line_hz[row]),
            known_present=labels is not None,
            n_harmonics=self.n_harmonics,
            threshold=self.line_threshold,
        )  # fmt: skip
        return without_line(x, fs_hz, line, self.notch_width_hz)


def _positive(name: str, value: float) -> float:
    if not np.isfinite(value) or value <= 0:
        raise UserError(f"hp: {name} is {value!r}, expected a positive number")
    return float(value)
