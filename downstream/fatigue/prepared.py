"""The published procedure: prepare the recordings in a cache, then run one classifier and denoiser at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cleansemg.core import commandline, config
from cleansemg.core.commandline import ForceOption, QuietOption, SchedulerOption, SetOption, WorkersOption
from cleansemg.core.console import setup_logging
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import Report, RunOptions
from cleansemg.downstream.common.running import ALL, keeping, parse_denoisers

if TYPE_CHECKING:
    from cleansemg.settings import Settings

CACHE = Path("outputs/downstream/fatigue/cache")
CONFIG = Path("configs/downstream/fatigue_cerqueira.yaml")
SAVED_CONFIG = "config.yaml"  # in the cache: the configuration that produced it

CacheOption = Annotated[Path, typer.Option("--output-cache", help="Folder that holds the prepared recordings.")]
DenoiserOption = Annotated[
    list[str] | None, typer.Option("--denoiser", help="Names, repeatable or separated by commas, or all.")
]


def prepare(settings: Settings, cache: Path, options: RunOptions, denoisers: Sequence[str] | None) -> list[Report]:
    """Write noise, clean and noisy streams, and the streams of `denoisers` (None: all; empty: none) to `cache`."""
    from cleansemg.downstream.common.contaminate import contaminate
    from cleansemg.downstream.common.denoise import denoise
    from cleansemg.downstream.common.streams import prepare as read
    from cleansemg.noise.library import build_libraries

    layout = Layout(cache)
    reports = [stage(settings, layout, options) for stage in (build_libraries, read, contaminate)]
    config.save(settings, cache / SAVED_CONFIG)
    if denoisers is None or denoisers:
        reports.append(denoise(settings, layout, options, denoisers))
    return reports


def compare(
    cache: Path,
    overrides: Sequence[str],
    options: RunOptions,
    denoisers: Sequence[str] | None,
    models: Sequence[str],
) -> list[Report]:
    """Denoise the streams that are not yet denoised, fit and run the classifiers, and write their tables below `cache`.

    --force applies to the classifiers; denoised streams are reused if they belong to the prepared recordings.

    Raises:
        UserError: `cache` holds no prepared recordings.
    """
    from cleansemg.downstream.common.assess import assess
    from cleansemg.downstream.common.denoise import denoise
    from cleansemg.downstream.common.report import report

    if not (cache / SAVED_CONFIG).exists():
        raise UserError(
            f"{cache}: holds no prepared recordings; run downstream/fatigue/preprocess_and_denoise.py --cerqueira-data "
            f"DIR --output-cache {cache}, or downstream/fatigue/run.py for the simulated set"
        )
    settings, layout = config.load(cache / SAVED_CONFIG, overrides), Layout(cache)
    return [
        keeping(lambda run_options: denoise(settings, layout, run_options, denoisers), options),
        assess(settings, layout, options, denoisers, models),
        report(settings, layout, options, denoisers, models),
    ]


def prepare_main() -> NoReturn:
    """The command line of preprocess_and_denoise.py."""

    def command(
        cerqueira_data: Annotated[
            Path, typer.Option(help="Folder with sEMG_data and self_perceived_fatigue_index, zipped or not.")
        ],
        output_cache: CacheOption = CACHE,
        denoiser: DenoiserOption = None,
        config_file: Annotated[Path, typer.Option("--config", help="Configuration of the task.")] = CONFIG,
        workers: WorkersOption = 1,
        scheduler: SchedulerOption = None,
        overrides: SetOption = None,
        force: ForceOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Read Cerqueira's recordings, band-pass and resample them, and mix them with noise.

        Without --denoiser, denoising is left to fatigue_svm.py and fatigue_cnn.py, which keep what they denoise.
        """
        setup_logging(quiet)
        folder = f"datasets.cerqueira.folder={cerqueira_data.absolute()}"
        settings = config.load(config_file, [folder, *(overrides or ())])
        names = parse_denoisers(denoiser) if denoiser else []
        return commandline.finish(prepare(settings, output_cache, RunOptions(workers, force, scheduler), names))

    commandline.run(command)


def compare_main(models: Sequence[str]) -> NoReturn:
    """The command line of fatigue_svm.py and fatigue_cnn.py.

    Args:
        models: the classifiers.
    """

    def command(
        denoiser: DenoiserOption = None,
        output_cache: CacheOption = CACHE,
        protocol: Annotated[
            str | None, typer.Option(help="subjects: nobody on both sides; published: the source's folds, which leak.")
        ] = None,
        workers: WorkersOption = 1,
        scheduler: SchedulerOption = None,
        overrides: SetOption = None,
        force: ForceOption = False,
        quiet: QuietOption = False,
    ) -> int:
        setup_logging(quiet)
        asked = [f"downstream.protocol={protocol}"] if protocol else []
        names: Any = parse_denoisers(denoiser or [ALL])
        options = RunOptions(workers, force, scheduler)
        return commandline.finish(compare(output_cache, [*asked, *(overrides or ())], options, names, models))

    command.__doc__ = f"Fit {' and '.join(models)} on clean windows; accuracy on clean, noisy and denoised ones."
    commandline.run(command)
