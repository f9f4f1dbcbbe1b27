"""Work over a real scheduler with two worker processes."""

from __future__ import annotations

import socket
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import cleansemg
from cleansemg.core import cluster as core_cluster
from cleansemg.core.artifact import Artifact, Schema
from cleansemg.core.errors import ArtifactError, UserError
from cleansemg.core.execution import map_items
from cleansemg.core.stage import Job, RunOptions, run_stage
from tests.core import cluster_work as work
from tests.core.clusters import Cluster, cluster
from tests.vocabulary import ROOMS

SCHEMA = Schema("squares", 1, step="make squares")


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("dask")) as started:
        yield started


def over(scheduler: Cluster, function, items):
    return list(map_items(function, items, scheduler=scheduler.address))


def make(folder, function=work.squares, numbers=range(6), section="a", folder_of_work="", **options):
    jobs = [Job(f"shard_{n}", work.Item(f"item_{n}", n, str(folder_of_work))) for n in numbers]
    return run_stage(
        folder, SCHEMA, jobs, function, section=section, inputs={"raw": "1"}, seed=1, options=RunOptions(**options),
        code={},
        label="square",
    )  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_results_come_in_the_order_of_the_items(two):
    assert over(two, work.square, range(40)) == [n * n for n in range(40)]
    assert over(two, work.slow_first, range(9)) == list(range(9))
    assert over(two, work.square, []) == []


def test_both_workers_work_in_one_thread_each(two):
    found = over(two, work.threads, range(30))
    assert len({process for process, _ in found}) == 2
    assert {n for _, counts in found for n in counts} == {1}


def test_few_tasks_are_in_flight_however_many_items(two, tmp_path):
    items = [work.Item(f"{n:03d}", n, str(tmp_path)) for n in range(200)]
    stream = map_items(work.note, items, scheduler=two.address)
    next(stream)
    time.sleep(1.0)  # the cluster has time to run ahead, if it is let
    assert 1 <= len(list(tmp_path.iterdir())) <= 2 * core_cluster.TASKS_A_WORKER + 4
    stream.close()


def test_a_stage_writes_the_bytes_of_a_serial_run(two, tmp_path):
    make(tmp_path / "one")
    result = make(tmp_path / "two", scheduler=two.address)
    assert result.n_new == 6
    assert [f.item for f in result.failures] == ["item 3"]
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_relative_paths_start_where_the_command_runs(two, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert over(two, work.in_folder, ["results"] * 3) == [str(tmp_path / "results")] * 3
    make(Path("here"), scheduler=two.address)
    assert sorted(contents(tmp_path / "here"))[-1] == "shard_5.npz"


def test_a_rerun_checks_on_the_workers_and_makes_what_is_broken(two, tmp_path):
    make(tmp_path)
    before = contents(tmp_path)
    (tmp_path / "shard_4.npz").write_bytes(before["shard_4.npz"][:40])
    (tmp_path / ".shard_4.abc.tmp").mkdir()
    (tmp_path / ".shard_4.abc.tmp" / ".shard_4.npz.7.tmp").write_bytes(b"half")
    assert make(tmp_path, scheduler=two.address).n_new == 1
    assert contents(tmp_path) == before
    with pytest.raises(ArtifactError, match="another configuration"):
        make(tmp_path, section="b", scheduler=two.address)


def test_errors_of_the_work_arrive_as_they_are(two, tmp_path):
    with pytest.raises(UserError, match=r"^three is not allowed$"):
        over(two, work.refuse, range(6))
    with pytest.raises(OSError, match="No space left") as caught:
        over(two, work.full, [1])
    assert caught.value.errno == 28


def test_a_worker_that_does_not_see_the_folder_is_refused(two, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "cleansemg.core.stage._mark", lambda folder: ".run.elsewhere.tmp"
    )  # as if the disk were another one
    with pytest.raises(UserError, match=r"a worker does not see .*same file system"):
        make(tmp_path, scheduler=two.address)
    assert not list(tmp_path.glob("*.npz"))


@pytest.mark.parametrize("name", ["numpy", "code"])
def test_another_version_is_refused_and_named(two, monkeypatch, name):
    other = {**core_cluster.identity(), name: "0.0.1"}
    monkeypatch.setattr(core_cluster, "identity", lambda: other)
    with pytest.raises(UserError, match=rf"worker tcp://.* another version: {name} .*here: 0\.0\.1"):
        over(two, work.square, [1, 2])


def test_the_identity_covers_the_code_of_every_room_and_no_settings():
    package = Path(cleansemg.__file__).parent
    folders = {path.relative_to(package).parts[0] for path in core_cluster._files(package)}
    assert folders >= {*ROOMS, "__main__.py"} - {"cleansemg"}
    assert "configs" not in folders


def test_a_worker_killed_in_the_middle_costs_no_byte(two, tmp_path):
    make(tmp_path / "serial", numbers=range(8))
    tried = tmp_path / "tried"
    tried.mkdir()
    make(tmp_path / "killed", work.die_once, range(8), folder_of_work=tried, scheduler=two.address)
    assert (tried / "tried_2").exists()
    dead = [worker for worker in two.workers if worker.poll() is not None]
    assert len(dead) == 1
    assert contents(tmp_path / "serial") == contents(tmp_path / "killed")


def test_what_kills_every_worker_is_named(tmp_path):
    with cluster(tmp_path, n_workers=1, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0") as one:
        items = [work.Item(f"shard_{n}", n) for n in range(3)]
        with pytest.raises(
            UserError, match=r"shard_2.*: every worker that tried it died \(1\), the last at tcp.*memory.*are kept"
        ):
            over(one, work.die, items)


def test_workers_of_several_threads_are_refused(monkeypatch):
    worker = SimpleNamespace(address="tcp://node7:4000", state=SimpleNamespace(nthreads=8))
    monkeypatch.setattr("distributed.get_worker", lambda: worker)
    with pytest.raises(UserError, match=r"tcp://node7:4000 has 8 threads.*--nthreads 1"):
        core_cluster.execute(b"", core_cluster.identity(), ".", {})


def test_a_lost_scheduler_is_one_line_and_finished_shards_stay(tmp_path):
    results = tmp_path / "results"
    with cluster(tmp_path, n_workers=1) as lost:

        def stop() -> None:
            while not list(results.glob("shard_*.npz")):
                time.sleep(0.02)
            assert lost.scheduler is not None
            lost.scheduler.kill()

        killer = threading.Thread(target=stop)
        killer.start()
        started = time.monotonic()
        with pytest.raises(UserError, match=r"connection to the scheduler is lost; finished parts are kept"):
            make(results, work.slow_squares, range(30), scheduler=lost.address)
        assert time.monotonic() - started < 30
        killer.join()
    kept = {path.name: path.read_bytes() for path in results.glob("shard_*.npz")}
    assert 1 <= len(kept) < 30
    assert make(results, numbers=range(30)).n_new <= 30 - len(kept)
    make(tmp_path / "serial", numbers=range(30))
    assert contents(results) == contents(tmp_path / "serial")
    assert Artifact.open(results, SCHEMA).manifest.count == 1500


@pytest.mark.parametrize("address", ["localhost:8786", "tcp://localhost", "http://localhost:8786", ""])
def test_an_address_must_be_one(address):
    with pytest.raises(UserError, match=r"expected tcp://HOST:PORT"):
        list(map_items(work.square, [1], scheduler=address))


def test_nobody_at_the_address_is_one_line(monkeypatch):
    monkeypatch.setattr(core_cluster, "CONNECT_S", 1.0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UserError, match=r"no scheduler answers there") as caught:
        list(map_items(work.square, [1], scheduler=f"tcp://127.0.0.1:{port}"))
    assert "\n" not in str(caught.value)


def test_without_dask_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"pip install 'cleansemg\[cluster\]'"):
        list(map_items(work.square, [1], scheduler="tcp://127.0.0.1:1"))
