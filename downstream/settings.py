"""Settings of a downstream task."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from cleansemg.core.settings import Section
from cleansemg.evaluation.settings import DenoiserRow


class Downstream(Section):
    """A task: classifiers are fitted on clean recordings and then run, frozen, on clean, noisy and denoised ones."""

    task: str | None = None  # an entry of configs/tasks/; None: no task
    parameters: dict[str, Any] = {}  # of the task; override those of its entry
    protocol: Literal["subjects", "published"] = "subjects"  # published: the source's split, labelled if it leaks
    models: tuple[str, ...] = ()  # classifiers of the task; empty: all
    denoisers: tuple[str | DenoiserRow, ...] = ()
    recipe: dict[str, dict[str, Any]] = {}  # by model; overrides the model's recipe
    snr_db: tuple[float, ...] = (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0)  # one is drawn for each stream
    n_kinds: tuple[Annotated[int, Field(ge=1)], ...] = (1, 2, 3, 4, 5)  # one is drawn for each stream and channel
    # Reference of the SNR: power of the channel over all streams of the person, or over the stream (as published).
    noise_level: Literal["person", "stream"] = "person"
    window_samples: Annotated[int, Field(ge=200)] = 2000  # length of the windows that denoisers process
