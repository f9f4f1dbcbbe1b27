"""Command line: copy trained networks to the pretrained weights, `denoising/weights/`, each with its model card.

For maintainers, after `training/train_neural.py --config configs/weights.yaml` and a run of `configs/demo.yaml`
that evaluated those weights on people that they have not seen; and for those fitted on to the open recordings, after
`cleansemg run --config configs/open.yaml`, with `--folder denoising/weights/open` (docs/weights.md).
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from cleansemg.core import config as configuration
from cleansemg.core import npz, registry, weight_files
from cleansemg.core.artifact import read_manifest
from cleansemg.core.commandline import ConfigOption, OutputOption, QuietOption, SetOption, prepare, run
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.denoising.loading import WEIGHTS_FOLDER
from cleansemg.training.neural import BEST, CURVES, LOSSES, RECIPE, SCHEMA

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
        path = put(layout.weights(entry.name), folder, entry.name)
        card = folder / f"{entry.name}.md"
        npz.atomic_write(card, describe(settings, layout, entry.name, path, results).encode())
        typer.echo(f"{entry.name}: {path} ({path.stat().st_size / 1e6:.2f} MB), {card}")
    return 0


def put(source: Path, folder: Path, name: str) -> Path:
    """Copy a finished training's weights and curves; returns the file of weights.

    Raises:
        UserError: the training is not there, or its weights are too large to be shipped.
    """
    manifest = read_manifest(source, SCHEMA)
    content = (source / BEST).read_bytes()
    if npz.sha256(source / BEST) != manifest.info["files"][BEST]:
        raise UserError(f"{source / BEST}: altered since it was trained; train it again")
    if len(content) > LARGEST_BYTES:
        raise UserError(f"{source / BEST}: {len(content)} bytes, at most {LARGEST_BYTES} are shipped")
    path = folder / f"{name}.safetensors"
    npz.atomic_write(path, content)
    npz.atomic_write(folder / f"{name}.png", (source / CURVES).read_bytes())
    return path


def describe(settings: Settings, layout: Layout, name: str, path: Path, results: Path | None) -> str:
    """The model card of a network, as Markdown."""
    source = layout.weights(name)
    _, info = weight_files.read(path)
    recipe = yaml.safe_load((source / RECIPE).read_text())
    entry = registry.find("denoisers", name)
    with (source / LOSSES).open() as file:
        history = list(csv.DictReader(file))
    state, _ = weight_files.read(path)
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    count = sum(t.numel() for key, t in state.items() if not key.endswith(buffers))
    small = entry.extra.get("small") or {}
    form = "small" if small and small.items() <= info["parameters"].items() else "full"
    command = f"python training/train_neural.py --config {_relative(settings)} --model {name}"
    lines = [
        f"# {name}, the pretrained weights",
        "",
        f"{entry.summary}. These weights are of its {form} form.",
        "",
        "| | |",
        "|---|---|",
        f"| file | `{path.name}`, {path.stat().st_size / 1e6:.2f} MB, SHA-256 `{npz.sha256(path)}` |",
        f"| parameters | {count:,} ({_plain(info['parameters'])}) |",
        f"| data | {settings.title}: {_datasets(settings)}; noise {_noise(settings)} |",
        (
            f"| mixtures | SNR {settings.train.snr_db[0]:g} to {settings.train.snr_db[1]:g} dB, 1 to 5 kinds of noise, "
            f"drawn anew every epoch |"
        ),
        f"| seed | {info['seed']} |",
        (
            f"| command | `cleansemg run --config {_relative(settings)} --stages qc,grade,split,segment,noise`, "
            f"then `{command}` |"
        ),
        f"| recipe | {_plain(recipe)} |",
        f"| epochs | {len(history)}, best {info['epoch']} |",
        f"| validation loss | {info['valid_loss']:.4g}, on people and noise pieces that training has not seen |",
        f"| licence | the project's (MIT); {_origin(settings)} |",
        "",
        f"Made for 1000 Hz, windows of 2 s and more. {_advice(settings)}",
        "",
        f"![Losses by epoch]({name}.png)",
        "",
    ]
    if results is not None:
        lines += _scores(results, name, own=results.resolve() == layout.root.resolve())
    return "\n".join(lines)


def _scores(results: Path, name: str, own: bool) -> list[str]:
    """The rows of this network and of what it is to be compared with, from a run's Table 1.

    `own`: the run is the one that fitted these weights, and so has evaluated them.
    """
    table = results / "tables" / "table1.csv"
    if not table.exists():
        raise UserError(f"{table}: not there; evaluate first: cleansemg run --config configs/demo.yaml")
    with table.open() as file:
        rows = list(csv.DictReader(file))
    if not own and Layout(results).weights(name).exists():
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
            "people, none of them in the training:"
        ),
        "",
        "| denoiser | SNRimp (dB) | PRD (%) | RMSE of mean frequency (Hz) |",
        "|---|---|---|---|",
    ]
    for label, row in ((name, mine[0]), (f"{best['denoiser']} (best blind classical method)", best)):
        interval = f"{float(row['SNRimp']):.2f} ({float(row['SNRimp_low']):.2f} to {float(row['SNRimp_high']):.2f})"
        lines.append(f"| {label} | {interval} | {float(row['PRD']):.1f} | {float(row['RMSE_MNF']):.1f} |")
    return [*lines, ""]


def is_simulated(settings: Settings) -> bool:
    """Whether no recording of a person is among the data."""
    return all(name.startswith("simulated") for name in settings.enabled_datasets)


def _origin(settings: Settings) -> str:
    if is_simulated(settings):
        return "no recording of a person is in the data"
    return "sources and licences of the recordings are in configs/datasets/ and docs/noise.md"


def _advice(settings: Settings) -> str:
    if is_simulated(settings):
        return (
            "Fitted to simulated recordings alone: for those of people, fit it on with `--set train.init=pretrained` "
            "(docs/training.md)."
        )
    return 'Fitted on from the simulated set to the training people of these recordings: `load(NAME, weights="open")`.'


def classical_methods() -> set[str]:
    """Names of the denoisers that are not fitted."""
    return {name for name, entry in registry.entries("denoisers").items() if "training" not in entry.extra}


def _datasets(settings: Settings) -> str:
    parts = []
    for name, dataset in settings.enabled_datasets.items():
        parts.append(f"{name} ({_plain(dataset.parameters)})" if dataset.parameters else name)
    return ", ".join(parts)


def _noise(settings: Settings) -> str:
    return ", ".join(
        f"{kind} ({' and '.join(s.source for s in sources)})" for kind, sources in settings.noise.kinds.items()
    )


def _plain(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in values.items())


def _relative(settings: Settings) -> str:
    path = configuration.locate(Path(settings.config_file)).resolve()
    root = registry.project_root()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


if __name__ == "__main__":
    run(main)
