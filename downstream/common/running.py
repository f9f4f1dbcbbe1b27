"""Run a task from raw files to its tables: the stages in order, and the command line of every run.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from cleansemg.core import commandline
from cleansemg.core.commandline import (
    ForceOption,
    OutputOption,
    QuietOption,
    SchedulerOption,
    SetOption,
    WorkersOption,
)
from cleansemg.core.errors import ArtifactError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import Report, RunOptions

if TYPE_CHECKING:
    from cleansemg.settings import Settings

T = TypeVar("T")

ALL = "all"
STAGES = {
    "noise": "cleansemg.noise.library:build_libraries",
    "prepare": "cleansemg.downstream.common.streams:prepare",
    "contaminate": "cleansemg.downstream.common.contaminate:contaminate",
    "denoise": "cleansemg.downstream.common.denoise:denoise",
    "assess": "cleansemg.downstream.common.assess:assess",
    "report": "cleansemg.downstream.common.report:report",
}
STAGES_WITHOUT_NOISE = ("prepare", "assess", "report")


def run_task(
    settings: Settings,
    layout: Layout,
    options: RunOptions,
    denoisers: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
) -> list[Report]:
    """Run every stage of a task; finished results are not recomputed.

    Args:
        settings: a configuration with `downstream.task`.
        layout: the output folders.
        options: workers and force.
        denoisers: names, labels or aliases; None: the configuration's. Results for some denoisers are written to
            other folders than those for all.
        models: classifiers; None: the configuration's.

    Raises:
        UserError: as the stages do.
    """
    from cleansemg.downstream.common.assess import assess, selected_models
    from cleansemg.downstream.common.contaminate import contaminate
    from cleansemg.downstream.common.denoise import denoise, selected
    from cleansemg.downstream.common.report import report
    from cleansemg.downstream.common.streams import open_task, prepare
    from cleansemg.noise.library import build_libraries

    names = None if denoisers is None else list(denoisers)
    task = open_task(settings)
    selected_models(settings, task, models)  # report a wrong name before the work starts
    selected(settings, layout, names)
    reports = [build_libraries(settings, layout, options)] if task.takes_noise else []
    reports.append(prepare(settings, layout, options))
    if task.takes_noise:
        reports += [contaminate(settings, layout, options), denoise(settings, layout, options, names)]
    reports.append(assess(settings, layout, options, names, models))
    reports.append(report(settings, layout, options, names, models))
    return reports


def keeping(stage: Callable[[RunOptions], T], options: RunOptions) -> T:
    """Run a stage without --force; apply --force only if its folder holds results of other settings or inputs."""
    try:
        return stage(replace(options, force=False))
    except ArtifactError:
        if not options.force:
            raise
        return stage(options)


def stages_of(settings: Settings) -> dict[str, str]:
    """Stage name -> `module:function` of a task, in order; without the noise stages if its recordings are envelopes."""
    from cleansemg.downstream.common.streams import open_task

    wanted = STAGES if open_task(settings).takes_noise else {name: STAGES[name] for name in STAGES_WITHOUT_NOISE}
    return dict(wanted)


def main(task: str, models: Sequence[str] = ()) -> NoReturn:
    """The command line of a task.

    Args:
        task: its name; the default configuration is configs/downstream/TASK.yaml.
        models: the classifiers to run; empty: the configuration's.
    """

    def command(
        config: Annotated[Path, typer.Option("--config", help="Configuration of the task.")] = Path(
            f"configs/downstream/{task}.yaml"
        ),
        denoiser: Annotated[
            list[str] | None,
            typer.Option(help="all (of the configuration), or a name; repeatable, or separated by commas."),
        ] = None,
        output: OutputOption = None,
        workers: WorkersOption = 1,
        scheduler: SchedulerOption = None,
        overrides: SetOption = None,
        force: ForceOption = False,
        quiet: QuietOption = False,
    ) -> int:
        settings, layout = commandline.prepare(config, output, overrides, quiet)
        names = parse_denoisers(denoiser or [ALL])
        return commandline.finish(
            run_task(settings, layout, RunOptions(workers, force, scheduler), names, models or None)
        )

    command.__doc__ = f"Run the task '{task}' from recordings to its table: clean, noisy and denoised inputs."
    commandline.run(command)


def parse_denoisers(texts: Sequence[str]) -> list[str] | None:
    """Return the names in the values of --denoiser, without repetitions; None for `all`.

    Raises:
        UserError: no name, or `all` together with a name.

    >>> parse_denoisers(["hp,fcn", "hp"]), parse_denoisers(["all"])
    (['hp', 'fcn'], None)
    """
    names = list(dict.fromkeys(name.strip() for text in texts for name in text.split(",") if name.strip()))
    if not names or (ALL in names and len(names) > 1):
        raise UserError(f"--denoiser {','.join(texts)}: expected all, or names of denoisers")
    return None if names == [ALL] else names
