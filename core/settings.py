"""Every setting of a run, with its default, unit and meaning: the schema of the files in `configs/`.

Methods, noises and data sets are named here, never described: their own YAML and class do that.
Symbols A2, A5, ... are the sections of the benchmark's protocol, see docs/protocols.md.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = ("train", "valid", "test")
Kind = Literal["PLI", "ECG", "MOA", "WGN", "Color"]
KIND_ORDER = ("PLI", "ECG", "MOA", "WGN", "Color")  # the columns of `kinds` and `gain`
Positive = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, values don't change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    later: ClassVar[frozenset[str]] = frozenset()  # fields that came after the first results were made

    def identity(self, exclude: frozenset[str] = frozenset()) -> dict[str, Any]:
        """What decides a stage's results, for its fingerprint; a later field counts where it is not the default.

        So results made before a field existed stay valid as long as nobody uses it.
        """
        found = self.model_dump(mode="json", exclude=set(exclude))
        default = {name: field.get_default() for name, field in type(self).model_fields.items()}
        return {k: v for k, v in found.items() if k not in self.later or getattr(self, k) != default[k]}


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

    later = frozenset({"rule"})

    rule: Literal["thresholds", "none"] = "thresholds"  # none: nothing is measured, everything is kept
    smr_min_db: float = 12.0
    shr_min_db: float = 15.0
    ohm_max: float = 1.4
    snr_a_db: float = 18.0
    snr_b_db: float = 10.0
    snr_c_db: float = 1.8
    keep: tuple[Literal["A", "B", "C"], ...] = ("A", "B")
    hampel_max: float = 0.10


class Selected(Section):
    """What one part takes of a database."""

    subjects: tuple[str, ...] = ()  # names, or ranges: S11-S40
    exercises: tuple[str, ...] | None = None  # None: all
    channels: tuple[str, ...] | None = None  # names, as the reader gives them (Ninapro ch1, ch2, ...); None: all


Selection = dict[str, dict[Part, Selected]]  # by database and part


class Split(Section):
    """Subjects to train, valid and test (A3)."""

    later = frozenset({"selections", "fold"})

    rule: Literal["by_database", "stratified", "file", "selection"] = "by_database"
    test_databases: tuple[str, ...] = ("DB2",)  # by_database: wholly test, the others train and valid
    valid_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2  # stratified
    file: str | None = None  # file: a YAML that names the subjects of each part, relative to configs/
    selections: tuple[Selection, ...] = ()  # selection: one a fold; a single one where there are no folds
    fold: Annotated[int, Field(ge=1)] = 1  # which of `selections`, from 1

    @model_validator(mode="after")
    def _fold_is_there(self) -> Split:
        if self.rule == "selection" and self.fold > len(self.selections):
            raise ValueError(f"fold: {self.fold}, but split.selections has {len(self.selections)}")
        return self

    @property
    def selection(self) -> Selection | None:
        """The chosen selection; None for the other rules."""
        return self.selections[self.fold - 1] if self.rule == "selection" else None


class Activity(Section):
    """Which windows of a recording are kept, by its label (above 0: active)."""

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
    kinds: dict[Kind, list[Source]] = {}


# Kinds joined by "+" -> how many noise files hold them; 0 for a single kind: one for each piece in the library.
Files = dict[str, Annotated[int, Field(ge=0)]]


class Mix(Section):
    """The fixed test set (A6, A8)."""

    later = frozenset({"combined_segments", "files", "draws"})

    rule: Literal["exact", "published"] = "exact"
    snr_db: tuple[float, ...] = (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0)
    n_kinds: tuple[Annotated[int, Field(ge=1, le=5)], ...] = (1, 2, 3, 4, 5)
    wgn_floor_db: float | None = -5.0  # component SNR that white noise never goes below; null: no floor
    sets: tuple[Literal["combined", "grid"], ...] = ("combined", "grid")
    combined_segments: int | None = None  # at most so many segments, spread evenly; null: all
    grid_segments: int | None = None  # the same, for each cell
    shard_size: Annotated[int, Field(ge=1)] = 1000
    export: bool = True  # test_combined.npz beside the shards
    files: Files | None = None  # in place of n_kinds: which mixtures of kinds there are to draw from
    draws: Annotated[int, Field(ge=1)] = 1  # of `files`, for each segment and SNR, all different

    @model_validator(mode="after")
    def _draws_of_files(self) -> Mix:
        if self.draws > 1 and self.files is None:
            raise ValueError("draws above 1 need mix.files, which says what there is to draw from")
        if self.files is not None and self.sets != ("grid",):
            raise ValueError("with mix.files the set is the grid of segments, SNRs and draws: sets: [grid]")
        return self


class FixedMixtures(Section):
    """Training and validation mixtures that are the same in every epoch: segments x SNRs x draws."""

    snr_db: Annotated[tuple[float, ...], Field(min_length=1)]
    files: Files  # as mix.files, of the training noise
    valid_files: Files | None = None  # of the validation noise; None: `files`
    draws: dict[Literal["train", "valid"], Annotated[int, Field(ge=1)]]  # for each segment and SNR, all different
    frame_samples: int | None = None  # the network learns on frames of so many samples; None: on whole segments


class Train(Section):
    """Fitting networks; what is None here comes from the `training` section of the model's own YAML."""

    models: tuple[str, ...] = ()
    form: Literal["full", "small"] = "full"  # of each network; small: the `small` section of its YAML, where it has one
    init: Literal["random", "pretrained"] = "random"  # pretrained: fine-tune the pretrained weights, in their form
    recipe: dict[str, Any] = {}  # for all models, over their own YAML
    overrides: dict[str, dict[str, Any]] = {}  # by model, over `recipe`
    snr_db: tuple[float, float] = (-15.0, 15.0)  # drawn uniformly
    fixed: FixedMixtures | None = None  # in place of drawing anew in every epoch
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
    # auto: the oracle track with kinds that the quality network finds. None: evaluate.tracks, or every one but auto
    track: Literal["blind", "auto", "oracle"] | None = None
    sets: tuple[Literal["combined", "grid"], ...] | None = None  # None: every test set; a slow method may take one
    weights: str | None = None
    parameters: dict[str, Any] = {}


class Evaluate(Section):
    """Denoising the test set and scoring it (A9)."""

    denoisers: tuple[str | DenoiserRow, ...] = ("identity", "zero", "wiener_oracle", "hp", "ts")
    profiles: tuple[Literal["standard", "published", "ecg_paper", "trustemg"], ...] = ("standard", "published")
    metrics: tuple[str, ...] = ()  # of one's own, package.module:Class, beside those of the profiles
    keep_waveforms: tuple[Literal["combined", "grid"], ...] = ("combined",)
    tracks: tuple[Literal["blind", "auto", "oracle"], ...] | None = None  # of rows that name none; None: all but auto


class Tables(Section):
    """What the tables show."""

    bootstrap_resamples: Annotated[int, Field(ge=100)] = 2000
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    note: str = ""  # printed under every table: what the numbers do and do not show
    printed: str | None = None  # a YAML with a paper's layout and numbers, relative to configs/; see docs/protocols.md
    kind_names: dict[Kind, str] = {}  # headings of kinds that stand for something else in this configuration


class Downstream(Section):
    """What denoising is worth to a task: classifiers fitted on clean recordings, frozen, run on the others."""

    task: str | None = None  # an entry of configs/tasks/; None: this configuration is not about a task
    parameters: dict[str, Any] = {}  # of the task, over its entry's
    protocol: Literal["subjects", "published"] = "subjects"  # published: the source's split, labelled where it leaks
    models: tuple[str, ...] = ()  # classifiers of the task; none: all
    denoisers: tuple[str | DenoiserRow, ...] = ()
    recipe: dict[str, dict[str, Any]] = {}  # by model, over its own recipe
    snr_db: tuple[float, ...] = (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0)  # one is drawn for each stream
    n_kinds: tuple[Annotated[int, Field(ge=1, le=5)], ...] = (1, 2, 3, 4, 5)  # one is drawn for each stream and channel
    # What the SNR refers to: the channel's power over all streams of a person, or over the stream itself, as published.
    noise_level: Literal["person", "stream"] = "person"
    window_samples: Annotated[int, Field(ge=200)] = 2000  # what denoisers are given at a time


class Quality(Section):
    """Reference-free quality: a network that reads SNR and kinds of noise off the noisy signal (docs/quality.md)."""

    models: tuple[str, ...] = ()  # qase, cnn, cnn_notebook, cnn_attention, cnn_blstm, wldnn
    kinds: bool = True  # a second head for the kinds of noise
    parameters: dict[str, dict[str, Any]] = {}  # by model, over its published form
    snr_db: tuple[float, float] = (-15.0, 15.0)  # drawn uniformly
    grid_db: dict[Part, Annotated[tuple[float, ...], Field(min_length=1)]] = {}  # every segment at each, undrawn
    lengths_s: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1.0, 1.5, 2.0, 3.0, 4.0)  # of mixtures
    draws: dict[Part, Annotated[int, Field(ge=1)]] = {"valid": 5, "test": 5}  # a segment; the lengths take turns
    train_mixtures: Annotated[int, Field(ge=1)] | None = None  # an epoch; None: every segment once
    clean_share: Annotated[float, Field(ge=0, lt=1)] = 0.0  # training signals without noise
    band_limited_share: Annotated[float, Field(ge=0, le=1)] = 0.0  # training mixtures with a low-pass
    band_limits_hz: tuple[Positive, Positive] = (90.0, 450.0)  # where that lies
    recipe: dict[str, Any] = {}  # of the training, see docs/training.md; its loss is the model's own
    overrides: dict[str, dict[str, Any]] = {}  # by model, over `recipe`
    keep: Literal["best", "last"] = "best"  # the epoch whose weights are used; last: as published
    init: Literal["random", "pretrained"] = "random"  # pretrained: fine-tune the pretrained weights
    threads: Annotated[int, Field(ge=1)] = 1  # of the network's arithmetic; decides the last digits
    weights: Literal["trained", "pretrained"] = "trained"  # what the test step uses
    parts: tuple[Part, ...] = PARTS  # those that mixtures are made of
    printed: bool = False  # the published table's rows beside ours

    @model_validator(mode="after")
    def _ranges_rise(self) -> Quality:
        for name, pair in (("snr_db", self.snr_db), ("band_limits_hz", self.band_limits_hz)):
            if not pair[0] <= pair[1]:
                raise ValueError(f"{name}: {pair} is not low, high")
        if min(self.lengths_s) < 1.0:
            raise ValueError(f"lengths_s: {min(self.lengths_s):g}, at least 1 s")
        return self


class Settings(Section):
    """A whole configuration."""

    config_file: str = "(in code)"
    title: str = "CleanSEMG"
    seed: int = 2025
    protocol: Literal["disjoint", "published"] = (
        "disjoint"  # published: parts may share what the config shares; labelled
    )
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
    downstream: Downstream = Downstream()
    quality: Quality = Quality()

    @model_validator(mode="after")
    def _frequencies_fit(self) -> Settings:
        if self.segment.band_hz[0] >= self.segment.band_hz[1]:
            raise ValueError(f"segment.band_hz: {self.segment.band_hz} is not low, high")
        return self

    @property
    def enabled_datasets(self) -> dict[str, Dataset]:
        return {name: dataset for name, dataset in self.datasets.items() if dataset.enabled}
