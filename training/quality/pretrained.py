"""Command line: copy a trained quality network to the pretrained weights, with card and scatter plot.

For maintainers; use it after the train and test steps of the same configuration (docs/quality.md).
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cleansemg.core.commandline import ConfigOption, OutputOption, QuietOption, SetOption, prepare, run
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.quality import models
from cleansemg.training import model_cards
from cleansemg.training.quality.fitting import SCHEMA, WEIGHTS
from cleansemg.training.quality.report import OURS
from cleansemg.training.quality.testing import SCHEMA as TESTED

if TYPE_CHECKING:
    from cleansemg.settings import Settings

LARGEST_BYTES = 2_000_000

ModelOption = Annotated[str, typer.Option("--model", help="One of quality.models.")]
NameOption = Annotated[str | None, typer.Option("--name", help="Name of the pretrained weights; default: the model's.")]
FolderOption = Annotated[Path, typer.Option("--folder", help="Where weights and card go.")]


def main(
    config: ConfigOption = Path("configs/quality/qase.yaml"),
    model: ModelOption = "qase",
    name: NameOption = None,
    folder: FolderOption = models.PRETRAINED,
    output: OutputOption = None,
    overrides: SetOption = None,
    quiet: QuietOption = False,
) -> int:
    """Copy a finished training to the pretrained weights and write its card from the tables of the test step."""
    settings, layout = prepare(config, output, overrides, quiet)
    path = copy_weights(layout, model, folder, name or model)
    typer.echo(model_cards.write_card(path, describe(settings, layout, model, path)))
    return 0


def copy_weights(layout: Layout, model: str, folder: Path, name: str) -> Path:
    """Copy weights and scatter plot; return the path of the new file of weights.

    Raises:
        ArtifactError: the training is absent or unfinished.
        UserError: the scatter plot is absent or older than the weights, or the weights were altered or are too large.
    """
    weights = layout.quality_weights(model) / WEIGHTS
    picture = layout.tables / f"quality_{model}.png"
    if not picture.exists():
        raise UserError(f"{picture}: not there; run: {TESTED.command}")
    if weights.exists() and picture.stat().st_mtime_ns < weights.stat().st_mtime_ns:
        raise UserError(f"{picture}: older than the weights; run: {TESTED.command}")
    return model_cards.copy_weights(weights, SCHEMA, picture, folder, name, LARGEST_BYTES)


def describe(settings: Settings, layout: Layout, model: str, path: Path) -> str:
    """Return the model card, as Markdown.

    Raises:
        UserError: a table of the test step is absent or has no row for the model.
    """
    predictor = models.load(path)
    info, quality = predictor.info, settings.quality
    config = model_cards.name_of_configuration(settings)
    parameters = model_cards.describe_values(info["parameters"])
    lines = [
        f"# {path.stem}, pretrained weights of the quality network",
        "",
        "Predicts the SNR of surface EMG from the noisy signal"
        + (", and the kinds of noise in it." if info["thresholds"] else "."),
        "",
        "| | |",
        "|---|---|",
        f"| file | {model_cards.describe_file(path)} |",
        f"| model | {model}, {models.count(predictor.network):,} parameters ({parameters}) |",
        f"| data | {model_cards.describe_data(settings)}{'; fine-tuned' if quality.init == 'pretrained' else ''} |",
        (
            f"| mixtures | SNR {info['snr_db'][0]:g} to {info['snr_db'][1]:g} dB, windows of "
            f"{', '.join(f'{length:g}' for length in info['lengths_s'])} s, "
            f"{100 * quality.clean_share:g} % without noise, {100 * quality.band_limited_share:g} % after a low-pass |"
        ),
        f"| seed | {info['seed']} |",
        f"| command | `python training/quality/train.py --config {config}` |",
        f"| recipe | {model_cards.describe_values(info['recipe'])} |",
        f"| epoch | {info['epoch']} |",
        f"| licence | {model_cards.describe_licence(settings)} |",
        "",
        f"![Predicted against true SNR]({path.stem}.png)",
        "",
        *_scores(layout, model),
    ]
    if info["thresholds"]:
        lines += _kinds(layout, model, predictor.kinds, info["thresholds"])
    return "\n".join(lines)


def _scores(layout: Layout, model: str) -> list[str]:
    row = next((row for row in _rows(layout, "table", model) if row["source"] == OURS), None)
    if row is None:
        raise UserError(f"{layout.tables / 'quality_table.csv'}: has no row for '{model}'; run the test step again")
    lines = [
        f"{row['n_mixtures']} test mixtures of {row['n_subjects']} held-out people:",
        "",
        "| condition | LCC | SRCC | MSE (dB²) | MAE (dB) |",
        "|---|---:|---:|---:|---:|",
    ]
    for one in ({**row, "condition": "all"}, *_rows(layout, "by_condition", model)):
        cells = [_rounded(one[key], digits) for key, digits in (("LCC", 4), ("SRCC", 4), ("MSE", 2), ("MAE", 2))]
        lines.append(f"| {one['condition']} | {' | '.join(cells)} |")
    return [*lines, ""]


def _kinds(layout: Layout, model: str, kinds: Sequence[str], thresholds: list[float]) -> list[str]:
    rows = _rows(layout, "kinds", model)
    lines = ["| kind | " + " | ".join(kinds) + " |", "|---|" + "---:|" * len(kinds)]
    lines += [f"| {row['what']} | " + " | ".join(_rounded(row[kind], 3) for kind in kinds) + " |" for row in rows]
    limits = " | ".join(f"{limit:.2f}" for limit in thresholds)
    note = "On the `auto` track, a kind counts as present from the threshold that had the best F1 in validation."
    return [*lines, f"| threshold | {limits} |", "", note, ""]


def _rows(layout: Layout, table: str, model: str) -> list[dict[str, str]]:
    path = layout.tables / f"quality_{table}.csv"
    if not path.exists():
        raise UserError(f"{path}: not there; run: {TESTED.command}")
    with path.open() as file:
        return [row for row in csv.DictReader(file) if row["model"] == model]


def _rounded(text: str, digits: int) -> str:
    return f"{float(text):.{digits}f}" if text else ""


if __name__ == "__main__":
    run(main)
