"""Downloads of openly licensed recordings: every file is verified, complete ones are not fetched again."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from cleansemg.core.console import progress
from cleansemg.core.errors import UserError
from cleansemg.core.registry import configs_folder

log = logging.getLogger(__name__)

DEFAULT_FOLDER = Path("~/.cache/cleansemg/open")
TIMEOUT_S = 60


@dataclass(frozen=True)
class RemoteFile:
    """A file to download: its address, its path in the folder, and the hash that it must have."""

    url: str
    path: Path  # below the folder
    algorithm: str  # "sha256", or "git-blob": SHA-1 of "blob SIZE\\0" and the contents
    digest: str

    def matches(self, content: bytes) -> bool:
        """Whether contents have the promised hash."""
        if self.algorithm == "git-blob":
            header = f"blob {len(content)}\0".encode()
            return hashlib.sha1(header + content, usedforsecurity=False).hexdigest() == self.digest
        return hashlib.sha256(content).hexdigest() == self.digest


def fetch_open(folder: Path | None = None, sources: Path | None = None) -> list[str]:
    """Fetch the recordings of the open benchmark.

    Args:
        folder: where to keep them; $CLEANSEMG_DATA or ~/.cache/cleansemg/open by default.
        sources: a YAML as configs/fetch/open.yaml, which is the default.

    Returns:
        A line a source: how many files were there, how many came, under which licence.

    Raises:
        UserError: no connection, a file that is not what was promised, a folder that can't be written.
    """
    folder = (folder or Path(os.environ.get("CLEANSEMG_DATA") or DEFAULT_FOLDER)).expanduser()
    sources = sources or configs_folder() / "fetch" / "open.yaml"
    lines = []
    for name, source in yaml.safe_load(sources.read_text()).items():
        remote = _list_github(source) if source["kind"] == "github" else _list_physionet(source)
        if not remote:
            raise UserError(f"{name}: the source lists no file like '{source['files']}'; its layout has changed")
        wanted = [file for file in remote if not _has(folder, file)]
        for file in progress(wanted, len(wanted), f"fetch {name}", unit="file"):
            _download(folder, file)
        lines.append(
            f"{name}: {len(remote) - len(wanted)} files were there, {len(wanted)} fetched; licence {source['licence']}"
        )
    lines.append(f"all verified, in {folder}; use them with: export CLEANSEMG_DATA={folder}")
    return lines


def _list_github(source: Mapping[str, Any]) -> list[RemoteFile]:
    """Files of a pinned commit; the commit's tree gives their names and blob hashes."""
    repository, commit = source["repository"], source["commit"]
    url = f"{source['api']}/repos/{repository}/git/trees/{commit}?recursive=1"
    try:
        tree = json.loads(_get(url))["tree"]
    except (json.JSONDecodeError, KeyError) as error:
        raise UserError(f"{url}: not a listing of files ({error}); try again later") from None
    pattern = re.compile(source["files"])
    return [
        RemoteFile(
            f"{source['raw']}/{repository}/{commit}/{quote(entry['path'])}",
            Path(source["into"]) / Path(entry["path"]).name,
            "git-blob",
            entry["sha"],
        )
        for entry in tree
        if entry["type"] == "blob" and pattern.fullmatch(entry["path"])
    ]


def _list_physionet(source: Mapping[str, Any]) -> list[RemoteFile]:
    """Files that a PhysioNet project lists in its SHA256SUMS.txt."""
    pattern = re.compile(source["files"])
    files = []
    for line in _get(f"{source['url']}/SHA256SUMS.txt").decode("utf-8", "replace").splitlines():
        digest, _, name = line.strip().partition(" ")
        if pattern.fullmatch(name.strip()):
            path = Path(source["into"]) / name.strip()
            files.append(RemoteFile(f"{source['url']}/{quote(name.strip())}", path, "sha256", digest))
    return files


def _has(folder: Path, file: RemoteFile) -> bool:
    path = folder / file.path
    return path.exists() and file.matches(path.read_bytes())


def _get(url: str) -> bytes:
    import requests

    try:
        response = requests.get(url, timeout=TIMEOUT_S)
        response.raise_for_status()
    except requests.RequestException as error:
        raise UserError(_offline(url, error)) from None
    return response.content


def _download(folder: Path, file: RemoteFile) -> None:
    """Download one file; a file whose hash does not match is deleted."""
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    target = folder / file.path
    target.unlink(missing_ok=True)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        downloader = pooch.HTTPDownloader(timeout=TIMEOUT_S)
        pooch.retrieve(file.url, known_hash=None, fname=target.name, path=target.parent, downloader=downloader)
    except requests.RequestException as error:
        raise UserError(_offline(file.url, error)) from None
    except OSError as error:
        raise UserError(f"{target}: {error.strerror or error}") from None
    if not file.matches(target.read_bytes()):
        target.unlink()
        raise UserError(
            f"{file.url}: its contents are not what {file.algorithm} {file.digest[:12]}... promises; thrown away"
        )


def _offline(url: str, error: Exception) -> str:
    return (
        f"{url}: cannot be fetched ({type(error).__name__}). Run the same command again when there is a connection, "
        "files that came are kept; or get the folders muscletracker, elderly_lower_limb, mitdb and nstdb from "
        "somebody who has them and point CLEANSEMG_DATA at the folder that holds them"
    )
