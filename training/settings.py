"""Settings for training networks and for calibrating classical denoisers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from cleansemg.core.settings import Section
from cleansemg.noise.settings import Files


class FixedMixtures(Section):
    """Training and validation mixtures that are the same in every epoch: segments x SNRs x draws."""

    snr_db: Annotated[tuple[float, ...], Field(min_length=1)]
    files: Files  # training noise files, as in mix.files
    valid_files: Files | None = None  # validation noise files; None: `files`
    draws: dict[Literal["train", "valid"], Annotated[int, Field(ge=1)]]  # files per segment and SNR, all different
    frame_samples: int | None = None  # length of training frames; None: whole segments


class Train(Section):
    """Training of networks; recipe values not set here come from the `training` section of the model's YAML."""

    models: tuple[str, ...] = ()
    form: Literal["full", "small"] = "full"  # of each network; small: the `small` section of its YAML, if it has one
    init: Literal["random", "pretrained"] = "random"  # pretrained: fine-tune the pretrained weights, in their form
    recipe: dict[str, Any] = {}  # for all models; overrides their YAML
    overrides: dict[str, dict[str, Any]] = {}  # by model; overrides `recipe`
    snr_db: tuple[float, float] = (-15.0, 15.0)  # range of the total SNR, drawn uniformly
    fixed: FixedMixtures | None = None  # instead of new draws in every epoch
    mixtures_per_epoch: int | None = None  # None: each training segment once
    valid_mixtures: int | None = None  # None: each validation segment once
    threads: Annotated[int, Field(ge=1)] = 2  # of the computation; affects the last digits


class Calibrate(Section):
    """Calibration of classical denoisers; `trad_config` is the search file."""

    methods: tuple[str, ...] = ()  # denoisers, or "all"; empty: every method uses the parameters of its YAML
    trad_config: str = "config_tradition.yaml"  # relative to configs/
