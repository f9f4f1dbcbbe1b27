"""A tiny run of the benchmark and of a task, and what lay there after each stage."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from cleansemg.downstream.common.running import STAGES as TASK_STAGES
from cleansemg.stages import STAGES
from tests.downstream.test_running import settings
from tests.nursery import Nursery, Outcome
from tests.pipeline_runs import SMALL, files

ROUNDS = int(os.environ.get("CLEANSEMG_CRASH_ROUNDS", "1"))  # scripts/run_long_tests.sh asks for more
TINY = [
    *(text for text in SMALL if not text.startswith(("evaluate.denoisers", "mix.grid_segments", "train.recipe"))),
    "evaluate.denoisers=[identity, hp, fcn]", "mix.grid_segments=2", "train.recipe={epochs: 3, batch_size: 8}",
    "train.threads=1",
]  # fmt: skip


@dataclass(frozen=True)
class Pipeline:
    """A run, stage by stage.

    Attributes:
        options: of the command line, but for output and stages.
        before, after: stage -> every file, by name, as the undisturbed run had them.
        ended: stage -> how that ended.
    """

    nursery: Nursery
    options: list[str]
    before: dict[str, dict[str, bytes]]
    after: dict[str, dict[str, bytes]]
    ended: dict[str, Outcome]

    def run(self, stage: str, output: Path, workers: int = 1, **fate: float) -> Outcome:
        """Run one stage; see `Nursery.run`."""
        return self.nursery.run(
            [
                "-m",
                "cleansemg",
                "run",
                *self.options,
                "--output",
                str(output),
                "--stages",
                stage,
                "--workers",
                str(workers),
                "--quiet",
            ],
            **fate,
        )

    def restore(self, stage: str, folder: Path) -> None:
        """Put back what lay there before a stage."""
        for name, content in self.before[stage].items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def undisturbed(nursery: Nursery, options: list[str], stages: list[str], output: Path) -> Pipeline:
    """Run every stage once."""
    pipeline = Pipeline(nursery, options, {}, {}, {})
    for stage in stages:
        pipeline.before[stage] = files(output)
        ended = pipeline.run(stage, output)
        assert ended.code in (0, 1), ended.errors
        pipeline.after[stage] = files(output)
        pipeline.ended[stage] = ended
    return pipeline


@pytest.fixture(scope="session")
def nursery(tmp_path_factory) -> Iterator[Nursery]:
    with Nursery(tmp_path_factory.mktemp("nursery")) as found:
        yield found


@pytest.fixture(scope="session")
def benchmark(nursery, tmp_path_factory) -> Pipeline:
    sets = [word for text in TINY for word in ("--set", text)]
    output = tmp_path_factory.mktemp("benchmark")
    return undisturbed(nursery, ["--config", "configs/demo.yaml", *sets], list(STAGES), output)


@pytest.fixture(scope="session")
def task(nursery, tmp_path_factory) -> Pipeline:
    config = tmp_path_factory.mktemp("config") / "toy.yaml"
    config.write_text(yaml.safe_dump(settings().model_dump(mode="json", exclude={"config_file"})))
    return undisturbed(nursery, ["--config", str(config)], list(TASK_STAGES), tmp_path_factory.mktemp("task"))
