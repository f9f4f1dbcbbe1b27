"""Frozen test sets: hashes of all their mixtures, committed, and the check that a run has built these bytes.

`configs/frozen/NAME.yaml` holds them. A frozen set never changes: one with other mixtures has another name.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from cleansemg.core import npz, yaml_text
from cleansemg.core.artifact import MANIFEST, Artifact
from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.core.fingerprint import canonical_json
from cleansemg.core.registry import configs_folder
from cleansemg.noise.kinds import names_in

Columns = Mapping[str, NDArray[Any]]

NAME = re.compile(r"[a-z][a-z0-9_]*-v[1-9][0-9]*")
# What a mixture's labels are, beside the noise in it. Gains are left out: they are float64 and differ in last digits
# between processors, and the waveforms hold them anyway.
LABELS = (
    "segment_id", "database", "subject", "exercise", "trial", "channel", "channel_name", "window", "label",
    "repetition", "start_sample", "snr_db", "n_kinds", "line_hz", "fs_hz",
)  # fmt: skip
HEADER = """\
# The test set {name}: numbers of mixtures and SHA-256 hashes over them, see docs/open-v1.md.
# It never changes; a test set with other mixtures gets another name. Made by `cleansemg freeze`.
"""


@dataclass(frozen=True)
class SetDigest:
    """What a test set is known by, whatever its order and shards.

    Attributes:
        mixtures: how many.
        ids: SHA-256 over the ids, sorted as texts, each with its length in bytes (8, little-endian) before it.
        labels: the same over canonical JSON of each mixture's labels and pieces of noise, in the order of the ids.
        clean, noisy: over the waveforms in that order, float32, little-endian, volts.
    """

    mixtures: int
    ids: str
    labels: str
    clean: str
    noisy: str

    @property
    def sha256(self) -> str:
        """One hash over all of it."""
        return hashlib.sha256(canonical_json(asdict(self)).encode()).hexdigest()


@dataclass(frozen=True)
class FrozenSets:
    """The test sets that have one name.

    Attributes:
        name: as `mix.frozen` gives it.
        configuration: that makes them, as `cleansemg run --config` takes it.
        date: on which they were frozen, YYYY-MM-DD.
        sets: by the name of the set.
    """

    name: str
    configuration: str
    date: str
    sets: Mapping[str, SetDigest]

    @property
    def root(self) -> str:
        """One SHA-256 over the hashes of all sets."""
        return root_of({name: digest.sha256 for name, digest in self.sets.items()})


def root_of(hashes: Mapping[str, str]) -> str:
    """SHA-256 over the names of sets and their hashes."""
    return hashlib.sha256(canonical_json(dict(hashes)).encode()).hexdigest()


def digest_of_set(artifact: Artifact) -> SetDigest:
    """The hashes of a test set.

    Args:
        artifact: of the mix stage; shards are mapped, so that memory holds the ids and labels alone.

    Raises:
        ArtifactError: a shard is missing or altered.
    """
    shards = [npz.map_arrays(artifact.folder / f"{artifact.check(s.name).name}.npz") for s in artifact.manifest.shards]
    where = sorted(
        (mixture_id, number, row)
        for number, columns in enumerate(shards)
        for row, mixture_id in enumerate(np.asarray(columns["mixture_id"]).astype(str).tolist())
    )
    labels = [labels_of(columns) for columns in shards]
    order = [(number, row) for _, number, row in where]
    return SetDigest(
        mixtures=len(where),
        ids=_sha256(_framed(mixture_id) for mixture_id, _, _ in where),
        labels=_sha256(_framed(labels[number][row]) for number, row in order),
        clean=_sha256(_waveforms(shards, "clean", order)),
        noisy=_sha256(_waveforms(shards, "noisy", order)),
    )


def labels_of(columns: Columns) -> list[str]:
    """Of each row of a shard: its labels and its noise as canonical JSON."""
    kind_names = names_in(columns)
    plain = {name: np.asarray(columns[name]).tolist() for name in LABELS if name in columns}
    kinds = np.asarray(columns["kinds"], np.bool_)
    texts = []
    for row in range(len(kinds)):
        noise = {
            kind_names[k]: [str(columns["noise_name"][row, k]), int(columns["noise_offset"][row, k])]
            for k in np.flatnonzero(kinds[row]).tolist()
        }
        texts.append(canonical_json({**{name: values[row] for name, values in plain.items()}, "noise": noise}))
    return texts


def freeze(sets: Sequence[Artifact], name: str, configuration: str, path: Path) -> FrozenSets:
    """Write the file that freezes the test sets of a run.

    Args:
        sets: artifacts of the mix stage.
        name: such as open-v1.
        configuration: that made them.
        path: the file, which must not be there.

    Raises:
        UserError: not a name, the name is taken, or there is a file.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"--name {name}: expected a name and a version, such as open-v1")
    if name in names() or path.exists():
        number = int(name.rpartition("-v")[2]) + 1
        taken = configs_folder() / "frozen" / f"{name}.yaml" if name in names() else path
        raise UserError(
            f"{taken}: is there, and a frozen test set never changes; a changed one is "
            f"{name.rpartition('-v')[0]}-v{number}"
        )
    sets_of_run = FrozenSets(
        name, configuration, dt.date.today().isoformat(), {one.folder.name: digest_of_set(one) for one in sets}
    )
    content = {
        "name": sets_of_run.name,
        "configuration": sets_of_run.configuration,
        "date": sets_of_run.date,
        "root": sets_of_run.root,
        "sets": {key: {"sha256": one.sha256, **asdict(one)} for key, one in sets_of_run.sets.items()},
    }
    text = HEADER.format(name=name) + yaml.safe_dump(content, sort_keys=False, width=120)
    npz.atomic_write(path, text.encode())
    return sets_of_run


def names() -> list[str]:
    """The frozen test sets that the project has hashes of."""
    return sorted(path.stem for path in (configs_folder() / "frozen").glob("*.yaml"))


def load(name: str) -> FrozenSets:
    """The hashes of a frozen test set.

    Raises:
        UserError: none is called so, or its file was edited.
    """
    path = configs_folder() / "frozen" / f"{name}.yaml"
    if name not in names():
        raise UserError(f"no frozen test set is called '{name}'{did_you_mean(name, names())}")
    try:
        content = yaml_text.load(path.read_text(encoding="utf-8"))
        keys = [field.name for field in fields(SetDigest)]
        sets = {key: SetDigest(**{field: one[field] for field in keys}) for key, one in content["sets"].items()}
        read = FrozenSets(content["name"], content["configuration"], str(content["date"]), sets)
        whole = content["root"] == read.root and all(content["sets"][k]["sha256"] == d.sha256 for k, d in sets.items())
    except (yaml.YAMLError, OSError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not the hashes of a frozen test set ({type(error).__name__}: {error})") from None
    if not whole or read.name != name:
        raise UserError(f"{path}: edited, its hashes do not fit each other; restore it from the project's history")
    return read


def require(expected: FrozenSets, artifact: Artifact) -> str:
    """Check that a test set has the frozen bytes; one that does not is marked unfinished, so that nothing reads it.

    Returns:
        A line that says that it has.

    Raises:
        UserError: it differs; the line says in what first: number, ids, labels, clean or noisy waveforms.
    """
    set_name = artifact.folder.name
    difference = difference_of(expected, set_name, digest_of_set(artifact))
    if difference:
        (artifact.folder / MANIFEST).unlink(missing_ok=True)
        raise UserError(
            f"{artifact.folder}: not the set '{set_name}' of {expected.name}: {difference}; take the recordings and "
            f"settings of docs/open-v1.md, or mix a test set of your own with --set mix.frozen=null"
        )
    return f"{set_name}: the bytes of {expected.name}"


def difference_of(expected: FrozenSets, set_name: str, digest: SetDigest) -> str:
    """In what a test set differs first from the frozen one; "" where in nothing."""
    if set_name not in expected.sets:
        return f"it has the sets {', '.join(expected.sets)} alone"
    wanted = expected.sets[set_name]
    if digest.mixtures != wanted.mixtures:
        return f"{digest.mixtures} mixtures, expected {wanted.mixtures}"
    texts = {
        "ids": "its mixtures have other ids, so other segments or conditions",
        "labels": "its mixtures have other labels or other noise",
        "clean": "its clean waveforms have other samples",
        "noisy": "its noisy waveforms have other samples, though ids, labels and clean waveforms are the same",
    }
    return next((text for key, text in texts.items() if getattr(digest, key) != getattr(wanted, key)), "")


def _framed(text: str) -> bytes:
    content = text.encode()
    return len(content).to_bytes(8, "little") + content


def _waveforms(shards: Sequence[Columns], name: str, order: Sequence[tuple[int, int]]) -> Iterator[bytes]:
    for number, row in order:
        yield np.ascontiguousarray(shards[number][name][row], "<f4").tobytes()


def _sha256(parts: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
