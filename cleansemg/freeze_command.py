"""The command `cleansemg freeze`: hashes of a run's test sets, to be committed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleansemg.core.commandline import QuietOption


def freeze(
    results: Annotated[Path, typer.Argument(help="A folder of results with finished test sets.")],
    name: Annotated[str, typer.Option(help="A name and a version, such as open-v1.")],
    config: Annotated[str, typer.Option(help="The configuration that makes these test sets.")],
    output: Annotated[Path, typer.Option(help="The file; to be known to the project: configs/frozen/NAME.yaml.")],
    quiet: QuietOption = False,
) -> int:
    """Write the hashes of all mixtures of a run's test sets, which `mix.frozen: NAME` then checks.

    A frozen test set never changes: an existing file is refused, and a changed set is the next version.

    Example: cleansemg freeze results/open --name open-v1 --config open --output configs/frozen/open-v1.yaml
    """
    from cleansemg.core.console import setup_logging
    from cleansemg.evaluation import frozen
    from cleansemg.evaluation.submissions.target import artifacts

    setup_logging(quiet)
    sets = frozen.freeze(artifacts(results), name, config, output)
    for key, digest in sets.sets.items():
        typer.echo(f"{key}: {digest.mixtures} mixtures, {digest.sha256}")
    typer.echo(f"{output}: {sets.name}, root {sets.root}")
    return 0
