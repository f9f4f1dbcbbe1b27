"""The stages of the benchmark, in order, and the function behind each."""

from __future__ import annotations

from collections.abc import Sequence

from core.commandline import StageFunction
from core.errors import UserError
from core.registry import did_you_mean, load_class

STAGES = {
    "qc": "data_pipeline.qc:run",
    "grade": "data_pipeline.grading:run",
    "split": "data_pipeline.subject_split:run",
    "segment": "data_pipeline.segmentation:run",
    "noise": "noise.library:build_libraries",
    "mix": "evaluation.test_set:run",
    "calibrate": "training.calibration:run",
    "train": "training.neural:run",
    "evaluate": "evaluation.evaluating:run",
    "tables": "evaluation.tables:run",
}


def parse(text: str) -> list[str]:
    """`all`, or a comma-separated choice, in the order of the pipeline.

    Raises:
        UserError: an unknown stage.
    """
    if text.strip() == "all":
        return list(STAGES)
    chosen = [name.strip() for name in text.split(",") if name.strip()]
    for name in chosen:
        if name not in STAGES:
            raise UserError(f"--stages: no stage is called '{name}'{did_you_mean(name, [*STAGES, 'all'])}")
    if not chosen:
        raise UserError(f"--stages: nothing chosen; there are: all, {', '.join(STAGES)}")
    return [name for name in STAGES if name in chosen]


def functions(names: Sequence[str]) -> list[tuple[str, StageFunction]]:
    """The stage functions; imported only here, so that `--help` is instant."""
    return [(name, load_class(STAGES[name])) for name in names]
