"""Damaged files of every kind: each is read, or refused in a line, within bounded time and memory; nothing is run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reliability.fuzzing import damaged, fuzz, refuses_or_reads
from tests.reliability.good_files import TARGETS


@pytest.fixture(scope="module", params=TARGETS)
def target(request, tmp_path_factory):
    found, folder = TARGETS[request.param], tmp_path_factory.mktemp("good")
    found.make(folder)
    return found, folder, (folder / found.file).read_bytes()


def test_the_good_file_is_read(target):
    found, folder, _ = target
    assert refuses_or_reads(lambda: found.read(folder)) == ""


@fuzz(len(TARGETS))
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_a_line(target, data):
    found, folder, good = target
    (folder / found.file).write_bytes(data.draw(damaged(good)))
    try:
        refuses_or_reads(lambda: found.read(folder))
    finally:
        (folder / found.file).write_bytes(good)


@pytest.mark.parametrize("keep", [0.0, 0.02, 0.5, 0.98])
def test_a_truncated_file(target, keep):
    """Text may end anywhere and still be text; anything else that ends too soon is refused."""
    found, folder, good = target
    (folder / found.file).write_bytes(good[: int(keep * len(good))])
    try:
        message = refuses_or_reads(lambda: found.read(folder))
    finally:
        (folder / found.file).write_bytes(good)
    if not found.file.endswith(TEXTS) and found.read.__name__ != "_resume":
        assert message


TEXTS = (".csv", ".yaml", ".hea", ".json", ".atr")
