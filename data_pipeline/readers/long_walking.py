"""Long-lasting walking (PhysioNet semg 1.0.1): ten leg muscles and two footswitches, labelled by `gait_states`.

Di Nardo, Morbidoni and Fioretti 2024, doi:10.13026/grdj-qx06. A record has 14 signals: for each leg a footswitch, a
knee goniometer and five muscles. The header states the sampling rate.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError
from cleansemg.data_pipeline.readers.gait_states import StateRule, gait_states
from cleansemg.data_pipeline.readers.samples import count_repetitions
from cleansemg.data_pipeline.readers.wfdb_folder import ANY_RECORD, WfdbReader
from cleansemg.data_pipeline.recording import Recording, RecordingReader, RecordingRef
from cleansemg.formats.wfdb_record import WfdbRecord

FOOTSWITCHES = (0, 7)
MUSCLES = (2, 3, 4, 5, 6, 9, 10, 11, 12, 13)  # 1 and 8 are the goniometers
NO_MUSCLE = re.compile(r"foot|switch|baso|gonio|knee|hip", re.IGNORECASE)


class LongWalkingReader(RecordingReader):
    """Reads every `.hea` file below the folder; labels are 1 stand, 2 start, 3 walk, 4 stop, 0 none of them.

    Args:
        database: name of the database.
        folder: folder that holds its files, at any depth.
        pattern: regular expression of the header's name, with a group `subject`.
        footswitches: names or positions of the two footswitch signals.
        muscles: names or positions of the EMG signals.
        n_signals: number of signals that every record must have, so that positions mean the same in all; None: not
            checked, for signals that are selected by name.
        unit: unit of the EMG signals, whatever the headers state; None: the headers' unit. The published headers state
            mV for every signal, also for switches and joints. The numbers are microvolts, volts and degrees, as EMG of
            80 mV RMS does not exist. With a unit, the numbers of the switches are taken for volts.
        rule: values that replace the defaults of `gait_states.StateRule`.

    Raises:
        ValueError: a parameter is invalid.
    """

    def __init__(
        self,
        database: str,
        folder: Path,
        pattern: str = ANY_RECORD,
        footswitches: Sequence[str | int] = FOOTSWITCHES,
        muscles: Sequence[str | int] = MUSCLES,
        n_signals: int | None = 14,
        rule: dict[str, float] | None = None,
        unit: str | float | None = None,
    ) -> None:
        if not footswitches or not muscles:
            raise ValueError("footswitches and muscles each name at least one signal")
        if set(footswitches) & set(muscles):
            raise ValueError(f"footswitches {list(footswitches)} and muscles {list(muscles)} share a signal")
        self.database = database
        self.folder = Path(folder)
        self.n_signals = n_signals
        try:
            self.rule = StateRule(**(rule or {}))  # type: ignore[arg-type]
        except TypeError as error:
            known = ", ".join(StateRule.__dataclass_fields__)
            raise ValueError(f"rule: {error}; it has {known}") from None
        self._muscles = WfdbReader(database, folder, pattern, muscles, unit, overrule_header=unit is not None)
        # The rule for states counts changes in volts; numbers without a unit, or with one not to be trusted, are volts.
        self._switches = WfdbReader(database, folder, pattern, footswitches, unit=1.0, overrule_header=unit is not None)

    def list(self) -> Sequence[RecordingRef]:
        """All records; see `RecordingReader.list`."""
        return self._muscles.list()

    def read(self, ref: RecordingRef) -> Recording:
        """Read one record; see `RecordingReader.read`."""
        self._check_signals(ref)
        emg = self._muscles.read(ref)
        for name in emg.channels:
            if NO_MUSCLE.search(name):
                raise ItemError(f"{self.database}: {ref.key}: signal '{name}' is no muscle; name the ten with muscles:")
        switches = self.switches(ref)
        if emg.fs_hz != switches.fs_hz:
            raise ItemError(f"{self.database}: {ref.key}: muscles at {emg.fs_hz:g} Hz, switches at {switches.fs_hz:g}")
        tracks = np.concatenate(
            [emg.signal[:, : switches.signal.shape[1]], switches.signal[:, : emg.signal.shape[1]]]
        )  # [C + 2, T]
        n_samples = self._gapless(tracks, (*emg.channels, *switches.channels), emg.fs_hz, ref)
        n_muscles = len(emg.channels)
        label = gait_states(tracks[n_muscles:, :n_samples], emg.fs_hz, self.rule)
        return Recording(
            database=ref.database,
            subject=ref.subject,
            exercise=ref.exercise,
            signal=tracks[:n_muscles, :n_samples],
            fs_hz=emg.fs_hz,
            channels=emg.channels,
            label=label,
            repetition=count_repetitions(label),
        )

    def switches(self, ref: RecordingRef) -> Recording:
        """The footswitch signals alone, in volts where the header's unit is a voltage."""
        return self._switches.read(ref)

    def _check_signals(self, ref: RecordingRef) -> None:
        try:
            names = WfdbRecord(self.folder / ref.key).names
        except ItemError:
            return  # reading the signals then gives a clearer error
        if names and self.n_signals is not None and len(names) != self.n_signals:
            raise ItemError(
                f"{self.database}: {ref.key}: has {len(names)} signals ({', '.join(names)}), expected "
                f"{self.n_signals}, so positions mean others; name them with footswitches:, muscles:, n_signals: null"
            )

    def _gapless(self, tracks: NDArray[np.float64], names: Sequence[str], fs_hz: float, ref: RecordingRef) -> int:
        """Number of samples up to the first sample from which on a track [T] has no value.

        Raises:
            ItemError: a track has no value at all, or a gap before that sample.
        """
        missing = ~np.isfinite(tracks)
        present = [np.flatnonzero(~row) for row in missing]
        where = f"{self.database}: {ref.key}"
        for name, index in zip(names, present, strict=True):
            if not index.size:
                raise ItemError(f"{where}: signal '{name}' holds no value")
        n_samples = int(min(index[-1] for index in present)) + 1
        for name, row in zip(names, missing[:, :n_samples], strict=True):
            if row.any():
                at_s = int(row.argmax()) / fs_hz
                raise ItemError(f"{where}: signal '{name}' has {int(row.sum())} gaps, the first at {at_s:.2f} s")
        return n_samples
