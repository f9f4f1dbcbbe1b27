"""The stages of the benchmark and of a task, in order, and the function behind each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cleansemg.core.commandline import StageFunction
from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.core.registry import load_class
from cleansemg.settings import Settings

STAGES = {
    "qc": "cleansemg.data_pipeline.qc:run",
    "grade": "cleansemg.data_pipeline.grading:run",
    "split": "cleansemg.data_pipeline.subject_split:run",
    "segment": "cleansemg.data_pipeline.segmentation:run",
    "noise": "cleansemg.noise.library:build_libraries",
    "mix": "cleansemg.evaluation.test_set:run",
    "calibrate": "cleansemg.training.calibration:run",
    "train": "cleansemg.training.neural:run",
    "evaluate": "cleansemg.evaluation.evaluating:run",
    "tables": "cleansemg.evaluation.tables:run",
}


def of(settings: Settings) -> dict[str, str]:
    """The stages of a configuration: a task's where it names one, the benchmark's otherwise."""
    if settings.downstream.task is None:
        return STAGES
    from cleansemg.downstream.common.running import stages_of

    return stages_of(settings)


def parse(text: str, stages: Mapping[str, str] = STAGES) -> list[str]:
    """`all`, or a comma-separated choice, in the order of the pipeline.

    Raises:
        UserError: an unknown stage.
    """
    if text.strip() == "all":
        return list(stages)
    selected = [name.strip() for name in text.split(",") if name.strip()]
    for name in selected:
        if name not in stages:
            raise UserError(f"--stages: no stage is called '{name}'{did_you_mean(name, [*stages, 'all'])}")
    if not selected:
        raise UserError(f"--stages: nothing chosen; there are: all, {', '.join(stages)}")
    return [name for name in stages if name in selected]


def functions(names: Sequence[str], stages: Mapping[str, str] = STAGES) -> list[tuple[str, StageFunction]]:
    """The stage functions; imported only here, so that `--help` is instant."""
    return [(name, load_class(stages[name])) for name in names]
