"""What every command line of the project shares: the common options, and how errors reach the user."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cleansemg.core import config as configuration
from cleansemg.core import invocation, user_modules
from cleansemg.core.console import setup_logging
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import Report, RunOptions

if TYPE_CHECKING:
    from cleansemg.settings import Settings

ConfigOption = Annotated[
    Path, typer.Option("--config", help="Configuration: the name of one that comes with the project (demo), or a file.")
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", help="Folder of the results; default: paths.output of the configuration.")
]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, help="Local processes; results do not depend on it.")]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        help="Work on a Dask cluster, tcp://HOST:PORT (docs/scaling.md); --workers then counts for training alone.",
    ),
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Override a setting: --set mix.shard_size=500. Repeatable.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Start over where results of other settings lie.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Warnings and errors only.")]

EXIT_FAILED_ITEMS = 1
EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130


StageFunction = Callable[["Settings", Layout, RunOptions], Report]


def prepare(config: Path, output: Path | None, overrides: list[str] | None, quiet: bool) -> tuple[Settings, Layout]:
    """Set up logging, read the configuration, let it name classes of the working folder, find that of the results."""
    setup_logging(quiet)
    invocation.remember(config, output, overrides or ())
    settings = configuration.load(config, overrides or ())
    user_modules.allow(name for _, name in user_modules.targets_in(settings))
    root = output or configuration.require_path(settings.paths.output, "paths.output", settings)
    return settings, Layout(root)


def finish(reports: Sequence[Report]) -> int:
    """Print what stages did; the exit code is 1 when an item failed."""
    for report in reports:
        for line in report.lines:
            print(f"{report.stage}: {line}")
    return EXIT_FAILED_ITEMS if any(report.n_failures for report in reports) else 0


def stage_script(stage: StageFunction, description: str) -> NoReturn:
    """The command line of one stage: the common options, the stage, its report."""

    def main(
        config: ConfigOption = Path("configs/config.yaml"),
        output: OutputOption = None,
        workers: WorkersOption = 1,
        scheduler: SchedulerOption = None,
        overrides: SetOption = None,
        force: ForceOption = False,
        quiet: QuietOption = False,
    ) -> int:
        settings, layout = prepare(config, output, overrides, quiet)
        return finish([stage(settings, layout, RunOptions(workers, force, scheduler))])

    main.__doc__ = description
    run(main)


def run(main: Callable[..., Any] | typer.Typer) -> NoReturn:
    """Run a function or an app as a command line; a user's mistake is one line and exit code 2."""
    if isinstance(main, typer.Typer):
        app = main
    else:
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        app.command()(main)
    user_modules.allow(user_modules.typed_targets(sys.argv[1:]))
    try:
        code = app(standalone_mode=False)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(
            f"error: {where}the disk is full; free some space and run again, finished parts are kept", file=sys.stderr
        )
        sys.exit(EXIT_USER_ERROR)
    except Exception as error:
        if not hasattr(error, "format_message"):  # not the parser's own complaint
            raise
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context else ""
        print(f"error: {error.format_message()}{hint}", file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)
    if code == EXIT_INTERRUPTED:  # what typer makes of Ctrl-C
        print("stopped; run the same command again to go on where it was", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)
