"""Opaque ids: what a mixture is called outside, which says neither its SNR nor its noise nor its person.

An id is an HMAC over the mixture's name. Its secret is a hash of the clean waveforms, so whoever has the test set gets
the same ids, and whoever has the noisy signals alone gets none. Result files name mixtures by other ids than exports
do: a floor's output SNR is the SNR of the mixture, which must not become known for a noisy signal.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.core.artifact import Artifact
from cleansemg.core.errors import UserError

KEY_FILE = "export_key.npz"
ID_DIGITS = 16  # hexadecimal: among 1e6 mixtures, two have the same id with a chance below 1e-7
PERSON_DIGITS = 8
PURPOSE = b"cleansemg opaque ids 1\n"  # the committed hash of the clean waveforms has another beginning


@dataclass(frozen=True)
class Key:
    """The ids of a test set, in the order of the exported ids.

    Attributes:
        ids: [n] of exported signals.
        result_ids: [n] of the same mixtures in result files.
        persons: [n] opaque names of people.
        mixture_ids: [n] what the test set calls them.
        shards, rows: [n] where they lie.
    """

    ids: NDArray[np.str_]
    result_ids: NDArray[np.str_]
    persons: NDArray[np.str_]
    mixture_ids: NDArray[np.str_]
    shards: NDArray[np.str_]
    rows: NDArray[np.int64]

    @property
    def position(self) -> dict[str, int]:
        """Exported id -> row of this key."""
        return {text: row for row, text in enumerate(self.ids.tolist())}


def key_of(artifact: Artifact) -> Key:
    """The ids of a test set.

    Raises:
        UserError: two mixtures have one id, or the test set is altered.
    """
    columns = mapped_shards(artifact)
    table = [
        (str(mixture_id), name, row, f"{database}/{subject}")
        for name, shard in columns.items()
        for row, (mixture_id, database, subject) in enumerate(
            zip(*(np.asarray(shard[key]).tolist() for key in ("mixture_id", "database", "subject")), strict=True)
        )
    ]
    table.sort()
    secret = hashlib.sha256(PURPOSE)
    for _, name, row, _ in table:
        secret.update(np.ascontiguousarray(columns[name]["clean"][row], "<f4").tobytes())
    secret_key = secret.digest()
    set_name = artifact.folder.name
    rows = sorted(
        (
            _hashed(secret_key, ID_DIGITS, "signal", set_name, mixture_id),
            _hashed(secret_key, ID_DIGITS, "result", set_name, mixture_id),
            _hashed(secret_key, PERSON_DIGITS, "person", person),
            mixture_id,
            name,
            row,
        )
        for mixture_id, name, row, person in table
    )
    ids, result_ids, persons, mixture_ids, shards, numbers = zip(*rows, strict=True)
    if len(set(ids)) < len(ids) or len(set(result_ids)) < len(ids):
        raise UserError(f"{artifact.folder}: two mixtures have one id; they are the same mixture twice")
    return Key(
        np.array(ids), np.array(result_ids), np.array(persons), np.array(mixture_ids), np.array(shards),
        np.array(numbers, np.int64),
    )  # fmt: skip


def mapped_shards(artifact: Artifact) -> dict[str, Mapping[str, NDArray[Any]]]:
    """The shards of a test set by name, checked against their hashes and mapped."""
    names = [artifact.check(shard.name).name for shard in artifact.manifest.shards]
    return {name: npz.map_arrays(artifact.folder / f"{name}.npz") for name in names}


def gather(
    shards: Mapping[str, Mapping[str, NDArray[Any]]], key: Key, rows: NDArray[np.intp], name: str
) -> NDArray[Any]:
    """[n, L] one column of the mixtures in some rows of the key, in their order."""
    places = zip(key.shards[rows].tolist(), key.rows[rows].tolist(), strict=True)
    return np.stack([np.asarray(shards[shard][name][row]) for shard, row in places])


def write_key(keys: Mapping[str, Key], results: Path) -> Path:
    """Write `export_key.npz` of a run: which mixture is behind which id, of the sets that were exported."""
    path = results / KEY_FILE
    stored = npz.read(path) if path.exists() else {}
    arrays = {name: array for name, array in stored.items() if name.partition(".")[0] not in keys}
    for set_name, key in keys.items():
        arrays |= {f"{set_name}.{name}": array for name, array in vars(key).items()}
    npz.write(path, arrays)
    return path


def _hashed(secret: bytes, digits: int, *names: str) -> str:
    return hmac.new(secret, "\0".join(names).encode(), hashlib.sha256).hexdigest()[:digits]
