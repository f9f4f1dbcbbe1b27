"""The stage folders below a folder of results, by their manifests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.core.errors import ArtifactError, UserError

MANIFEST = "manifest.json"
KEYS = frozenset(
    {
        "code",
        "fingerprint",
        "info",
        "inputs",
        "n_failures",
        "schema",
        "schema_version",
        "seed",
        "sha256",
        "shards",
        "versions",
    }
)
META = ("meta.fingerprint", "meta.failures")

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Shard:
    """One npz file as its manifest describes it."""

    path: Path
    count: int
    sha256: str


@dataclass(frozen=True)
class Folder:
    """One stage's folder.

    Attributes:
        path: path of the folder; `name` is the path below the results.
        schema: kind of its contents, e.g. "segments".
        fingerprint: fingerprint of the folder; `inputs` has those of its inputs, by name.
        info: further entries of the manifest.
        code: hashes of the source files behind it, by file.
        canonical: whether the manifest has the text that the program writes for these contents, and its own hash fits.
    """

    path: Path
    name: str
    schema: str
    fingerprint: str
    inputs: Mapping[str, str]
    seed: int
    shards: tuple[Shard, ...]
    n_failures: int
    info: Mapping[str, Any]
    code: Mapping[str, str]
    canonical: bool

    @property
    def count(self) -> int:
        """Number of rows in all shards."""
        return sum(shard.count for shard in self.shards)

    def tables(self) -> Iterator[tuple[Shard, Columns]]:
        """Yield every shard with its columns, memory-mapped: signals are read when they are used."""
        for shard in self.shards:
            yield shard, mapped(shard.path)

    def columns(self, *names: str) -> dict[str, NDArray[Any]]:
        """Some columns of all shards, each file opened once; for labels, ids and scores.

        Raises:
            ArtifactError: a shard is unreadable or has no such column.
        """
        parts: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
        for shard, columns in self.tables():
            for name, part in parts.items():
                if name not in columns:
                    raise ArtifactError(f"{shard.path}: has no column '{name}'")
                part.append(np.array(columns[name]))
        return {name: np.concatenate(part) if part else np.empty(0) for name, part in parts.items()}


@dataclass(frozen=True)
class Results:
    """Everything below one folder.

    Attributes:
        root: that folder.
        folders: the folders of stages with a readable manifest, sorted by path.
        broken: manifests that cannot be read, each with the cause.
    """

    root: Path
    folders: tuple[Folder, ...]
    broken: tuple[str, ...]
    _by_fingerprint: dict[tuple[str, str], Folder] = field(default_factory=dict)
    _by_content: dict[str, Folder] = field(default_factory=dict)

    def of(self, schema: str) -> list[Folder]:
        """The folders of one schema."""
        return [folder for folder in self.folders if folder.schema == schema]

    def folder_of(self, schema: str, fingerprint: str | None) -> Folder | None:
        """The folder of a schema with that fingerprint; None where it is not here."""
        if not self._by_fingerprint:
            self._by_fingerprint.update({(one.schema, one.fingerprint): one for one in self.folders})
        return self._by_fingerprint.get((schema, fingerprint or ""))

    def test_set(self, content: str | None) -> Folder | None:
        """The test set with that fingerprint of its contents; None where it is not here."""
        if not self._by_content:
            self._by_content.update({content_of(folder): folder for folder in self.of("test-set")})
        return self._by_content.get(content or "")


def content_of(folder: Folder) -> str:
    """SHA-256 over the mixtures of a test set: names of shards, then names, types, shapes and values of columns.

    Texts are written as length, colon, text; a test set has the same fingerprint as a folder and as a single file.
    """
    digest = hashlib.sha256()
    for shard, columns in folder.tables():
        digest.update(b"shard %s\n" % shard.path.stem.encode())
        for name, values in sorted(columns.items()):
            is_text = values.dtype.kind == "U"
            about = "text" if is_text else values.dtype.str
            digest.update(f"column {name} {about} {tuple(values.shape)}\n".encode())
            texts = "".join(f"{len(text)}:{text}" for text in values.ravel().tolist()).encode() if is_text else b""
            digest.update(texts if is_text else values.tobytes())
    return digest.hexdigest()


def open_results(root: Path) -> Results:
    """Find every manifest below a folder.

    Raises:
        UserError: the folder is absent or holds no manifest.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder of results")
    folders, broken = [], []
    for path in sorted(root.rglob(MANIFEST)):
        try:
            folders.append(_read(path, root))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            broken.append(f"{path}: not a manifest ({type(error).__name__}: {error})")
    if not folders and not broken:
        raise UserError(
            f"{root}: holds no results (no {MANIFEST} anywhere below it); "
            f"make some: cleansemg run --config demo --output {root}"
        )
    return Results(root, tuple(folders), tuple(broken))


def mapped(path: Path) -> Columns:
    """The columns of an npz, memory-mapped, without the entries about the shard.

    Raises:
        ArtifactError: as for `npz.map_arrays`.
    """
    return {name: array for name, array in npz.map_arrays(path).items() if name not in META}


def _as_written(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def _read(path: Path, root: Path) -> Folder:
    text = path.read_text(encoding="utf-8")
    content = json.loads(text)
    if set(content) != KEYS:
        raise ValueError(f"keys {', '.join(sorted(set(content) ^ KEYS))} are missing or unknown")
    shards = []
    for shard in content["shards"]:
        name = str(shard["name"])
        if not name or Path(name).name != name:
            raise ValueError(f"shard '{name}' is not in this folder")
        shards.append(Shard(path.parent / f"{name}.npz", int(shard["count"]), str(shard["sha256"])))
    return Folder(
        path=path.parent,
        name=str(path.parent.relative_to(root)),
        schema=str(content["schema"]),
        fingerprint=str(content["fingerprint"]),
        inputs={str(name): str(digest) for name, digest in content["inputs"].items()},
        seed=int(content["seed"]),
        shards=tuple(shards),
        n_failures=int(content["n_failures"]),
        info=dict(content["info"]),
        code={str(name): str(digest) for name, digest in content["code"].items()},
        canonical=text == _as_written(content)
        and content["sha256"]
        == hashlib.sha256(_as_written({key: content[key] for key in content if key != "sha256"}).encode()).hexdigest(),
    )
