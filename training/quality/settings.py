"""Settings of the quality network: its mixtures and its training."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cleansemg.core.settings import PARTS, Part, Positive, Section


class Quality(Section):
    """Reference-free quality: a network predicts SNR and kinds of noise from the noisy signal (docs/quality.md)."""

    models: tuple[str, ...] = ()  # qase, cnn, cnn_notebook, cnn_attention, cnn_blstm, wldnn
    kinds: bool = True  # whether models have a second head for the kinds of noise
    parameters: dict[str, dict[str, Any]] = {}  # by model; override the published form
    snr_db: tuple[float, float] = (-15.0, 15.0)  # range of the total SNR, drawn uniformly
    grid_db: dict[Part, Annotated[tuple[float, ...], Field(min_length=1)]] = {}  # every segment at each SNR
    lengths_s: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1.0, 1.5, 2.0, 3.0, 4.0)  # of mixtures
    draws: dict[Part, Annotated[int, Field(ge=1)]] = {"valid": 5, "test": 5}  # mixtures per segment; lengths alternate
    train_mixtures: Annotated[int, Field(ge=1)] | None = None  # per epoch; None: every segment once
    clean_share: Annotated[float, Field(ge=0, lt=1)] = 0.0  # fraction of training signals without noise
    band_limited_share: Annotated[float, Field(ge=0, le=1)] = 0.0  # fraction of training mixtures with a low-pass
    band_limits_hz: tuple[Positive, Positive] = (90.0, 450.0)  # range of its cut-off, Hz
    recipe: dict[str, Any] = {}  # of the training, see docs/training.md; its loss must be `network`
    overrides: dict[str, dict[str, Any]] = {}  # by model; overrides `recipe`
    keep: Literal["best", "last"] = "best"  # the epoch whose weights are used; last: as published
    init: Literal["random", "pretrained"] = "random"  # pretrained: fine-tune the pretrained weights
    threads: Annotated[int, Field(ge=1)] = 1  # of the computation; affects the last digits
    weights: Literal["trained", "pretrained"] = "trained"  # the weights that the test step uses
    parts: tuple[Part, ...] = PARTS  # the parts with mixtures
    printed: bool = False  # whether tables also show the published rows

    @model_validator(mode="after")
    def _ranges_rise(self) -> Quality:
        for name, pair in (("snr_db", self.snr_db), ("band_limits_hz", self.band_limits_hz)):
            if not pair[0] <= pair[1]:
                raise ValueError(f"{name}: {pair} is not low, high")
        if min(self.lengths_s) < 1.0:
            raise ValueError(f"lengths_s: {min(self.lengths_s):g}, at least 1 s")
        return self
