"""`cleansemg verify` as a user calls it."""

from __future__ import annotations

import re

import pytest

from cleansemg.core.errors import UserError
from cleansemg.evaluation.rerun import rerun
from tests.evaluation.verification.conftest import forge
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


def test_rows_are_denoised_again_and_compared_with_their_digests(copy):
    finding = rerun(copy, 3)
    assert finding.problems == []
    assert re.match(
        r"\d+ rows of \d+ denoised sets, drawn by \d+, denoised again to the same waveforms", finding.summary
    )

    def swapped(arrays):
        for name in ("standard.SNRimp", "standard.SI_SDRimp"):
            arrays[name][:] = arrays[name] + 1.0
        arrays["digest"][:] = arrays["digest"][::-1]

    for path in (copy / "denoised/hp/blind/grid").glob("*.npz"):
        forge(path, swapped)
    found = rerun(copy, 3).problems
    assert found
    assert all("hp/blind/grid" in text and "dB is stored" in text for text in found)


def test_rerunning_needs_the_configuration_that_the_tables_hold(tmp_path):
    with pytest.raises(UserError, match=r"config\.yaml: not there, so nothing says which denoisers to run"):
        rerun(tmp_path, 1)
