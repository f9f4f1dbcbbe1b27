"""Writes what a competitor may see of a test set: noisy signals under opaque ids, the rate, and how to send results.

Nothing else of a mixture shows: signals are in the order of their ids, which are hashes; every file holds as many; all
are float32 in volts and carry no time. Amplitudes stay, for a recording has one.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.core.console import progress
from cleansemg.core.errors import UserError
from cleansemg.core.stage import disk_error
from cleansemg.evaluation.submissions import card, croissant
from cleansemg.evaluation.submissions.opaque_ids import gather, key_of, mapped_shards, write_key
from cleansemg.evaluation.submissions.target import Target

Format = Literal["npz", "mat"]
FORMATS: tuple[Format, ...] = ("npz", "mat")
ROWS = 500  # signals a file: 4 MB of 2000 samples
MAT_HEADER_BYTES = 116  # of text; scipy puts the time and the machine there
README = Path(__file__).parent / "assets" / "README.txt"


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        folder: that holds it.
        key: the file in the run's folder that says which mixture is behind which id.
        n_signals, n_files: how many.
    """

    folder: Path
    key: Path
    n_signals: int
    n_files: int


def export_test(target: Target, set_name: str, output: Path, formats: Sequence[Format] = FORMATS) -> Export:
    """Write the noisy signals of a test set for others.

    Args:
        target: the run.
        set_name: of its test sets.
        output: a folder, which must not be there or be empty.
        formats: npz, mat (MATLAB, version 5), or both: the same signals under the same ids.

    Raises:
        UserError: no such set, the folder holds something, or the disk is full.
    """
    artifact = target.artifact(set_name)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(f"--output {output}: is there already; name a new folder")
    key, shards = key_of(artifact), mapped_shards(artifact)
    fs_hz = float(artifact.manifest.info["fs_hz"])
    length = int(next(iter(shards.values()))["noisy"].shape[1])
    parts = [np.arange(start, min(start + ROWS, len(key.ids))) for start in range(0, len(key.ids), ROWS)]
    staging = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        staging.mkdir(parents=True)
        digits = max(3, len(str(len(parts))))
        index: list[tuple[str, str, int]] = []
        for number, rows in enumerate(progress(parts, len(parts), "export", unit="file")):
            noisy = np.ascontiguousarray(gather(shards, key, rows, "noisy"), np.float32)  # [n, L]
            stem = f"noisy_{number:0{digits}d}"
            for suffix in formats:
                _write(staging / f"{stem}.{suffix}", {"ids": key.ids[rows], "noisy": noisy, "fs_hz": np.array(fs_hz)})
            index += [(text, stem, position + 1) for position, text in enumerate(key.ids[rows].tolist())]
        facts = croissant.Facts(
            target.name,
            set_name,
            target.sets[set_name].sha256,
            _databases(shards),
            tuple(formats),
            fs_hz,
            length,
            None if target.frozen is None else target.frozen.date,
        )
        _write_texts(staging, facts, index)
        if output.exists():
            output.rmdir()
        os.replace(staging, output)
    except OSError as error:
        raise disk_error(output, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Export(output, write_key({set_name: key}, target.results), len(key.ids), len(parts) * len(formats))


def _databases(shards: Mapping[str, Mapping[str, NDArray[Any]]]) -> tuple[str, ...]:
    """The databases that the people of a test set are of."""
    return tuple(sorted({str(one) for columns in shards.values() for one in np.unique(columns["database"])}))


def _write_texts(folder: Path, facts: croissant.Facts, index: Sequence[tuple[str, str, int]]) -> None:
    """Index, README, template of the card, and metadata; the metadata last, since it has the files' hashes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "file", "row"])
    writer.writerows(index)
    (folder / "index.csv").write_text(text.getvalue(), encoding="utf-8")
    names = {"name": facts.name, "set": facts.set_name, "sha256": facts.sha256, "count": str(len(index))}
    names |= {"length": str(facts.length), "fs": f"{facts.fs_hz:g}"}
    readme = README.read_text(encoding="utf-8")
    for name, value in names.items():
        readme = readme.replace(f"@{name}@", value)
    (folder / "README.txt").write_text(readme, encoding="utf-8")
    (folder / "card_template.yaml").write_text(card.TEMPLATE, encoding="utf-8")
    metadata = croissant.metadata(folder, facts)
    (folder / "croissant.json").write_text(json.dumps(metadata, indent=1) + "\n", encoding="utf-8")


def _write(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """One file of signals, the same bytes for the same signals."""
    if path.suffix == ".npz":
        npz.write(path, arrays)
        return
    import scipy.io

    raw = io.BytesIO()
    scipy.io.savemat(raw, dict(arrays), do_compression=False)
    content = bytearray(raw.getvalue())
    content[:MAT_HEADER_BYTES] = b"MATLAB 5.0 MAT-file, written by CleanSEMG".ljust(MAT_HEADER_BYTES)
    npz.atomic_write(path, bytes(content))
