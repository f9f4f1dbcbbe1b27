"""The command `cleansemg export-test`: what somebody without our code needs to take part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleansemg.core.commandline import QuietOption

TargetArgument = Annotated[
    str, typer.Argument(metavar="TARGET", help="open-v1, a folder of results, or a configuration whose mixtures exist.")
]
SetOfTargetOption = Annotated[
    str | None, typer.Option("--set", help="Test set; default: the grid, which the headline comes from.")
]


def export_test(
    target: TargetArgument,
    output: Annotated[Path, typer.Option(help="A new folder.")],
    set_name: SetOfTargetOption = None,
    formats: Annotated[
        list[str] | None, typer.Option("--format", help="npz or mat (MATLAB). Repeatable; default: both.")
    ] = None,
    quiet: QuietOption = False,
) -> int:
    """Write the noisy signals of a test set for others: under opaque ids, in random order, without the clean ones.

    README.txt in the folder says what to send back, with examples for MATLAB and Python. The key to the ids stays in
    the folder of results (export_key.npz). `cleansemg score` scores what comes back.

    Example: cleansemg export-test open-v1 --output noisy
    """
    from cleansemg.core.console import setup_logging
    from cleansemg.core.errors import UserError, did_you_mean
    from cleansemg.evaluation.submissions.export_test import FORMATS
    from cleansemg.evaluation.submissions.export_test import export_test as write
    from cleansemg.evaluation.submissions.target import open_target

    setup_logging(quiet)
    unknown = [one for one in formats or () if one not in FORMATS]
    if unknown:
        raise UserError(f"--format {unknown[0]}: no such format{did_you_mean(unknown[0], FORMATS)}")
    opened = open_target(target)
    selected = set_name or opened.default_set()
    done = write(opened, selected, output, [one for one in FORMATS if not formats or one in formats])
    if not quiet:
        typer.echo(
            f"{done.folder}: {done.n_signals} noisy signals of {opened.name}, {selected}, in {done.n_files} files"
        )
        typer.echo(f"{done.key}: which mixture is behind which id; it does not leave this machine")
    return 0
