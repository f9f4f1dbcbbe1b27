"""What rows are called where people read them: `msemg (small)`, while files and folders keep `msemg`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from cleansemg.core import rendering
from cleansemg.core.artifact import MANIFEST
from cleansemg.core.rendering import Table
from cleansemg.denoising.loading import SMALL, display_name


def display_names(root: Path) -> dict[str, str]:
    """The names of the evaluated rows of a run that are shown otherwise than their labels, by label.

    Args:
        root: output folder of the run.
    """
    names: dict[str, str] = {}
    for folder in sorted((root / "denoised").glob("*")):
        manifest = next(folder.glob(f"*/*/{MANIFEST}"), None)
        if manifest is not None:
            info = json.loads(manifest.read_text(encoding="utf-8"))["info"]
            links = info.get("chain", [info])
            if any(link.get("form") == SMALL for link in links):
                names[folder.name] = display_name(folder.name, small=True)
    return names


def write(tables: Sequence[Table], folder: Path, name: str) -> None:
    """As `core.rendering.write`, in the folder of tables of a run, with the names that people read."""
    rendering.write(tables, folder, name, display_names(folder.parent))
