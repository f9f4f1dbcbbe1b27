"""`cleansemg verify` as a user calls it."""

from __future__ import annotations

from tests.processes import python


def command(*arguments):
    return python("-m", "cleansemg", "verify", *arguments)


def test_a_line_a_check_and_the_exit_code(copy):
    sound = command(copy)
    assert sound.returncode == 0, sound.stdout + sound.stderr
    lines = sound.stdout.splitlines()
    assert lines[-1] == "every check passed"
    assert sum(line.startswith("ok    ") for line in lines) >= 16
    assert not any(line.startswith("FAIL") for line in lines)

    path = copy / "test_data/combined/combined_00000.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    spoiled = command(copy, "--quiet")
    assert spoiled.returncode == 1
    lines = spoiled.stdout.splitlines()
    assert lines[0].startswith("FAIL  hashes")
    assert "combined_00000.npz" in lines[0]
    assert lines[-1].endswith("checks failed")


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    done = command(tmp_path / "nothing")
    assert done.returncode == 2
    assert done.stderr.strip().endswith("no such folder of results")
    assert "Traceback" not in done.stderr
