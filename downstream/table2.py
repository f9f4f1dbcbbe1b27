"""The layout of the published Table 2, from the results of the gesture and the fatigue task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from cleansemg.core import commandline
from cleansemg.core.artifact import MANIFEST
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.registry import configs_folder
from cleansemg.evaluation.settings import Tables


def write(
    folders: dict[str, Path | None], models: dict[str, str | None], output: Path, settings: Tables | None = None
) -> Path:
    """Write table2.{csv,md,tex}; return the path of the Markdown file.

    Args:
        folders: task -> output folder of its run over all denoisers; None: not run. If it was run with both protocols,
            the results of `subjects` are shown.
        models: task -> its classifier; None: the classifier in the paper.
        output: folder of the table.
        settings: settings of the intervals; None: the defaults.

    Raises:
        UserError: no results are named, or a folder has only results of some denoisers.
        ArtifactError: predictions are absent, unfinished or altered.
    """
    from cleansemg.core import rendering
    from cleansemg.downstream.common import results, tables

    if not any(folders.values()):
        raise UserError("nothing to show: name the results of a task, --gesture FOLDER or --fatigue FOLDER")
    settings = settings or Tables()
    printed: dict[str, Any] = yaml.safe_load(
        (configs_folder() / "downstream" / "table2.yaml").read_text(encoding="utf-8")
    )
    by_task: dict[str, Any] = {}
    for task, root in folders.items():
        model = models.get(task) or printed[task]["model"]
        by_task[task] = None if root is None else results.read(_predictions(root, model), settings)
    table = tables.table2(by_task, printed["rows"], settings.confidence, printed["source"], printed["note"])
    output.mkdir(parents=True, exist_ok=True)
    rendering.write([table], output, "table2")
    return output / "table2.md"


def _predictions(root: Path, model: str) -> Path:
    """Folder of the predictions of the run over all denoisers, also if it does not exist."""
    from cleansemg.downstream.common.assess import ALL, PUBLISHED

    folder = Layout(root).downstream("predictions", model)
    there = sorted(path.parent.name for path in folder.glob(f"*/{MANIFEST}"))
    every = [name for name in (ALL, PUBLISHED) if name in there]
    if there and not every:
        raise UserError(
            f"{folder}: Table 2 is of all denoisers of a configuration, here are results of {', '.join(there)}; "
            "run the task, or its evaluate.py, with --denoiser all"
        )
    return folder / (every[0] if every else ALL)


def main(
    gesture: Annotated[
        Path | None, typer.Option(help="Results of the gesture task, e.g. results/downstream/gesture.")
    ] = None,
    fatigue: Annotated[
        Path | None, typer.Option(help="Results of the fatigue task, e.g. results/downstream/fatigue.")
    ] = None,
    gesture_model: Annotated[str | None, typer.Option(help="Its classifier; default: stcnet.")] = None,
    fatigue_model: Annotated[str | None, typer.Option(help="Its classifier; default: cnn, as printed.")] = None,
    output: Annotated[Path, typer.Option(help="Folder of the table.")] = Path("results/downstream/table2"),
) -> int:
    """Accuracy and F1 of gestures and fatigue for clean, noisy and every denoiser, the printed values beside."""
    path = write({"gesture": gesture, "fatigue": fatigue}, {"gesture": gesture_model, "fatigue": fatigue_model}, output)
    typer.echo(f"table2: {path}")
    return 0


if __name__ == "__main__":
    commandline.run(main)
