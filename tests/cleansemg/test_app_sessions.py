import stat
import time

import pytest

from cleansemg.app import sessions as module
from cleansemg.app.jobs import Job
from cleansemg.app.sessions import Sessions, safe_name
from cleansemg.core.errors import UserError


@pytest.fixture
def held(tmp_path):
    with Sessions(parent=tmp_path) as made:
        yield made


def put(tmp_path, text="1\n"):
    path = tmp_path / "arrived"
    path.write_text(text)
    return path


def test_files_are_taken_over_into_a_private_folder_and_removed(held, tmp_path):
    session = held.add([("biceps.csv", put(tmp_path))])
    assert session.path.read_text() == "1\n"
    assert not (tmp_path / "arrived").exists()
    assert stat.S_IMODE(held.root.stat().st_mode) == 0o700
    assert stat.S_IMODE(session.folder.stat().st_mode) == 0o700
    assert held.get(session.id) is session
    held.remove(session.id)
    assert not session.folder.exists()
    with pytest.raises(UserError, match="drop it again"):
        held.get(session.id)


def test_ids_cannot_be_guessed(held, tmp_path):
    ids = [held.add([("a.csv", put(tmp_path))]).id for _ in range(module.MAX_SESSIONS)]
    assert len(set(ids)) == len(ids)
    assert min(map(len, ids)) >= 32  # 24 random bytes


@pytest.mark.parametrize("wrong", [None, "", "..", "../..", 3, ["x"], {}, "x" * 10_000])
def test_no_other_id_finds_anything(held, tmp_path, wrong):
    held.add([("a.csv", put(tmp_path))])
    with pytest.raises(UserError, match="removed"):
        held.get(wrong)
    held.remove(wrong)
    assert held.root.exists()


def test_the_one_unused_for_longest_makes_room(held, tmp_path):
    first = held.add([("a.csv", put(tmp_path))])
    second = held.add([("a.csv", put(tmp_path))])
    held.get(first.id)
    for _ in range(module.MAX_SESSIONS - 1):
        held.add([("a.csv", put(tmp_path))])
    assert held.get(first.id) is first
    assert not second.folder.exists()


def test_an_hour_without_use_ends_it_but_not_while_it_works(tmp_path):
    with Sessions(lifetime_s=0.05, parent=tmp_path) as held:
        idle = held.add([("a.csv", put(tmp_path))])
        busy = held.add([("a.csv", put(tmp_path))])
        busy.job = Job("read", lambda job: None)
        deadline = time.monotonic() + 10
        while idle.folder.exists() and time.monotonic() < deadline:
            time.sleep(0.02)  # the sweeper does it
        assert not idle.folder.exists()
        assert busy.folder.exists()
        root = held.root
    assert not root.exists()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("biceps.csv", "biceps.csv"),
        ("/etc/passwd", "passwd"),
        ("../../x.edf", "x.edf"),
        ("C:\\data\\a b.mat", "a b.mat"),
        ("ärm.csv", "ärm.csv"),
        ("x" * 400 + ".csv", "x" * 146 + ".csv"),
    ],
)
def test_names_lose_their_folders(given, kept):
    assert safe_name(given) == kept


@pytest.mark.parametrize("given", ["", "..", ".bashrc", "a/", "a\0.csv", "a\n.csv", "." + "x" * 300])
def test_names_that_no_file_can_have(given):
    with pytest.raises(UserError):
        safe_name(given)


def test_a_wfdb_record_comes_in_two_files_and_nothing_else_does(held, tmp_path):
    parts = [("r.dat", put(tmp_path)), ("r.hea", tmp_path / "header")]
    parts[1][1].write_text("r 1 1000\n")
    session = held.add(parts)
    assert session.path.name == "r.hea"
    assert (session.folder / "r.dat").exists()
    with pytest.raises(UserError, match="one recording at a time"):
        held.add([("a.csv", put(tmp_path)), ("b.csv", put(tmp_path))])
    with pytest.raises(UserError, match="one name"):
        held.add([("x/a.csv", put(tmp_path)), ("y/a.csv", put(tmp_path))])
    with pytest.raises(UserError, match="no file"):
        held.add([])
