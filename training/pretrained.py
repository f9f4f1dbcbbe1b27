"""Command line: copy trained networks to the pretrained weights, `denoising/weights/`, each with its model card.

For maintainers. Use it after `training/train_neural.py --config configs/weights.yaml` and a run of `configs/demo.yaml`
that evaluates these weights on people outside the training data; for weights fine-tuned on the open recordings, after
`cleansemg run --config configs/open.yaml`, with `--folder denoising/weights/open` (docs/weights.md).
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml

from cleansemg.core import registry, weight_files
from cleansemg.core.commandline import ConfigOption, OutputOption, QuietOption, SetOption, prepare, run
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.denoising.loading import WEIGHTS_FOLDER, display_name, is_small
from cleansemg.training import model_cards
from cleansemg.training.fit_files import BEST, CURVES, LOSSES, RECIPE
from cleansemg.training.neural import SCHEMA
from cleansemg.training.seeds import seeds_of

if TYPE_CHECKING:
    from cleansemg.settings import Settings

LARGEST_BYTES = 6_000_000

ModelOption = Annotated[
    list[str] | None, typer.Option("--model", help="Network. Repeatable; default: train.models of the configuration.")
]
ResultsOption = Annotated[
    Path | None,
    typer.Option("--results", help="Output folder of a run that evaluated these weights; its Table 1 is quoted."),
]
FolderOption = Annotated[Path, typer.Option("--folder", help="Where the weights and cards go.")]


def main(
    config: ConfigOption = Path("configs/weights.yaml"),
    model: ModelOption = None,
    results: ResultsOption = None,
    folder: FolderOption = WEIGHTS_FOLDER,
    output: OutputOption = None,
    overrides: SetOption = None,
    quiet: QuietOption = False,
) -> int:
    """Copy finished trainings to the pretrained weights and write their model cards.

    Run it once to have the weights evaluated, and again with --results to put the scores on the cards.
    """
    settings, layout = prepare(config, output, overrides, quiet)
    for name in model or settings.train.models:
        entry = registry.find("denoisers", name)
        source = _fit_of(settings, layout, entry.name)
        path = model_cards.copy_weights(source / BEST, SCHEMA, source / CURVES, folder, entry.name, LARGEST_BYTES)
        typer.echo(model_cards.write_card(path, describe(settings, layout, entry.name, path, results)))
    return 0


def describe(settings: Settings, layout: Layout, name: str, path: Path, results: Path | None) -> str:
    """Return the model card of a network, as Markdown; with `results`, it includes scores of that run's Table 1."""
    source = _fit_of(settings, layout, name)
    recipe = yaml.safe_load((source / RECIPE).read_text())
    entry = registry.find("denoisers", name)
    with (source / LOSSES).open() as file:
        history = list(csv.DictReader(file))
    state, info = weight_files.read(path)
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    count = sum(t.numel() for key, t in state.items() if not key.endswith(buffers))
    small = is_small(entry, info["parameters"])
    config = model_cards.name_of_configuration(settings)
    command = f"python training/train_neural.py --config {config} --model {name}"
    lines = [
        f"# {display_name(name, small)}, the pretrained weights",
        "",
        f"{entry.summary}. These weights are of its {'small' if small else 'full'} form.",
        "",
        "| | |",
        "|---|---|",
        f"| file | {model_cards.describe_file(path)} |",
        f"| parameters | {count:,} ({model_cards.describe_values(info['parameters'])}) |",
        f"| data | {settings.title}: {model_cards.describe_data(settings)} |",
        (
            f"| mixtures | SNR {settings.train.snr_db[0]:g} to {settings.train.snr_db[1]:g} dB, 1 to 5 kinds of noise, "
            f"new ones in every epoch |"
        ),
        f"| seed | {info['seed']} |",
        (f"| command | `cleansemg run --config {config} --stages qc,grade,split,segment,noise`, then `{command}` |"),
        f"| recipe | {model_cards.describe_values(recipe)} |",
        f"| epochs | {len(history)}, best {info['epoch']} |",
        f"| validation loss | {info['valid_loss']:.4g}, on held-out people and noise pieces |",
        f"| licence | {model_cards.describe_licence(settings)} |",
        "",
        f"The network works at 1000 Hz, on windows of 2 s and more. {_advice(settings)}",
        "",
        f"![Losses by epoch]({name}.png)",
        "",
    ]
    if results is not None:
        lines += _scores(results, name, display_name(name, small), results.resolve() == layout.root.resolve())
    return "\n".join(lines)


def _fit_of(settings: Settings, layout: Layout, name: str) -> Path:
    """The folder of the network's fit, with several training seeds that of the first one."""
    return layout.weights(name, seeds_of(settings)[0])


def _scores(results: Path, name: str, title_of_row: str, fitted_there: bool) -> list[str]:
    """Format the rows of this network and of the best blind classical method in Table 1 of a run.

    `title_of_row`: what the network is called. `fitted_there`: whether this run fitted the weights itself, and
    therefore evaluated them.

    Raises:
        UserError: Table 1 is absent or has no row for the network, or the run evaluated other weights.
    """
    table = results / "tables" / "table1.csv"
    if not table.exists():
        raise UserError(f"{table}: not there; evaluate first: cleansemg run --config configs/demo.yaml")
    with table.open() as file:
        rows = list(csv.DictReader(file))
    if not fitted_there and Layout(results).weights(name).exists():
        raise UserError(f"{results}: scored '{name}' with weights of its own; run it with --set train.models=[]")
    mine = [row for row in rows if row["denoiser"] == name]
    if not mine:
        raise UserError(f"{table}: has no row for '{name}'; add it to evaluate.denoisers")
    blind = [row for row in rows if row["track"] == "blind" and row["denoiser"] in classical_methods()]
    best = max(blind, key=lambda row: float(row["SNRimp"]))
    title = yaml.safe_load((results / "tables" / "config.yaml").read_text())["title"]
    lines = [
        (
            f'On the test set of "{title}", {mine[0]["n_mixtures"]} mixtures of {mine[0]["n_subjects"]} '
            "people, none of them in the training data:"
        ),
        "",
        "| denoiser | SNRimp (dB) | PRD (%) | RMSE of mean frequency (Hz) |",
        "|---|---|---|---|",
    ]
    for label, row in ((title_of_row, mine[0]), (f"{best['denoiser']} (best blind classical method)", best)):
        interval = f"{float(row['SNRimp']):.2f} ({float(row['SNRimp_low']):.2f} to {float(row['SNRimp_high']):.2f})"
        lines.append(f"| {label} | {interval} | {float(row['PRD']):.1f} | {float(row['RMSE_MNF']):.1f} |")
    return [*lines, ""]


def _advice(settings: Settings) -> str:
    if model_cards.is_simulated(settings):
        return (
            "Trained on simulated recordings alone: for recordings of people, fine-tune it with "
            "`--set train.init=pretrained` (docs/training.md)."
        )
    return (
        "Trained on the simulated set, then fine-tuned on the training people of these recordings: "
        '`load(NAME, weights="open")`.'
    )


def classical_methods() -> set[str]:
    """Names of the denoisers without training."""
    return {name for name, entry in registry.entries("denoisers").items() if "training" not in entry.extra}


if __name__ == "__main__":
    run(main)
