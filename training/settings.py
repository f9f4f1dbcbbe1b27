"""Settings for training networks and for calibrating classical denoisers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from cleansemg.core.settings import Section
from cleansemg.noise.settings import Files


class FixedMixtures(Section):
    """Training and validation mixtures that are the same in every epoch: segments x SNRs x draws."""

    snr_db: Annotated[tuple[float, ...], Field(min_length=1)]
    files: Files  # training noise files, as in mix.files
    valid_files: Files | None = None  # validation noise files; None: `files`
    draws: dict[Literal["train", "valid"], Annotated[int, Field(ge=1)]]  # files per segment and SNR, all different
    frame_samples: int | None = None  # length of training frames; None: whole segments


CURVE_MIXTURES = 60  # a diffusion model takes 0.25 s for each


def lengthens(recipe: Mapping[str, Any]) -> str | None:
    """The key of a recipe that says how long a network is fitted; None where none does."""
    return next((key for key in ("epochs", "patience") if recipe.get(key) is not None), None)


class Train(Section):
    """Training of networks; recipe values not set here come from the `training` section of the model's YAML."""

    models: tuple[str, ...] = ()
    form: Literal["full", "small"] = "full"  # of each network; small: the `small` section of its YAML, if it has one
    init: Literal["random", "pretrained"] = "random"  # pretrained: fine-tune the pretrained weights, in their form
    recipe: dict[str, Any] = {}  # for all models; overrides their YAML
    overrides: dict[str, dict[str, Any]] = {}  # by model; overrides `recipe`
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = ()  # one fit of each network for each; empty: one, the run's seed
    snr_db: tuple[float, float] = (-15.0, 15.0)  # range of the total SNR, drawn uniformly
    fixed: FixedMixtures | None = None  # instead of new draws in every epoch
    mixtures: Annotated[int, Field(ge=1)] | None = None  # that each network sees in all; None: by the recipe's epochs
    mixtures_per_epoch: int | None = None  # None: each training segment once
    valid_mixtures: int | None = None  # None: each validation segment once
    # of them, spread evenly, on which the learning curve is scored after every epoch; 0: no curve
    curve_mixtures: Annotated[int, Field(ge=0)] = CURVE_MIXTURES
    threads: Annotated[int, Field(ge=1)] = 2  # of the computation; affects the last digits

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) != len(seeds):
            raise ValueError("a seed is there twice; name each once")
        return seeds

    @model_validator(mode="after")
    def _epochs_follow(self) -> Train:
        """An equal number of mixtures for all: nothing else may say how long a network is fitted."""
        if self.mixtures is None:
            return self
        size = self.mixtures_per_epoch
        if size is None or size < 1 or self.mixtures % size:
            raise ValueError(f"mixtures: {self.mixtures} is no multiple of mixtures_per_epoch ({size}); set both")
        for source, values in (
            ("recipe", self.recipe),
            *((f"overrides.{k}", v) for k, v in self.overrides.items()),
        ):
            key = lengthens(values)
            if key:
                raise ValueError(f"{source}.{key} and mixtures exclude each other: epochs follow from mixtures")
        return self

    @property
    def identity_of_curve(self) -> dict[str, int]:
        """What the learning curve adds to a fit's fingerprint: nothing where it is the default."""
        return {} if self.curve_mixtures == CURVE_MIXTURES else {"curve_mixtures": self.curve_mixtures}

    @property
    def budget_epochs(self) -> int:
        """The epochs that `mixtures` takes; raises ValueError where that is not set."""
        if self.mixtures is None or self.mixtures_per_epoch is None:
            raise ValueError("train.mixtures is not set")
        return self.mixtures // self.mixtures_per_epoch


class Calibrate(Section):
    """Calibration of classical denoisers; `trad_config` is the search file."""

    methods: tuple[str, ...] = ()  # denoisers, or "all"; empty: every method uses the parameters of its YAML
    trad_config: str = "config_tradition.yaml"  # relative to configs/
    repeat: bool = True  # search again on a second set of draws, to say whether it chooses the same; twice the time
