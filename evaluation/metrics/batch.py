"""A batch of segments in float64, with the views and spectra that several metrics share."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.evaluation.metrics.framing import split_windows, window_samples
from cleansemg.evaluation.metrics.spectrum import BandSpectra, band_spectra
from cleansemg.evaluation.metrics.workspace import Workspace

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Batch:
    """Segments that fit the processor's cache; features are computed once, at first use.

    Attributes:
        clean, noisy, denoised: [n, L] float64 in volts, finite; no clean row is silent.
        fs_hz: sampling rate in hertz.
        first_row: index of row 0 in the whole set, for messages.
        workspace: memory shared with the batches before and after.
        active: [n, L] bool, where the subject contracts; None where that is not known.

    Raises:
        UserError: a signal is not finite, or a clean row is silent.
    """

    clean: FloatArray
    noisy: FloatArray
    denoised: FloatArray
    fs_hz: float
    first_row: int = 0
    workspace: Workspace = field(default_factory=Workspace)
    active: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        for role in ("clean", "noisy", "denoised"):
            broken = np.logical_not(np.isfinite(getattr(self, role)).all(axis=-1))
            if broken.any():
                raise UserError(f"{role} segment in row {self._row(broken)} holds NaN or infinity; remove the row")
        silent = np.logical_not(self.clean.any(axis=-1))
        if silent.any():
            raise UserError(f"clean segment in row {self._row(silent)} is silent: no metric exists; remove the row")

    def _row(self, bad: NDArray[np.bool_]) -> int:
        return self.first_row + int(np.argmax(bad))

    @cached_property
    def clean_windows(self) -> FloatArray:
        """200 ms windows, [n, windows, samples], a view."""
        return split_windows(self.clean, window_samples(self.fs_hz))

    @cached_property
    def denoised_windows(self) -> FloatArray:
        """200 ms windows, [n, windows, samples], a view."""
        return split_windows(self.denoised, window_samples(self.fs_hz))

    @cached_property
    def spectra(self) -> BandSpectra:
        """Power spectra of the windows for the profile `standard`.

        Raises:
            UserError: a clean row has no power in the band.
        """
        spectra = band_spectra(self.clean_windows, self.denoised_windows, self.fs_hz)
        if spectra.no_band.any():
            raise UserError(
                f"clean segment in row {self._row(spectra.no_band)} has no power between"
                f" {spectra.frequencies_hz[0]:g} and {spectra.frequencies_hz[-1]:g} Hz; remove the row"
            )
        return spectra
