"""Numbers do not change by accident: Table 1 of two small runs, classical rows digit for digit, networks within 0.02 dB.

The first tables were written by the code before the project became one package (commit a9c15d3), on the whole data.
"""

from __future__ import annotations

import pytest

from tests.golden.runs import NETWORK_TOLERANCE_DB, RUNS, GoldenRun, is_network, rows_of


@pytest.mark.parametrize(
    "golden", [pytest.param(g, id=g.name, marks=[pytest.mark.realdata] * g.needs_data) for g in RUNS]
)
def test_table_is_the_one_recorded(golden: GoldenRun, request, tmp_path) -> None:
    data = request.getfixturevalue("real_data") if golden.needs_data else None
    wanted, found = rows_of(golden.golden), rows_of(golden.table(tmp_path, data))
    assert [(r["denoiser"], r["track"]) for r in found] == [(r["denoiser"], r["track"]) for r in wanted]
    assert [list(r) for r in found] == [list(r) for r in wanted]
    differing = []
    for was, now in zip(wanted, found, strict=True):
        for column, text in was.items():
            if now[column] == text:
                continue
            if not is_network(was) or not _near(column, text, now[column]):
                differing.append(f"{was['denoiser']} {was['track']} {column}: {text} -> {now[column]}")
    assert not differing, "if this change is meant: python -m tests.golden.record"


def _near(column: str, was: str, now: str) -> bool:
    """Of a network: decibels within 0.02, anything else within what 0.02 dB is of an amplitude (0.24 %)."""
    difference = abs(float(now) - float(was))
    if column.startswith(("SNRimp", "LSD")):
        return difference <= NETWORK_TOLERANCE_DB
    return difference <= abs(float(was)) * (10 ** (NETWORK_TOLERANCE_DB / 20) - 1) + 1e-9
