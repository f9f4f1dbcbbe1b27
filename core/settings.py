"""Every setting of a run, with its default, unit and meaning: the schema of the files in `configs/`.

Methods, noises and data sets are named here, never described: their own YAML and class do that.
Symbols A2, A5, ... are the sections of the benchmark's protocol, see docs/protocols.md.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = ("train", "valid", "test")
KIND_ORDER = ("PLI", "ECG", "MOA", "WGN", "Color")  # the columns of `kinds` and `gain`
Positive = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, values don't change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Paths(Section):
    """Where data lie and results go."""

    data_root: str = "${DATA_ROOT}"  # the one line that differs between machines
    output: str = "outputs"


class Dataset(Section):
    """One database of recordings; the name is an entry of configs/datasets/."""

    enabled: bool = True
    folder: str | None = None  # below paths.data_root; None: the entry's own
    parameters: dict[str, Any] = {}  # over the entry's own


class Qc(Section):
    """Quality measures per trial and channel (A2)."""

    welch_samples: int = 1024
    smr_band_hz: Positive = 20.0
    shr_nyquist_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.8
    min_trial_samples: int = 128
    hampel_window_s: Positive = 2.0
    hampel_hop_s: Positive = 1.0
    hampel_half_width_bins: Annotated[int, Field(ge=1)] = 40
    hampel_threshold: Positive = 5.0  # in robust standard deviations
    quiet_window_s: Positive = 0.5  # where nothing is labelled as rest
    quiet_fraction: Annotated[float, Field(gt=0, le=1)] = 0.05


class Grade(Section):
    """Thresholds on the quality measures, and the grades that are kept (A2)."""

    smr_min_db: float = 12.0
    shr_min_db: float = 15.0
    ohm_max: float = 1.4
    snr_a_db: float = 18.0
    snr_b_db: float = 10.0
    snr_c_db: float = 1.8
    keep: tuple[Literal["A", "B", "C"], ...] = ("A", "B")
    hampel_max: float = 0.10


class Split(Section):
    """Subjects to train, valid and test (A3)."""

    rule: Literal["by_database", "stratified", "file"] = "by_database"
    test_databases: tuple[str, ...] = ("DB2",)  # by_database: wholly test, the others train and valid
    valid_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2  # stratified
    file: str | None = None  # file: a YAML that names the subjects of each part, relative to configs/


class Segment(Section):
    """Band-pass, resampling and cutting (A4)."""

    band_hz: tuple[float, float] = (20.0, 500.0)
    fs_hz: Positive = 1000.0
    window_s: Positive = 2.0

    @property
    def window_samples(self) -> int:
        return round(self.window_s * self.fs_hz)


class Source(Section):
    """Where one kind of noise comes from; `source` is an entry of configs/noises/."""

    source: str
    folder: str | None = None  # below paths.data_root
    pieces: dict[Part, int] | None = None  # None: the entry's own counts
    parameters: dict[str, Any] = {}


class Noise(Section):
    """Noise libraries (A5)."""

    band_hz: tuple[float, float] | None = (20.0, 495.0)  # null: leave noise as it comes
    piece_s: Positive = 200.0
    kinds: dict[Literal["PLI", "ECG", "MOA", "WGN", "Color"], list[Source]] = {}


class Mix(Section):
    """The fixed test set (A6, A8)."""

    rule: Literal["exact", "published"] = "exact"
    snr_db: tuple[float, ...] = (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0)
    n_kinds: tuple[Annotated[int, Field(ge=1, le=5)], ...] = (1, 2, 3, 4, 5)
    wgn_floor_db: float | None = -5.0  # component SNR that white noise never goes below; null: no floor
    sets: tuple[Literal["combined", "grid"], ...] = ("combined", "grid")
    grid_segments: int | None = None  # at most so many segments a cell, spread evenly; null: all
    shard_size: Annotated[int, Field(ge=1)] = 1000
    export: bool = True  # test_combined.npz beside the shards


class Train(Section):
    """Fitting networks; what is None here comes from the `training` section of the model's own YAML."""

    models: tuple[str, ...] = ()
    form: Literal["full", "small"] = "full"  # of each network; small: the `small` section of its YAML, where it has one
    start: Literal["fresh", "box"] = "fresh"  # box: go on from the weights that come with the project, in their form
    recipe: dict[str, Any] = {}  # for all models, over their own YAML
    overrides: dict[str, dict[str, Any]] = {}  # by model, over `recipe`
    snr_db: tuple[float, float] = (-15.0, 15.0)  # drawn uniformly
    mixtures_per_epoch: int | None = None  # None: every training segment once
    valid_mixtures: int | None = None  # None: every validation segment once
    threads: Annotated[int, Field(ge=1)] = 2  # of the network's arithmetic; decides the last digits


class Calibrate(Section):
    """Searching the parameters of classical denoisers; what is searched is in `trad_config`."""

    methods: tuple[str, ...] = ()  # denoisers, or "all"; none: every method keeps its YAML's parameters
    trad_config: str = "config_tradition.yaml"  # relative to configs/


class DenoiserRow(Section):
    """One denoiser to evaluate, where its name alone does not say enough."""

    name: str
    label: str | None = None
    track: Literal["blind", "oracle"] | None = None  # None: every track it has
    weights: str | None = None
    parameters: dict[str, Any] = {}


class Evaluate(Section):
    """Denoising the test set and scoring it (A9)."""

    denoisers: tuple[str | DenoiserRow, ...] = ("identity", "zero", "wiener_oracle", "hp", "ts")
    profiles: tuple[Literal["standard", "published"], ...] = ("standard", "published")
    keep_waveforms: tuple[Literal["combined", "grid"], ...] = ("combined",)


class Tables(Section):
    """What the tables show."""

    bootstrap_resamples: Annotated[int, Field(ge=100)] = 2000
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    note: str = ""  # printed under every table: what the numbers do and do not show


class Settings(Section):
    """A whole configuration."""

    config_file: str = "(in code)"
    title: str = "CleanSEMG"
    seed: int = 2025
    paths: Paths = Paths()
    datasets: dict[str, Dataset] = {}
    qc: Qc = Qc()
    grade: Grade = Grade()
    split: Split = Split()
    segment: Segment = Segment()
    noise: Noise = Noise()
    mix: Mix = Mix()
    calibrate: Calibrate = Calibrate()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    tables: Tables = Tables()

    @model_validator(mode="after")
    def _frequencies_fit(self) -> Settings:
        if self.segment.band_hz[0] >= self.segment.band_hz[1]:
            raise ValueError(f"segment.band_hz: {self.segment.band_hz} is not low, high")
        return self

    @property
    def enabled_datasets(self) -> dict[str, Dataset]:
        return {name: dataset for name, dataset in self.datasets.items() if dataset.enabled}
