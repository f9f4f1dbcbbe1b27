"""A whole configuration: the sections of every room, with their defaults, units and meanings.

Methods, noises and data sets are named here, never described: their own YAML and class do that.
Symbols A2, A5, ... are the sections of the benchmark's protocol, see docs/protocols.md.
"""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from cleansemg.core.settings import Paths, Section
from cleansemg.data_pipeline.settings import Dataset, Grade, Qc, Segment, Split
from cleansemg.downstream.settings import Downstream
from cleansemg.evaluation.settings import Evaluate, Mix, Tables
from cleansemg.noise.settings import Noise
from cleansemg.training.quality.settings import Quality
from cleansemg.training.settings import Calibrate, Train


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
