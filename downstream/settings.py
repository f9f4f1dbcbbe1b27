"""Settings of a task: what denoising is worth to it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from cleansemg.core.settings import Section
from cleansemg.evaluation.settings import DenoiserRow


class Downstream(Section):
    """What denoising is worth to a task: classifiers fitted on clean recordings, frozen, run on the others."""

    task: str | None = None  # an entry of configs/tasks/; None: this configuration is not about a task
    parameters: dict[str, Any] = {}  # of the task, over its entry's
    protocol: Literal["subjects", "published"] = "subjects"  # published: the source's split, labelled where it leaks
    models: tuple[str, ...] = ()  # classifiers of the task; none: all
    denoisers: tuple[str | DenoiserRow, ...] = ()
    recipe: dict[str, dict[str, Any]] = {}  # by model, over its own recipe
    snr_db: tuple[float, ...] = (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0)  # one is drawn for each stream
    n_kinds: tuple[Annotated[int, Field(ge=1)], ...] = (1, 2, 3, 4, 5)  # one is drawn for each stream and channel
    # What the SNR refers to: the channel's power over all streams of a person, or over the stream itself, as published.
    noise_level: Literal["person", "stream"] = "person"
    window_samples: Annotated[int, Field(ge=200)] = 2000  # what denoisers are given at a time
