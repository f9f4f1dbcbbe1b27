import errno
import json
import os
import time

import numpy as np
import pytest

from cleansemg.core.artifact import Artifact, Failure, Schema
from cleansemg.core.errors import ArtifactError, UserError
from cleansemg.core.stage import Job, LastStep, RunOptions, ShardResult, run_stage

SCHEMA = Schema("squares", 1, step="make squares")
CALLS: list[int] = []


def square(n):
    CALLS.append(n)
    failures = [Failure(f"item {n}", "three is not allowed")] if n == 3 else []
    return ShardResult({"value": np.array([n * n], np.int64), "name": np.array([f"n{n}"])}, failures)


def make(folder, section="a", numbers=range(5), code=None, last_step=None, is_fit=False, inputs=None, **options):
    jobs = [Job(f"shard_{n}", n) for n in numbers]
    return run_stage(
        folder, SCHEMA, jobs, square, section=section, inputs=inputs or {"raw": "1"}, seed=1,
        options=RunOptions(**options), label="square", code=code or {"square.py": "1"}, last_step=last_step,
        is_fit=is_fit,
    )  # fmt: skip


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(autouse=True)
def _forget_calls():
    CALLS.clear()


def test_shards_manifest_and_failures(tmp_path):
    result = make(tmp_path)
    assert result.failures == (Failure("item 3", "three is not allowed"),)
    artifact = Artifact.open(tmp_path, SCHEMA)
    assert artifact.columns("value")["value"].tolist() == [0, 1, 4, 9, 16]
    assert (tmp_path / "failures.csv").read_text() == "item,cause\nitem 3,three is not allowed\n"


def test_workers_do_not_change_a_byte(tmp_path):
    make(tmp_path / "one")
    make(tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_the_next_shard_is_made_while_the_disk_is_waited_for(tmp_path, monkeypatch):
    """The disk takes the first shard only once the second was begun; and a shard has no name before."""
    fsync = os.fsync

    def slow(file):
        deadline = time.monotonic() + 30
        while len(CALLS) < 2 and time.monotonic() < deadline:
            assert not (tmp_path / "shard_0.npz").exists()
            time.sleep(0.001)
        assert len(CALLS) >= 2
        fsync(file)

    monkeypatch.setattr("cleansemg.core.npz.os.fsync", slow)
    assert make(tmp_path).n_new == 5
    assert sorted(path.name for path in tmp_path.glob("*.npz")) == [f"shard_{n}.npz" for n in range(5)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_fills_up_later_keeps_what_was_finished(tmp_path, monkeypatch, workers):
    make(tmp_path / "whole")
    fsync, n_synced = os.fsync, 0

    def filling(file):
        nonlocal n_synced
        n_synced += 1
        if n_synced > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(file)

    monkeypatch.setattr("cleansemg.core.npz.os.fsync", filling)
    with pytest.raises(UserError, match=r"disk is full.*finished parts are kept"):
        make(tmp_path / "full", workers=workers)
    monkeypatch.undo()
    assert sorted(path.name for path in (tmp_path / "full").glob("*.npz")) == ["shard_0.npz", "shard_1.npz"]
    assert make(tmp_path / "full").n_new == 3
    assert contents(tmp_path / "full") == contents(tmp_path / "whole")


def test_a_rerun_makes_only_what_is_missing_or_broken(tmp_path):
    make(tmp_path)
    before = contents(tmp_path)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "shard_1.npz").unlink()
    (tmp_path / "shard_4.npz").write_bytes(before["shard_4.npz"][:40])
    (tmp_path / ".shard_1.npz.77.tmp").write_bytes(b"half")
    CALLS.clear()
    make(tmp_path)
    assert sorted(CALLS) == [1, 4]
    assert contents(tmp_path) == before


def test_a_shard_that_reads_as_a_plain_array_is_made_again(tmp_path):
    make(tmp_path)
    before = contents(tmp_path)
    with (tmp_path / "shard_2.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    CALLS.clear()
    make(tmp_path)
    assert CALLS == [2]
    assert contents(tmp_path) == before


def test_another_configuration_is_refused_finished_or_not(tmp_path):
    make(tmp_path)
    with pytest.raises(ArtifactError, match=r"another configuration.*--force"):
        make(tmp_path, section="b")
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match=r"shard_0\.npz.*--force"):
        make(tmp_path, section="b")
    make(tmp_path, section="b", force=True)
    assert len(CALLS) == 10


OTHER_CODE = {"square.py": "2"}


def test_other_code_makes_it_again_and_says_so(tmp_path, caplog):
    make(tmp_path / "new", code=OTHER_CODE)
    make(tmp_path / "old")
    CALLS.clear()
    with caplog.at_level("INFO"):
        make(tmp_path / "old", code=OTHER_CODE)
    assert "square: square.py changed since; making it again" in caplog.text
    assert sorted(CALLS) == list(range(5))
    assert contents(tmp_path / "old") == contents(tmp_path / "new")


def test_a_run_of_changed_code_that_was_killed_goes_on(tmp_path, caplog):
    """Shards of both codes, no manifest: those of the code at hand stay, the others are made again."""
    make(tmp_path / "new", code=OTHER_CODE)
    make(tmp_path / "old")
    (tmp_path / "old/manifest.json").unlink()
    for number in (1, 2):
        (tmp_path / f"old/shard_{number}.npz").write_bytes((tmp_path / f"new/shard_{number}.npz").read_bytes())
    CALLS.clear()
    with caplog.at_level("INFO"):
        make(tmp_path / "old", code=OTHER_CODE)
    assert "square: a part was made by other code; making it again" in caplog.text
    assert sorted(CALLS) == [0, 3, 4]
    assert contents(tmp_path / "old") == contents(tmp_path / "new")


@pytest.mark.parametrize("finished", [True, False])
def test_a_fit_by_other_code_stops_and_stays(tmp_path, finished):
    make(tmp_path, is_fit=True)
    if not finished:
        (tmp_path / "manifest.json").unlink()
    before = contents(tmp_path)
    with pytest.raises(ArtifactError, match=r"fitted by other code.*never thrown away by itself.*--force"):
        make(tmp_path, is_fit=True, code=OTHER_CODE, numbers=range(3))
    assert contents(tmp_path) == before
    make(tmp_path, is_fit=True, code=OTHER_CODE, force=True)


def halve(n, arrays, failures):
    """A last step that shard 2 does not store enough for."""
    CALLS.append(100 + n)
    return None if n == 2 else ShardResult(dict(arrays), list(failures))


def test_a_last_step_is_done_again_from_what_is_stored(tmp_path, caplog):
    def step(version):
        return LastStep({"score.py": version}, halve, "scoring again")

    make(tmp_path / "new", last_step=step("2"))
    make(tmp_path / "old", last_step=step("1"))
    CALLS.clear()
    with caplog.at_level("INFO"):
        make(tmp_path / "old", last_step=step("2"))
    assert "square: score.py changed since; scoring again" in caplog.text
    assert CALLS == [100, 101, 102, 2, 103, 104]
    assert contents(tmp_path / "old") == contents(tmp_path / "new")  # the failure of shard 3, too


def test_fewer_shards_leave_no_old_ones(tmp_path):
    make(tmp_path)
    (tmp_path / "manifest.json").unlink()
    make(tmp_path, numbers=range(2))
    assert not (tmp_path / "shard_4.npz").exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: p.unlink(), "missing; run: make squares"),
        (lambda p: p.write_bytes(p.read_bytes()[:-1]), "altered"),
        (lambda p: p.write_bytes(p.read_bytes().replace(b"\x04\x00", b"\x05\x00", 1)), "altered"),
    ],
)
def test_a_reader_never_goes_on(tmp_path, damage, message):
    make(tmp_path)
    damage(tmp_path / "shard_2.npz")
    with pytest.raises(ArtifactError, match=message):
        Artifact.open(tmp_path, SCHEMA).columns("value")


def test_a_folder_without_manifest_says_what_to_run(tmp_path):
    with pytest.raises(ArtifactError, match="missing or unfinished; run: make squares"):
        Artifact.open(tmp_path, SCHEMA)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ArtifactError, match="not a manifest"):
        Artifact.open(tmp_path, SCHEMA)
    make(tmp_path, force=True)
    content = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**content, "schema": "cubes"}))
    with pytest.raises(ArtifactError, match="holds 'cubes'"):
        Artifact.open(tmp_path, SCHEMA)


def test_a_full_disk_is_one_clear_line_and_nothing_is_accepted(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("cleansemg.core.npz.os.fsync", full)
    with pytest.raises(UserError, match="disk is full"):
        make(tmp_path)
    monkeypatch.undo()
    with pytest.raises(ArtifactError, match="missing or unfinished"):
        Artifact.open(tmp_path, SCHEMA)
    assert make(tmp_path).n_new == 5
