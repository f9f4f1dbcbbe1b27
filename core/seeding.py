"""Random generators keyed by names, so that no draw depends on order, workers or shard size."""

from __future__ import annotations

import hashlib

import numpy as np

Name = str | int | float


def spawn_key(*names: Name) -> tuple[int, int, int, int]:
    """Hash a path of names to the four 32-bit words of a `SeedSequence` spawn key.

    Names are typed and length-prefixed, so ("ab", "c") differs from ("a", "bc") and 1 from "1".
    128 bits: among 1e9 keys, the chance of one collision is below 1e-20.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in names:
        text = f"{type(name).__name__}:{name!r}".encode()
        digest.update(len(text).to_bytes(4, "little") + text)
    words = np.frombuffer(digest.digest(), dtype="<u4")
    return int(words[0]), int(words[1]), int(words[2]), int(words[3])


def seed_sequence(seed: int, *names: Name) -> np.random.SeedSequence:
    """The seed sequence of the draw called `names` under the configuration's `seed`."""
    return np.random.SeedSequence(seed, spawn_key=spawn_key(*names))


def generator(seed: int, *names: Name) -> np.random.Generator:
    """A fresh generator for the draw called `names`; the same names give the same numbers."""
    return np.random.Generator(np.random.PCG64(seed_sequence(seed, *names)))


def branch(parent: np.random.Generator, *names: Name) -> np.random.Generator:
    """A fresh generator named below another one of `generator`; what was drawn from that one does not matter.

    Raises:
        TypeError: `parent` was not seeded by names.
    """
    sequence = parent.bit_generator.seed_seq
    if not isinstance(sequence, np.random.SeedSequence):
        raise TypeError(f"a generator of {type(sequence).__name__} has no names to branch from")
    key = (*sequence.spawn_key, *spawn_key(*names))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(sequence.entropy, spawn_key=key)))


def torch_seed(seed: int, *names: Name) -> int:
    """A 63-bit seed for torch from the same tree."""
    return int(seed_sequence(seed, *names).generate_state(1, np.uint64)[0] >> np.uint64(1))
