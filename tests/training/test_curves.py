"""The files of losses and curves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cleansemg.training.checkpoint import EpochResult
from cleansemg.training.curves import write_curves, write_losses

HISTORY = [
    EpochResult(e, 0.5 / e + 0.1, 0.5 / e + 0.12 + 0.01 * (e > 8) * e, 1e-3 * 0.5 ** (e // 5)) for e in range(1, 13)
]


def test_losses_are_kept_to_the_last_digit(tmp_path: Path) -> None:
    write_losses(tmp_path / "losses.csv", HISTORY)
    lines = (tmp_path / "losses.csv").read_text().splitlines()
    assert lines[0] == "epoch,train_loss,valid_loss,learning_rate"
    for line, result in zip(lines[1:], HISTORY, strict=True):
        epoch, *values = line.split(",")
        assert (int(epoch), *map(float, values)) == (
            result.epoch, result.train_loss, result.valid_loss, result.learning_rate,
        )  # fmt: skip


def test_the_same_losses_give_the_same_picture(tmp_path: Path) -> None:
    from matplotlib.image import imread

    write_curves(tmp_path / "a.png", HISTORY, HISTORY[7], "-SNR, dB", "tiny")
    write_curves(tmp_path / "b.png", HISTORY, HISTORY[7], "-SNR, dB", "tiny")
    write_curves(tmp_path / "c.png", HISTORY[:6], HISTORY[5], "-SNR, dB", "tiny")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "c.png").read_bytes()
    assert np.std(imread(tmp_path / "a.png")) > 0.01  # something is drawn
