"""The noise records behind the mixtures of a test set, for intervals over records and tables by source of noise."""

from __future__ import annotations

import re
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.artifact import MANIFEST, Artifact
from cleansemg.core.layout import Layout
from cleansemg.evaluation.test_set import SCHEMA
from cleansemg.noise.kinds import BENCHMARK_KINDS
from cleansemg.noise.pool import SCHEMA as LIBRARY
from cleansemg.noise.pool import NoiseLibrary

STRETCH = re.compile(r"@[\d.]+-[\d.]+s$")  # of a record that serves several parts
DRAWN = re.compile(r"^test/")  # what no recording is behind: a draw of its own for each piece


def are_here(layout: Layout, set_name: str) -> bool:
    """Whether a run holds the test set and the noise library; results of a single file elsewhere lack them."""
    return all((folder / MANIFEST).exists() for folder in (layout.test_data(set_name), layout.noise("test")))


def records_of(layout: Layout, set_name: str) -> NDArray[np.str_]:
    """[n] the noise records of each mixture, as `stats.intervals.two_way_interval` takes them: "ECG:100+MOA:em".

    Kinds that are drawn (power line, white and coloured noise) have a record for each piece.

    Raises:
        ArtifactError: the test set or its noise library is not there.
    """
    artifact = Artifact.open(layout.test_data(set_name), SCHEMA)
    columns = artifact.columns("kinds", "noise_piece")
    kinds, piece = columns["kinds"], columns["noise_piece"]  # [n, K]
    names = artifact.manifest.info["kinds"]
    records: dict[str, list[str]] = defaultdict(list)
    for _, arrays in Artifact.open(layout.noise("test"), LIBRARY):
        for kind, record in zip(arrays["kind"].astype(str), arrays["record"].astype(str), strict=True):
            records[kind].append(f"{kind}:{STRETCH.sub('', DRAWN.sub('', record)).replace('+', '_')}")
    texts = np.zeros(len(kinds), "<U1")
    for column, kind in enumerate(names):
        rows = kinds[:, column]
        if rows.any():
            part = np.zeros(len(kinds), f"<U{max(map(len, records[kind])) + 1}")
            part[rows] = np.char.add("+", np.array(records[kind]))[piece[rows, column]]
            texts = np.char.add(texts, part)
    return np.char.lstrip(texts, "+")


def sources_of(layout: Layout, set_name: str, kind: str) -> NDArray[np.str_]:
    """[n] the source (entry of configs/noises/) of a kind's noise in each mixture; "" where a mixture has none of it.

    Raises:
        ArtifactError: the test set or its noise library is not there.
    """
    artifact = Artifact.open(layout.test_data(set_name), SCHEMA)
    columns = artifact.columns("kinds", "noise_piece")
    names = list(artifact.manifest.info.get("kinds", BENCHMARK_KINDS))
    there = np.array(NoiseLibrary.open(layout.noise("test")).piece_sources(kind) or [""])
    column = names.index(kind)
    sources = np.zeros(len(columns["kinds"]), there.dtype)
    rows = columns["kinds"][:, column]
    sources[rows] = there[columns["noise_piece"][rows, column]]
    return sources
