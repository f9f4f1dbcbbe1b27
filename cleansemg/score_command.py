"""The command `cleansemg score`: denoised signals of somebody else in, a result file out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleansemg.core.commandline import QuietOption


def score(
    denoised: Annotated[
        Path | None, typer.Argument(help="A folder with .npz or .mat files as the export's README.txt asks for them.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the method, as a leaderboard shows it.")] = None,
    card: Annotated[Path | None, typer.Option(help="The filled-in card_template.yaml.")] = None,
    run: Annotated[
        str, typer.Option(help="The test set: open-v1, the folder of results it was exported from, or a configuration.")
    ] = "open-v1",
    set_name: Annotated[str | None, typer.Option("--set", help="Test set; default: the grid.")] = None,
    denoiser: Annotated[
        str | None, typer.Option(help="In place of DENOISED: a row that the run has evaluated, by its label.")
    ] = None,
    track: Annotated[str, typer.Option(help="Of --denoiser: blind, auto, oracle or published.")] = "blind",
    output: Annotated[Path | None, typer.Option(help="The result file; default: NAME.json.")] = None,
    quiet: QuietOption = False,
) -> int:
    """Score denoised signals against clean ones and write one result file, for `cleansemg leaderboard`.

    Every id must be there once, with finite numbers; what is wrong is one line that names the file and the id. Better
    than psm_oracle, gains made from the clean signal, on more than 5 % of the mixtures is marked.

    Example: cleansemg score denoised --name "my method" --card card.yaml
    """
    import re

    from cleansemg.core.console import setup_logging
    from cleansemg.core.errors import UserError
    from cleansemg.evaluation.submissions.card import read_card
    from cleansemg.evaluation.submissions.result_file import write_result
    from cleansemg.evaluation.submissions.scoring import result_of_row, score_submission
    from cleansemg.evaluation.submissions.target import open_target

    setup_logging(quiet)
    if (denoised is None) == (denoiser is None):
        raise UserError("give a folder of denoised signals, or --denoiser LABEL for a row of the run, one of the two")
    if denoised is not None and (name is None or not name.strip() or card is None):
        raise UserError('a submission needs --name "my method" and --card card.yaml (see card_template.yaml)')
    shown = (name or denoiser or "").strip()
    path = output or Path(re.sub(r"[^\w.-]+", "_", shown) + ("" if track == "blind" else f"_{track}") + ".json")
    if path.exists():
        raise UserError(f"{path}: is there already; name another --output")
    read = None if card is None else read_card(card)
    opened = open_target(run)
    selected = set_name or opened.default_set()
    if denoised is not None and read is not None:
        content = score_submission(opened, selected, denoised, shown, read)
    else:
        content = result_of_row(opened, selected, str(denoiser), track, name, read)
    write_result(content, path)
    means = content["means"]
    if not quiet:
        typer.echo(f"{path}: {shown} on {opened.name}, {selected}: {content['set']['mixtures']} mixtures")
        typer.echo("  " + ", ".join(f"{key} {value:.3g}" for key, value in means.items() if value is not None))
    for flag in content["flags"]:
        typer.echo(f"marked: {flag} (above psm_oracle on {content['share_above_ceiling']:.1%} of the mixtures)")
    return 0
