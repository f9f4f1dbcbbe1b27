"""Files of a repository on the Hugging Face Hub, or on a server with the same interface: listed, resumed, verified.

The listing and its hashes come from huggingface_hub's API, pinned to one commit; every file is checked against them.
Requests are anonymous and plain HTTP. huggingface_hub's own downloads start over when a run was killed, so its
`http_get`, which can go on, writes into a file that a killed run leaves behind.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cleansemg.core import npz
from cleansemg.core.errors import ItemError, UserError
from cleansemg.fetching.byte_progress import ByteProgress, size_text
from cleansemg.fetching.open_data import RemoteFile

log = logging.getLogger(__name__)

ENDPOINT = "https://huggingface.co"
KINDS = ("model", "dataset")
LISTING = "repository.json"  # what the last fetch into a folder went by; serves where there is no connection
TIMEOUT_S = 60
HEADERS = {"user-agent": "cleansemg", "accept-encoding": "identity"}


@dataclass(frozen=True)
class HubFile(RemoteFile):
    """A file of a repository; it may be too large to be held in memory."""

    size: int

    def is_at(self, path: Path) -> bool:
        """Whether a file has the promised size and hash."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        if self.algorithm == "sha256":
            return npz.sha256(path) == self.digest
        return self.matches(path.read_bytes())


@dataclass(frozen=True)
class Repository:
    """One commit of a repository.

    Attributes:
        name: OWNER/NAME.
        kind: "model" or "dataset".
        revision: the branch, tag or commit that was asked for.
        commit: the one that it stands for.
        files: all of them.
    """

    name: str
    kind: str
    revision: str
    commit: str
    files: tuple[HubFile, ...]

    def __str__(self) -> str:
        return f"{self.name} ({self.kind} repository, commit {self.commit[:12]})"


class _UnreachableError(Exception):
    pass


def open_repository(name: str, kinds: Sequence[str], folder: Path, revision: str | None = None) -> Repository:
    """List a repository; without a connection, use the listing of an earlier fetch in the folder.

    Args:
        name: OWNER/NAME on $HF_ENDPOINT, or on huggingface.co.
        kinds: of `KINDS`, tried in this order.
        folder: where its files are kept; the listing is written there.
        revision: branch, tag or commit; None for main.

    Raises:
        UserError: no connection and no earlier listing, no such repository or revision, an answer that is no listing.
    """
    revision = revision or "main"
    try:
        repository = _list(name, kinds, revision)
    except _UnreachableError as error:
        earlier = _read_listing(folder, name, revision)
        if earlier is None:
            raise UserError(_offline(f"{_endpoint()}: {name}", str(error))) from None
        log.warning("%s cannot be reached (%s); going by the listing in %s", _endpoint(), error, folder / LISTING)
        return earlier
    files = [
        {"path": str(f.path), "size": f.size, "algorithm": f.algorithm, "digest": f.digest} for f in repository.files
    ]
    listing = {"name": name, "kind": repository.kind, "revision": revision, "commit": repository.commit, "files": files}
    try:
        npz.atomic_write(folder / LISTING, (json.dumps(listing, indent=1) + "\n").encode())
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror or error}; choose another with --folder") from None
    return repository


def fetch(file: HubFile, folder: Path) -> bool:
    """Download one file and verify it; a complete one is left as it is, a partial one is continued.

    Returns:
        Whether it had to be fetched.

    Raises:
        ItemError: its contents are not what the listing promises; they are thrown away.
        UserError: no connection, or the folder can't be written.
    """
    target = folder / file.path
    if file.is_at(target):
        return False
    part = target.with_name(f".{target.name}.{file.digest[:12]}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _download(file, part)
        if not file.is_at(part):
            part.unlink()
            raise ItemError(
                f"its contents are not what {file.algorithm} {file.digest[:12]}... promises; thrown away, run it again"
            )
        os.replace(part, target)
    except OSError as error:
        raise UserError(f"{target}: {error.strerror or error}") from None
    return True


def _endpoint() -> str:
    # huggingface_hub reads the variable once, when it is imported
    return (os.environ.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")


def _list(name: str, kinds: Sequence[str], revision: str) -> Repository:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when it is imported
    import httpx2  # the client of huggingface_hub 2, which lets its errors through
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, RevisionNotFoundError
    from huggingface_hub.hf_api import RepoFile

    logging.getLogger("httpx2").setLevel(logging.WARNING)
    api = HfApi(endpoint=_endpoint(), token=False, headers=HEADERS)
    for kind in kinds:
        try:
            commit = api.repo_info(name, repo_type=kind, revision=revision, timeout=TIMEOUT_S).sha
            if not commit:
                raise ValueError("no commit")
            tree = list(api.list_repo_tree(name, repo_type=kind, revision=commit, recursive=True))
        except RevisionNotFoundError:
            raise UserError(f"{name}: has no revision '{revision}' (branch, tag or commit); see --revision") from None
        except HfHubHTTPError as error:
            if error.response.status_code in (401, 404):  # the Hub says 401 to strangers where there is nothing
                continue
            raise _UnreachableError(_first_line(error)) from None
        except (httpx2.HTTPError, OSError) as error:
            raise _UnreachableError(_first_line(error)) from None
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{_endpoint()}: no listing of {name} ({_first_line(error)}); is it a Hugging Face Hub? see HF_ENDPOINT"
            ) from None
        files = []
        for entry in tree:
            if isinstance(entry, RepoFile):
                url = hf_hub_url(name, entry.path, repo_type=kind, revision=commit, endpoint=_endpoint())
                sha256 = entry.lfs.sha256 if entry.lfs else None
                algorithm, digest = ("sha256", sha256) if sha256 else ("git-blob", entry.blob_id)
                files.append(HubFile(url, _inside(entry.path), algorithm, digest, entry.size))
        return Repository(name, kind, revision, commit, tuple(sorted(files, key=lambda file: file.path)))
    raise UserError(
        f"{_endpoint()}: has no public repository {name} (looked for a {' and a '.join(kinds)}); try again later, "
        "or get its folder from somebody who has fetched it"
    )


def _inside(name: str) -> Path:
    """A path below the folder, whatever the server says."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name or not path.parts:
        raise UserError(f"the repository lists a file '{name}', which would lie outside the folder; refused")
    return Path(*path.parts)


def _read_listing(folder: Path, name: str, revision: str) -> Repository | None:
    """The listing that an earlier fetch has left, where it is of that repository and revision."""
    from huggingface_hub import hf_hub_url

    path = folder / LISTING
    try:
        listed = json.loads(path.read_text())
        if listed["name"] != name or revision not in (listed["revision"], listed["commit"]):
            return None
        kind, commit = listed["kind"], listed["commit"]
        files = []
        for f in listed["files"]:
            url = hf_hub_url(name, f["path"], repo_type=kind, revision=commit, endpoint=_endpoint())
            files.append(HubFile(url, _inside(f["path"]), f["algorithm"], f["digest"], f["size"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not the listing of a fetch ({_first_line(error)}); delete it") from None
    return Repository(name, kind, revision, commit, tuple(files))


def _download(file: HubFile, part: Path) -> None:
    """Append to `part` what it lacks."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.file_download import http_get

    with open(part, "r+b" if part.exists() else "w+b") as stream:
        done = stream.seek(0, os.SEEK_END)
        if done > file.size:
            done = stream.seek(0)
            stream.truncate()
        rest = f", going on at {size_text(done)}" if done else ""
        log.info("fetching %s, %s%s", file.path, size_text(file.size), rest)
        try:
            http_get(
                file.url,
                stream,
                resume_size=done,
                headers=HEADERS,
                expected_size=file.size,
                displayed_filename=file.path.name,
                tqdm_class=ByteProgress,  # type: ignore[arg-type]
            )
        except (HfHubHTTPError, httpx2.HTTPError) as error:
            raise UserError(_offline(file.url, _first_line(error))) from None
        except OSError as error:
            if error.errno is not None:  # this machine's
                raise
            raise UserError(_offline(file.url, _first_line(error))) from None


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0].strip()[:240]}" if lines else type(error).__name__


def _offline(what: str, reason: str) -> str:
    return (
        f"{what} cannot be fetched ({reason}). Run the same command again when there is a connection, it goes on where "
        "it stopped; or run it on a machine that has one, copy its folder here and name that: --folder FOLDER"
    )
