"""Settings of fitting networks and of searching the parameters of classical denoisers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from cleansemg.core.settings import Section
from cleansemg.noise.settings import Files


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
