"""The file beside a denoised recording that describes how it was made, so that it can be made again.

`record` and its hash depend on the inputs and the command alone; what differs from run to run is under `run`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cleansemg.core.errors import UserError
from cleansemg.core.npz import atomic_write, sha256
from cleansemg.formats import FileInfo, parts_of

SCHEMA = "cleansemg denoised recording 1"
LIBRARIES = ("numpy", "scipy", "torch", "numba", "pandas", "pyedflib", "openpyxl")


def sidecar_path(output: Path) -> Path:
    """OUTPUT.json, with the output's suffix: `clean.csv.json`."""
    return output.with_name(f"{output.name}.json")


def content(record: Mapping[str, Any], run: Mapping[str, Any]) -> bytes:
    """The file's content.

    Args:
        record: everything that decides the output.
        run: time of day, duration, machine.
    """
    digest = hashlib.sha256(_canonical(record)).hexdigest()
    whole = {"schema": SCHEMA, "record": dict(record), "record_sha256": digest, "run": dict(run)}
    return json_bytes(whole)


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """Indented JSON, UTF-8; NaN is a mistake of the caller."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def describe_file(info: FileInfo) -> dict[str, Any]:
    """Name, format and hashes of a recording's file or files."""
    return {
        "name": info.path.name,
        "format": info.format,
        "sha256": {path.name: sha256(path) for path in parts_of(info)},
    }


def versions() -> dict[str, str]:
    """Of the project, Python and the libraries whose rounding or format can show in the output."""
    import platform
    from importlib import metadata

    installed = {"python": platform.python_version()}
    for name in ("cleansemg", *LIBRARIES):
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed[name] = "not installed"
    return installed


def check_target(path: Path, *, overwrite: bool, inputs: Sequence[Path] = ()) -> None:
    """Refuse a path that cannot be written, before the work begins.

    Args:
        path: the target.
        overwrite: a file that is there may be replaced.
        inputs: files that may not, even so.

    Raises:
        UserError: it exists and may not be replaced, is a folder, or its folder cannot be written to.
    """
    import tempfile

    if path.exists() and any(path.samefile(one) for one in inputs):
        raise UserError(f"{path}: is the input itself; give another name")
    if path.is_dir():
        raise UserError(f"{path}: is a folder, expected a file")
    if path.exists() and not overwrite:
        raise UserError(f"{path}: exists already; give another name, or --overwrite")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        UserError: the disk is full, or the place cannot be written to.
    """
    try:
        atomic_write(path, data)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error


def _canonical(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
