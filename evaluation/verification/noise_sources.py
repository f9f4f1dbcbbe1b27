"""Which source made a kind's noise in each mixture of a set: the table by kind of noise has columns for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ArtifactError
from cleansemg.evaluation.verification.folders import Results


def sources_of(results: Results, set_name: str, kind: str) -> NDArray[np.str_]:
    """[n] name of the source; "" where a mixture has none of the kind.

    Raises:
        ArtifactError: the set or its noise library is not here.
    """
    data = next((one for one in results.of("test-set") if one.path.name == set_name), None)
    library = None if data is None else results.folder_of("noise-library", data.inputs.get("noise"))
    if data is None or library is None:
        raise ArtifactError(
            f"{results.root}: the test set '{set_name}' or its noise is not here, and the table names sources"
        )
    names = [
        str(library.info.get("sources", {}).get(shard.path.stem, ""))
        for shard, columns in library.tables()
        for one in columns["kind"].tolist()
        if str(one) == kind
    ]
    columns = data.columns("kinds", "noise_piece")
    at = [str(name) for name in data.info["kinds"]].index(kind)
    pieces = np.where(columns["kinds"][:, at], columns["noise_piece"][:, at], len(names))
    return np.array([*names, ""])[pieces]
