"""Runs of the whole pipeline as a user starts them, for the tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.processes import python

SMALL = [
    "datasets.simulated.parameters={n_subjects: 5, n_channels: 2, n_gestures: 2, n_repetitions: 1}",
    "noise.piece_s=12", "noise.kinds.ECG=[]", "noise.kinds.MOA=[]", "mix.n_kinds=[1, 2]", "mix.snr_db=[-10, 0, 10]",
    "mix.grid_segments=5", "mix.shard_size=9", "train.mixtures_per_epoch=16", "train.valid_mixtures=8",
    "train.recipe={epochs: 2, batch_size: 8}", "evaluate.denoisers=[identity, wiener_oracle, hp, fcn]",
    "tables.bootstrap_resamples=100", "calibrate.methods=[ts]", "calibrate.trad_config=../tests/small_tradition.yaml",
]  # fmt: skip


def command(output, *more, config="configs/demo.yaml", settings=SMALL, workers=1):
    sets = [word for text in settings for word in ("--set", text)]
    return [
        sys.executable, "-m", "cleansemg", "run", "--config", config, "--output", str(output), "--workers", str(workers),
        *sets, *more,
    ]  # fmt: skip


def run(output, *more, code=0, env=None, **options):
    result = python(*command(output, *more, **options)[1:], env={**os.environ, **(env or {})})
    assert result.returncode == code, result.stderr[-2000:]
    return result


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its relative name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
