"""The command `cleansemg leaderboard`: one page of result files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleansemg.core.commandline import QuietOption


def leaderboard(
    results: Annotated[list[Path], typer.Argument(help="Result files of `cleansemg score`, or folders of them.")],
    output: Annotated[Path, typer.Option(help="The page; .md and .csv lie beside it.")] = Path("leaderboard.html"),
    quiet: QuietOption = False,
) -> int:
    """Make one table of the results of many people and versions, sorted by SI-SDR improvement.

    Edited files and results of another test set are refused in one line. Intervals are over people; floors, ceilings
    and results that are too good are marked.

    Example: cleansemg leaderboard results/*.json --output leaderboard.html
    """
    from cleansemg.core.console import setup_logging
    from cleansemg.evaluation.submissions.board import make_board

    setup_logging(quiet)
    board = make_board(results, output)
    if not quiet:
        marked = f", {board.n_flagged} marked" if board.n_flagged else ""
        typer.echo(f"{board.paths[0]}: {board.n_results} results{marked}; also .md and .csv")
    return 0
