"""Small forms of networks are called what they are, by the parameters beside the weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleansemg import denoising
from cleansemg.core import weight_files
from cleansemg.core.errors import UserError
from cleansemg.core.registry import find
from cleansemg.denoising.loading import PRETRAINED, display_name, has_small_weights, is_small, small_form


@pytest.mark.parametrize(("name", "small"), [("cnn", True), ("trustemg_rm", True), ("msemg", True), ("fcn", False)])
def test_the_pretrained_weights(name: str, small: bool) -> None:
    entry = find("denoisers", name)
    assert has_small_weights(entry, PRETRAINED, {}) is small
    assert display_name(name, small) == (f"{name} (small)" if small else name)


def test_the_form_is_that_of_the_network_which_is_built(tmp_path: Path) -> None:
    entry = find("denoisers", "msemg")
    for parameters, small in (({}, False), (small_form("msemg"), True), ({"features": 16}, False)):
        path = tmp_path / "weights.safetensors"
        network = denoising.load_network("msemg", None, **parameters).network
        weight_files.write(path, network, {"denoiser": "msemg", "parameters": parameters})
        assert has_small_weights(entry, path, {}) is small
    assert not has_small_weights(entry, path, {"clip": False})
    assert is_small(entry, {"features": 32, "clip": False})
    assert not is_small(find("denoisers", "fcn"), {})  # it has no small form


def test_info_is_read_without_the_tensors_and_damage_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    weight_files.write(path, denoising.load_network("cnn").network, {"parameters": {"a": 1}})
    assert weight_files.read_info(path) == weight_files.read(path)[1] == {"parameters": {"a": 1}}
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UserError, match="truncated or not a safetensors file"):
        weight_files.read_info(path)
    with pytest.raises(UserError, match="no such file of weights"):
        weight_files.read_info(tmp_path / "none.safetensors")
    assert weight_files.read_info(tmp_path / "theirs.pth") == {}
