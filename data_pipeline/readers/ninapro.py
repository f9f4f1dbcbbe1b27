"""Ninapro databases: one MATLAB file per subject and exercise, with a label and a repetition for every sample.

Format: https://ninapro.hevs.ch; Atzori et al. 2014, doi:10.1038/sdata.2014.53.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError
from cleansemg.core.npz import float64
from cleansemg.core.periodogram import welch
from cleansemg.data_pipeline.readers.listing import compile_pattern, find_files, sorted_refs
from cleansemg.data_pipeline.readers.samples import count_repetitions, length_with_values, whole_numbers
from cleansemg.data_pipeline.recording import FileReader, Recording, RecordingRef, content_fingerprint
from cleansemg.formats.mat_variables import list_variables, load_variables
from cleansemg.formats.units import volts_per_unit

log = logging.getLogger(__name__)

LENGTH_TOLERANCE = 0.05  # of the shortest of signal and labels
WELCH_SAMPLES = 2048
MIDDLE_HZ = (100.0, 500.0)  # where every surface EMG has power
EDGE_MARGIN = 1.05  # where a resampling filter has ended
EMPTY = 1e-4  # density above the edge over that inside: 40 dB below, where even an amplifier's own noise lies higher
RATE_TOLERANCE = 0.005  # relative; 1926 and 1925.93 Hz are the same clock


class NinaproReader(FileReader):
    """Reads files named like `S1_E1_A1.mat`, at any depth below the folder.

    Args:
        database: name of the database.
        folder: folder that holds its files, at any depth.
        fs_hz: sampling rate in hertz; a file that states another is refused.
        unit: unit of the signal, see `volts_per_unit`.
        file_patterns: regular expressions of file names, with groups `subject`, `exercise` and
            perhaps `acquisition`.
        signal_key: the variable that holds the signal, [T, C] or [C, T].
        label_keys, repetition_keys: variables tried in this order. Without repetition keys, the runs
            of each label are numbered.
        rate_keys: variables that may state the sampling rate.
        exercises: numbers of the exercises to read; None: all.
        name_acquisitions: add the acquisition to the name of the exercise ("E1A2" instead of "E1").
        max_length_difference: samples by which labels may be shorter or longer than the signal; None: 5 % of the
            shortest. All are then cut to the shortest, and by how much is logged.
        upsampled_from_hz: rate in hertz of the recording, where published files are resampled from it to `fs_hz`. Such
            a file holds no power above half this rate; one that does was not resampled, and is read at this rate.

    Raises:
        ValueError: a pattern or the unit is invalid.
    """

    def __init__(
        self,
        database: str,
        folder: Path,
        fs_hz: float = 2000.0,
        unit: str | float = "V",
        file_patterns: Sequence[str] = (r"S(?P<subject>\d+)_E(?P<exercise>\d+)_A(?P<acquisition>\d+)\.mat(?:\.mat)?",),
        signal_key: str = "emg",
        label_keys: Sequence[str] = ("restimulus", "stimulus"),
        repetition_keys: Sequence[str] = ("rerepetition", "repetition"),
        rate_keys: Sequence[str] = ("frequency", "fs"),
        exercises: Sequence[int] | None = None,
        name_acquisitions: bool = False,
        max_length_difference: int | None = None,
        upsampled_from_hz: float | None = None,
    ) -> None:
        if isinstance(file_patterns, str):
            raise ValueError(f"file_patterns is a list of regular expressions, got '{file_patterns}'")  # noqa: TRY004
        self.database = database
        self.folder = Path(folder)
        self.fs_hz = float(fs_hz)
        self.scale = volts_per_unit(unit)
        required = ("subject", "exercise", "acquisition") if name_acquisitions else ("subject", "exercise")
        self.patterns = [compile_pattern(pattern, required) for pattern in file_patterns]
        self.signal_key = signal_key
        self.label_keys = tuple(label_keys)
        self.repetition_keys = tuple(repetition_keys)
        self.rate_keys = tuple(rate_keys)
        self.exercises = None if exercises is None else {int(number) for number in exercises}
        self.name_acquisitions = name_acquisitions
        self.max_length_difference = max_length_difference
        if upsampled_from_hz is not None and not 0 < upsampled_from_hz < self.fs_hz:
            raise ValueError(f"upsampled_from_hz is {upsampled_from_hz}, expected a rate below fs_hz, {self.fs_hz:g}")
        self.upsampled_from_hz = upsampled_from_hz

    def list(self) -> Sequence[RecordingRef]:
        """All recordings of the declared exercises; see `RecordingReader.list`."""
        refs = []
        for file in find_files(self.database, self.folder, self.patterns):
            number = int(file.groups["exercise"])
            if self.exercises is not None and number not in self.exercises:
                continue
            suffix = f"A{int(file.groups['acquisition'])}" if self.name_acquisitions else ""
            refs.append(
                RecordingRef(
                    database=self.database,
                    subject=f"S{int(file.groups['subject'])}",
                    exercise=f"E{number}{suffix}",
                    key=file.key,
                    fingerprint=content_fingerprint(self.folder / file.key),
                )
            )
        return sorted_refs(refs, "" if self.name_acquisitions else ", or set name_acquisitions: true")

    def _read(self, ref: RecordingRef) -> Recording:
        """Cut the samples at the end where every channel is NaN, and log it; quality control handles other NaN."""
        path = self.folder / ref.key
        present = [variable.name for variable in list_variables(path) if variable.trusted]
        label_key = _first(self.label_keys, present, "labels")
        repetition_key = _first(self.repetition_keys, present, "repetitions") if self.repetition_keys else None
        _first((self.signal_key,), present, "signal")
        rates = [key for key in self.rate_keys if key in present]
        wanted = [self.signal_key, label_key, *rates, *([repetition_key] if repetition_key else [])]
        variables = load_variables(path, wanted)
        for key in rates:
            self._check_rate(key, variables[key])
        label = whole_numbers(variables[label_key], label_key)
        signal = _channels_first(variables[self.signal_key], self.signal_key, label.size)
        lengths = {self.signal_key: signal.shape[1], label_key: label.size}
        if repetition_key:
            repetition = whole_numbers(variables[repetition_key], repetition_key)
            lengths[repetition_key] = repetition.size
        else:
            repetition = count_repetitions(label)
        n = min(lengths.values())
        self._check_lengths(lengths, ref)
        length = length_with_values(signal[:, :n])
        if length == 0:
            raise ItemError(f"'{self.signal_key}' holds no value (NaN throughout)")
        if length < n:
            log.warning("%s: %s: %d samples of NaN at the end are cut", self.database, ref.key, n - length)
        return Recording(
            database=ref.database,
            subject=ref.subject,
            exercise=ref.exercise,
            signal=signal[:, :length] * self.scale,
            fs_hz=self.fs_hz if rates else self._rate(signal[:, :length], ref),
            channels=tuple(f"ch{number}" for number in range(1, len(signal) + 1)),
            label=label[:length],
            repetition=repetition[:length],
        )

    def _check_lengths(self, lengths: Mapping[str, int], ref: RecordingRef) -> None:
        """Refuse lengths that differ by more than is allowed; log smaller differences of more than one sample."""
        shortest, text = min(lengths.values()), ", ".join(f"'{key}' {size}" for key, size in lengths.items())
        difference, allowed = max(lengths.values()) - shortest, self.max_length_difference
        if allowed is None:
            allowed = max(1, round(LENGTH_TOLERANCE * shortest))
        if difference > allowed:
            raise ItemError(f"samples differ by more than {allowed}: {text}; see max_length_difference")
        if difference > 1:
            log.warning("%s: %s: cut to the shortest of %s samples", self.database, ref.key, text)

    def _rate(self, signal: NDArray[np.float64], ref: RecordingRef) -> float:
        """The rate of a file that states none: `fs_hz`, or that before resampling where the file was not resampled."""
        if self.upsampled_from_hz is None or not _fills_band(signal, self.fs_hz, self.upsampled_from_hz / 2):
            return self.fs_hz
        log.warning(
            "%s: %s: holds power above %g Hz, so it was not resampled to %g Hz; read at %g Hz",
            self.database, ref.key, self.upsampled_from_hz / 2, self.fs_hz, self.upsampled_from_hz,
        )  # fmt: skip
        return self.upsampled_from_hz

    def _check_rate(self, key: str, value: NDArray[Any]) -> None:
        try:
            stated = float(np.asarray(value).reshape(-1)[0])
        except (TypeError, ValueError, IndexError):
            raise ItemError(f"'{key}' does not hold a sampling rate") from None
        if abs(stated - self.fs_hz) > RATE_TOLERANCE * self.fs_hz:
            raise ItemError(
                f"'{key}' says {stated:g} Hz, the configuration {self.fs_hz:g} Hz; "
                f"if the file is right, --set datasets.{self.database}.parameters.fs_hz={stated:g}"
            )


def _fills_band(signal: NDArray[np.float64], fs_hz: float, edge_hz: float) -> bool:
    """Whether a signal [C, T] holds power above a frequency: by the density there, against that from 100 to 500 Hz."""
    finite = np.where(np.isfinite(signal), signal, 0.0)
    frequency_hz, density = welch(finite, fs_hz, min(finite.shape[1], WELCH_SAMPLES))
    inside = density[:, (frequency_hz > MIDDLE_HZ[0]) & (frequency_hz < MIDDLE_HZ[1])].mean(axis=1)
    above = density[:, frequency_hz > EDGE_MARGIN * edge_hz].mean(axis=1)
    live = inside > 0
    return bool(live.any() and np.median(above[live] / inside[live]) > EMPTY)


def _listed(names: Sequence[str]) -> str:
    """Names in a form that is safe for a message: a damaged file may hold names of any length and characters."""
    shown = ", ".join(name if name.isidentifier() and len(name) < 64 else ascii(name[:20]) for name in names[:10])
    return (shown + (", ..." if names[10:] else "")) or "nothing"


def _first(keys: Sequence[str], present: Sequence[str], what: str) -> str:
    for key in keys:
        if key in present:
            return key
    names = " or ".join(f"'{key}'" for key in keys)
    raise ItemError(f"has no {what} ({names}); it holds {_listed(present)}")


def _channels_first(values: NDArray[Any], key: str, n_labels: int) -> NDArray[np.float64]:
    """Convert [T, C] or [C, T] to [C, T] float64.

    Time is the axis whose length is nearer to the number of labels; where both are as near, the longer one.
    """
    if values.dtype.kind not in "fiu" or values.ndim != 2 or not values.size:
        raise ItemError(f"'{key}' is no table of numbers (shape {values.shape}, {values.dtype})")
    off = [abs(size - n_labels) for size in values.shape]
    time_first = off[0] < off[1] if off[0] != off[1] else values.shape[0] >= values.shape[1]
    return np.ascontiguousarray(float64(values.T if time_first else values))
