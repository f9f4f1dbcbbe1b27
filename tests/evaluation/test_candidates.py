from pathlib import Path

import numpy as np
import pytest

from cleansemg import denoising
from cleansemg.core import npz
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.registry import find
from cleansemg.denoising import loading
from cleansemg.evaluation.candidates import candidates
from cleansemg.evaluation.settings import DenoiserRow
from tests.evaluation.conftest import small_settings


def row(tmp_path: Path, **about):
    [candidate] = candidates(small_settings(), Layout(tmp_path), names=[DenoiserRow(**about)])
    return candidate


@pytest.mark.parametrize("weights", ["pretrained", "open"])
def test_a_row_takes_the_words_for_weights_that_load_takes(tmp_path, weights):
    candidate = row(tmp_path, name="msemg", weights=weights)
    file = loading.weights_file(find("denoisers", "msemg"), weights)
    assert candidate.identity["weights"] == npz.sha256(file)
    noisy = np.random.default_rng(0).normal(size=(1, 500)).astype(np.float32)
    expected = denoising.load("msemg", weights=weights).denoise(noisy, 1000.0)
    assert candidate.build().denoise(noisy, 1000.0).tobytes() == expected.tobytes()
    # the same weights, named as a file, are the same row
    assert row(tmp_path, name="msemg", weights=str(file)).identity == candidate.identity


def test_the_two_words_are_different_rows(tmp_path):
    rows = [row(tmp_path, name="msemg", weights=weights).identity["weights"] for weights in ("pretrained", "open")]
    assert rows[0] != rows[1]
    assert row(tmp_path, name="msemg").identity["weights"] == rows[0]  # nothing trained here


def test_weights_that_cannot_be(tmp_path):
    with pytest.raises(
        UserError, match=r"nothing\.pth: no weights of 'msemg' there; name a file, 'pretrained' or 'open'"
    ):
        row(tmp_path, name="msemg", weights="nothing.pth")
    with pytest.raises(UserError, match="'hp' has no network, so no weights; got weights='open'"):
        row(tmp_path, name="hp", weights="open")
