"""Settings of the data pipeline: data sets, quality control, grades, the split, segments (A2 to A4)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from cleansemg.core.settings import Part, Positive, Section, SplitPart


class Dataset(Section):
    """One database of recordings; the name is an entry of configs/datasets/, or one's own with `class`."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    enabled: bool = True
    # the entry of configs/datasets/, or package.module:Class, that reads it; the data set's own name is then free
    class_: str | None = Field(default=None, alias="class")
    part: SplitPart | None = None  # where all its people go, whatever the split says; None: as split.rule has it
    folder: str | None = None  # below paths.data_root; None: the entry's own
    parameters: dict[str, Any] = {}  # over the entry's own


class Qc(Section):
    """Quality measures per trial and channel (A2)."""

    later = frozenset({"welch_s", "rms_range_v"})

    # Welch's longest piece: 2 Hz of resolution, whatever the rate, and 1024 samples at Ninapro's 2000 Hz
    welch_s: Positive | None = 0.512
    welch_samples: int = 1024  # in its place where welch_s is null, as published: at 20 kHz, 20 Hz is then one bin
    smr_band_hz: Positive = 20.0
    shr_nyquist_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.8
    min_trial_samples: int = 128
    hampel_window_s: Positive = 2.0
    hampel_hop_s: Positive = 1.0
    hampel_half_width_bins: Annotated[int, Field(ge=1)] = 40
    hampel_threshold: Positive = 5.0  # in robust standard deviations
    quiet_window_s: Positive = 0.5  # where nothing is labelled as rest
    quiet_fraction: Annotated[float, Field(gt=0, le=1)] = 0.05
    # RMS of a trial; outside, a line questions the unit: no surface EMG is so weak or so strong
    rms_range_v: tuple[float, float] = (1e-7, 1e-2)


class Grade(Section):
    """Thresholds on the quality measures, and the grades that are accepted (A2)."""

    later = frozenset({"rule", "clipped_max", "rail_max_s"})

    rule: Literal["thresholds", "none"] = "thresholds"  # none: nothing is measured, everything is kept
    smr_min_db: float = 12.0
    shr_min_db: float = 15.0
    ohm_max: float = 1.4
    snr_a_db: float = 18.0
    snr_b_db: float = 10.0
    snr_c_db: float = 1.8
    keep: tuple[Literal["A", "B", "C"], ...] = ("A", "B")
    hampel_max: float = 0.10
    # of the samples at a rail; the distortion of Gaussian noise clipped at 1 % is 27 dB below it; null: no gate
    clipped_max: Annotated[float, Field(ge=0, lt=1)] | None = 0.01
    rail_max_s: Positive | None = 0.01  # at a rail at a stretch: half a period of 50 Hz; null: no gate


class Selected(Section):
    """What one part selects from a database."""

    subjects: tuple[str, ...] = ()  # names, or ranges: S11-S40
    exercises: tuple[str, ...] | None = None  # None: all
    channels: tuple[str, ...] | None = None  # names, as the reader gives them (Ninapro ch1, ch2, ...); None: all


Selection = dict[str, dict[Part, Selected]]  # by database and part


class Split(Section):
    """Subjects to train, valid and test (A3)."""

    later = frozenset({"selections", "fold", "copies"})

    rule: Literal["by_database", "stratified", "file", "selection"] = "by_database"
    test_databases: tuple[str, ...] = ("DB2",)  # by_database: wholly test, the others train and valid
    valid_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2  # stratified
    file: str | None = None  # file: a YAML that names the subjects of each part, relative to configs/
    selections: tuple[Selection, ...] = ()  # selection: one a fold; a single one where there are no folds
    fold: Annotated[int, Field(ge=1)] = 1  # which of `selections`, from 1

    # the same samples under the names of two people: an error, or all of them in one part, with a line that says so
    copies: Literal["error", "one_part"] = "error"

    @model_validator(mode="after")
    def _copies_can_move(self) -> Split:
        if self.rule == "selection" and self.copies == "one_part":
            raise ValueError("copies: one_part moves people, but a selection says who is where; leave one out of it")
        return self

    @model_validator(mode="after")
    def _fold_is_there(self) -> Split:
        if self.rule == "selection" and self.fold > len(self.selections):
            raise ValueError(f"fold: {self.fold}, but split.selections has {len(self.selections)}")
        return self

    @property
    def selection(self) -> Selection | None:
        """The selection of the fold `fold`; None for the other rules."""
        return self.selections[self.fold - 1] if self.rule == "selection" else None


class Activity(Section):
    """Which windows of a recording become segments, by the label of their samples (above 0: active)."""

    min_fraction: Annotated[float, Field(ge=0, le=1)] = 0.1  # of the window's samples that are active
    min_contrast: float = 0.01  # standard deviation active minus at rest, where the window has both


class Segment(Section):
    """Band-pass, resampling and cutting (A4)."""

    later = frozenset({"cut", "resampling", "normalise", "activity"})

    band_hz: tuple[float, float] = (20.0, 500.0)
    fs_hz: Positive = 1000.0
    window_s: Positive = 2.0
    cut: Literal["trials", "recordings"] = "trials"  # recordings: whole ones; windows carry the column `active`
    resampling: Literal["polyphase", "decimate"] = "polyphase"  # decimate: every n-th sample, no filter of its own
    normalise: Literal["none", "recording_peak"] = "none"  # recording_peak: over max |x| of recording and channel
    activity: Activity | None = None  # None: every window is kept

    @model_validator(mode="after")
    def _needs_recordings(self) -> Segment:
        if self.cut == "trials" and (self.normalise != "none" or self.activity is not None):
            raise ValueError("normalise and activity are rules on whole recordings: they need cut: recordings")
        return self

    @property
    def window_samples(self) -> int:
        return round(self.window_s * self.fs_hz)
