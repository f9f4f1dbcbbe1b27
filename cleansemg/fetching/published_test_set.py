"""The published test set: fetched, verified, and its mixtures written once without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.stage import Report
from cleansemg.evaluation import export
from cleansemg.evaluation.parameter_files import read_parameters
from cleansemg.fetching import hub
from cleansemg.fetching.byte_progress import size_text

REPOSITORY = "AnonResearcher0029/CLEANsEMG"
KINDS = ("dataset", "model")  # which of them it is, nothing that is public says
DEFAULT_FOLDER = Path("~/.cache/cleansemg/test-set")
PLAIN = "plain"  # folder of the converted files, below the fetched ones
TEST_SETS = "test_*.npz"
COMBINED = "test_combined.npz"
PARAMETERS = "tradition_params.json"
POOL = "noise_pool"


def fetch_test_set(folder: Path | None = None, revision: str | None = None, everything: bool = False) -> Report:
    """Fetch the published mixtures and parameters, and write the mixtures as plain arrays, in volts.

    Args:
        folder: where to keep them, under the repository's own paths; ~/.cache/cleansemg/test-set by default.
        revision: branch, tag or commit of the repository; None for main.
        everything: the noise pool, too.

    Returns:
        A line a file. A file that is not what was promised or can't be read is a failure; the others are kept.

    Raises:
        UserError: no connection, no test set in the repository, a folder that can't be written.
    """
    folder = (folder or DEFAULT_FOLDER).expanduser()
    repository = hub.open_repository(REPOSITORY, KINDS, folder, revision)
    pool = [f for f in repository.files if POOL in f.path.parts and f.path.suffix == ".npy"]
    wanted = [f for f in repository.files if f.path.suffix == ".npz" or f.path.name == PARAMETERS]
    if not any(f.path.match(TEST_SETS) for f in wanted):
        raise UserError(f"{repository}: has no {TEST_SETS}; its layout has changed, see --revision")
    lines, n_fetched, failed, usable = [f"from {repository}"], 0, 0, {}
    for file in wanted + (pool if everything else []):
        label = f"{file.path}, {size_text(file.size)}"
        try:
            n_fetched += hub.fetch(file, folder)
            usable[file.path], what = _use(folder, file.path)
        except ItemError as error:
            failed += 1
            lines.append(f"failed {label}: {error}")
        else:
            if file not in pool:
                lines.append(f"{label}: verified, {what}")
    if pool:
        size = size_text(sum(file.size for file in pool))
        read = sum(file.path in usable for file in pool)
        lines.append(
            f"{POOL}: {read} of {len(pool)} files verified, {size}" if everything
            else f"{POOL}: {len(pool)} files, {size}, not fetched; --all gets them"
        )  # fmt: skip
    lines.append(f"in {folder}: {n_fetched} files fetched, {len(usable)} usable, {failed} failed")
    lines += _next(usable)
    return Report("fetch test-set", tuple(lines), failed)


def describe(columns: Mapping[str, NDArray[Any]]) -> str:
    """Counts of a test set, for people."""
    snrs = ", ".join(f"{snr:g}" for snr in np.unique(columns["snr_db"]))
    n_kinds = ", ".join(str(n) for n in np.unique(columns["n_kinds"]))
    n_segments = len(np.unique(columns["segment_id"]))
    return f"{len(columns['clean'])} mixtures of {n_segments} segments, at {snrs} dB, of {n_kinds} kinds of noise"


def _use(folder: Path, path: Path) -> tuple[Path, str]:
    """What a fetched file is good for: the path to use it under, and a few words.

    Raises:
        ItemError: it can't be read.
    """
    source = folder / path
    try:
        if path.match(TEST_SETS):
            columns = export.read(source)
            if not len(columns["clean"]):
                raise ItemError("holds no mixture")
            target = folder / PLAIN / path
            npz.write(target, columns)
            return target, f"{describe(columns)}; as plain arrays: {target}"
        if path.name == PARAMETERS:
            return source, f"parameters of {len(read_parameters(source))} rows"
        if path.suffix == ".npy":
            array = np.load(source, mmap_mode="r", allow_pickle=False)
            return source, f"{array.shape}"
    except UserError as error:
        raise ItemError(str(error).removeprefix(f"{source}: ")) from None
    except (ValueError, EOFError) as error:
        raise ItemError(f"cannot be read ({error})") from None
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror or error}") from None
    return source, "not a test set, left as it is"


def _next(usable: Mapping[Path, Path]) -> list[str]:
    """The command line to go on with."""
    sets = sorted((path.name != COMBINED, path) for path in usable if path.match(TEST_SETS))
    if not sets:
        return []
    parameters = next((f" --params {target}" for path, target in usable.items() if path.name == PARAMETERS), "")
    data = usable[sets[0][1]]
    command = "python evaluation/evaluate_classical.py --config configs/config.yaml --methods hp"
    return [f"next: {command} --test-data {data}{parameters} --output results/published"]
