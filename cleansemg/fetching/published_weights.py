"""The published checkpoints: fetched, verified, and converted to weights of our own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cleansemg.core import npz, registry
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.registry import Entry
from cleansemg.core.stage import Report
from cleansemg.fetching import hub
from cleansemg.fetching.byte_progress import size_text
from cleansemg.fetching.published_test_set import COMBINED, PLAIN
from cleansemg.fetching.published_test_set import DEFAULT_FOLDER as TEST_SETS

REPOSITORY = "AnonResearcher0029/CLEANsEMG-weights"
DEFAULT_FOLDER = Path("~/.cache/cleansemg/weights")
SUFFIXES = (".pth", ".pt")
BEST = "best"
TEST_SET = TEST_SETS / PLAIN / COMBINED  # of `cleansemg fetch test-set`


def fetch_weights(folder: Path | None = None, revision: str | None = None, models: Sequence[str] = ()) -> Report:
    """Fetch the published checkpoints of the networks here, and write each as `NAME.safetensors` beside them.

    Args:
        folder: where to keep both; ~/.cache/cleansemg/weights by default.
        revision: branch, tag or commit of the repository; None for main.
        models: names or aliases; none for all.

    Returns:
        A line a file. A checkpoint that is not what was promised, that does not fit or that holds more than
        tensors is a failure; the others are kept.

    Raises:
        UserError: no connection, an unknown model, one that is not in the repository, a folder that can't be written.
    """
    folder = (folder or DEFAULT_FOLDER).expanduser()
    wanted = [_network(name) for name in models]
    repository = hub.open_repository(REPOSITORY, hub.KINDS, folder, revision)
    selected, skipped = _choose(repository.files)
    for entry in wanted:
        if entry.name not in selected:
            raise UserError(f"{repository}: has no checkpoint of '{entry.name}'; has: {', '.join(selected) or 'none'}")
    if wanted:
        selected = {entry.name: selected[entry.name] for entry in wanted}
    lines, n_fetched, failures = [f"from {repository}"], 0, 0
    done = []
    for name, file in selected.items():
        label = f"{file.path}, {size_text(file.size)}"
        try:
            n_fetched += hub.fetch(file, folder)
            convert(registry.find("denoisers", name), folder / file.path, folder / f"{name}.safetensors", repository)
        except ItemError as error:
            failures += 1
            lines.append(f"failed {label}: {error}")
        else:
            done.append(name)
            lines.append(f"{label}: verified, {name}.safetensors")
    lines += [f"skipped {path}: {reason}" for path, reason in skipped.items() if not wanted]
    lines.append(f"{len(done)} networks in {folder}: {n_fetched} files fetched, {failures} failed")
    if done:
        lines.append(
            f"next: python evaluation/evaluate_neural.py --config configs/config.yaml --model {done[0]} "
            f"--model-path {folder / done[0]}.safetensors --test-data {TEST_SET} --output results/published"
        )
    return Report("fetch weights", tuple(lines), failures)


def convert(entry: Entry, checkpoint: Path, target: Path, repository: hub.Repository) -> None:
    """Read a checkpoint without running anything that it holds, and write it as our weights, which say their source.

    Raises:
        ItemError: it holds more than tensors, or does not fit the network.
    """
    from cleansemg.core import weight_files
    from cleansemg.denoising import load_network

    try:
        denoiser = load_network(entry.name, weights=checkpoint)
        parameters = {**entry.parameters, **_parameters(entry, checkpoint)}
    except UserError as error:
        raise ItemError(str(error).removeprefix(f"{checkpoint}: ")) from None
    except (ValueError, TypeError, LookupError, RuntimeError) as error:  # shapes that no size of the network gives
        raise ItemError(f"does not fit '{entry.name}' ({type(error).__name__}: {error})") from None
    source = {
        "repository": repository.name,
        "kind": repository.kind,
        "revision": repository.commit,
        "file": checkpoint.name,
        "sha256": npz.sha256(checkpoint),
    }
    info = {"denoiser": entry.name, "parameters": parameters, "source": source}
    try:
        weight_files.write(target, denoiser.network, info)
    except OSError as error:
        raise UserError(f"{target}: {error.strerror or error}") from None


def _parameters(entry: Entry, checkpoint: Path) -> dict[str, Any]:
    """What `denoising.load` builds the network of a checkpoint with, over the YAML's."""
    from cleansemg.core import weight_files
    from cleansemg.denoising.neural import PUBLISHED_SCALING

    state, info = weight_files.read(checkpoint)
    if info:
        return dict(info.get("parameters", {}))
    published = registry.load_class(entry.target).from_published(state)
    return {**PUBLISHED_SCALING, **published[0]} if published else {}


def _network(name: str) -> Entry:
    entry = registry.find("denoisers", name)
    if not _is_network(entry):
        raise UserError(f"--model {name}: '{entry.name}' has no network, so no weights")
    return entry


def _is_network(entry: Entry) -> bool:
    from cleansemg.denoising.loading import is_neural

    return is_neural(registry.load_class(entry.target))


def _choose(files: Sequence[hub.HubFile]) -> tuple[dict[str, hub.HubFile], dict[Path, str]]:
    """The checkpoint of each network, and why others are left: one a network, a `_best` before any other."""
    selected: dict[str, hub.HubFile] = {}
    skipped: dict[Path, str] = {}
    checkpoints = [file for file in files if file.path.suffix.lower() in SUFFIXES]
    for file in sorted(checkpoints, key=lambda f: (not f.path.stem.lower().endswith(BEST), f.path)):
        entry = _entry_of(file.path)
        if entry is None:
            skipped[file.path] = "no network of that name here"
        elif entry.name in selected:
            skipped[file.path] = f"{selected[entry.name].path} is taken for '{entry.name}'"
        else:
            selected[entry.name] = file
    return dict(sorted(selected.items())), skipped


def _entry_of(path: Path) -> Entry | None:
    """The network that a file is named after: `FCN_best.pth`, `FCN/best.pth`; a published name before our own."""
    stem = path.parent.name if path.stem.lower() == BEST else path.stem
    name = _plain(stem.removesuffix(f"_{BEST}"))
    known = registry.entries("denoisers").values()
    by_public_name = [entry for entry in known if _plain(str(entry.extra.get("published_name", ""))) == name]
    by_our_name = [entry for entry in known if name in {_plain(alias) for alias in (entry.name, *entry.aliases)}]
    return next((entry for entry in by_public_name + by_our_name if name and _is_network(entry)), None)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
