"""What the readers of simulated data sets share: range checks of parameters, recordings without files, fingerprints."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from cleansemg.core.errors import ItemError
from cleansemg.core.fingerprint import canonical_json
from cleansemg.data_pipeline.recording import Recording, RecordingReader, RecordingRef

MAX_SEED = 2**63 - 1
LOWEST_FS_HZ, HIGHEST_FS_HZ = 1000.0, 20_000.0  # a lower rate cannot hold the band of surface EMG (to 450 Hz)


class SimulationReader(RecordingReader):
    """A reader that simulates its recordings.

    Attributes:
        model_version: is raised when the same parameters give another signal.
        decisive: names of the attributes that decide a signal; the numbers of people and recordings do not.
        exercise_key: name of the exercise in the fingerprint.
        extent: text about the existing recordings, for the error about one that does not exist.
    """

    model_version: ClassVar[int] = 1
    decisive: ClassVar[tuple[str, ...]]
    exercise_key: ClassVar[str] = "exercise"
    extent: str

    def list(self) -> Sequence[RecordingRef]:
        """One reference per person and exercise; nothing is simulated yet."""
        return [
            RecordingRef(self.database, person, exercise, f"{person}/{exercise}", self._fingerprint(person, exercise))
            for person, exercise in self._recordings()
        ]

    def read(self, ref: RecordingRef) -> Recording:
        """Simulate one recording; the same reference always gives the same signal.

        Raises:
            ItemError: the data set has no such recording.
        """
        if (ref.subject, ref.exercise) not in self._recordings():
            raise ItemError(f"{ref.database}/{ref.key}: not simulated; {self.extent}")
        return self._simulate(ref)

    @abstractmethod
    def _recordings(self) -> Iterator[tuple[str, str]]:
        """Subject and exercise of every recording, in order."""

    @abstractmethod
    def _simulate(self, ref: RecordingRef) -> Recording: ...

    def _fingerprint(self, subject: str, exercise: str) -> str:
        parameters = {name: getattr(self, name) for name in self.decisive}
        identity = {"model": self.model_version, "subject": subject, self.exercise_key: exercise, **parameters}
        return hashlib.sha256(canonical_json(identity).encode()).hexdigest()[:32]


def whole_number(name: str, value: object, low: int, high: int) -> int:
    """Check a parameter that is a count.

    Raises:
        ValueError: it is not a whole number from `low` to `high`.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}: expected a whole number from {low} to {high}")
    return value


def number(name: str, value: object, low: float, high: float) -> float:
    """Check a parameter that is a quantity.

    Raises:
        ValueError: it is not a number from `low` to `high`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}: expected a number from {low:g} to {high:g}")
    return float(value)
