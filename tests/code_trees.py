"""A copy of the project's source that a test may edit, and small runs in it, each a process of its own."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

CONFIG = """
title: small
datasets:
  simulated:
    parameters: {n_subjects: 4, n_channels: 1, n_gestures: 2, n_repetitions: 1}
split: {rule: stratified, valid_fraction: 0.25, test_fraction: 0.25}
noise:
  piece_s: 12
  kinds:
    PLI: [{source: pli, pieces: {train: 2, valid: 2, test: 2}}]
    WGN: [{source: wgn, pieces: {train: 2, valid: 2, test: 2}}]
mix: {snr_db: [-10, 0], n_kinds: [1, 2], sets: [combined, grid], grid_segments: 2}
train:
  models: [fcn]
  form: small
  mixtures_per_epoch: 4
  valid_mixtures: 2
  recipe: {epochs: 1, batch_size: 2}
  threads: 1
evaluate:
  denoisers: [identity, hp]
  tracks: [blind]
  profiles: [standard]
  keep_waveforms: [combined]
tables: {bootstrap_resamples: 100}
"""


class CodeTree:
    """Source below `folder` and results below `folder`/out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results = folder / "out"

    @classmethod
    def copy(cls, folder: Path) -> CodeTree:
        """The project's source and YAML, with what is compiled of them; its weights by link."""
        links = [path.name for path in (ROOT / "cleansemg").iterdir() if path.is_symlink()]
        ignored = shutil.ignore_patterns("weights", "app", "*.md")
        for name in ["cleansemg", *links]:
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignored)
        for weights in (ROOT / "denoising/weights", ROOT / "quality/weights"):
            if weights.exists():
                (folder / weights.relative_to(ROOT)).symlink_to(weights)
        (folder / "small.yaml").write_text(CONFIG)
        return cls(folder)

    def cleansemg(self, *words: str, code: int = 0) -> str:
        """A command line in this tree; what it prints, both streams."""
        env = {**os.environ, "PYTHONPATH": str(self.folder), "CLEANSEMG_ROOT": str(self.folder)}
        result = subprocess.run(
            [sys.executable, "-m", "cleansemg", *words], cwd=self.folder, env=env, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert result.returncode == code, result.stdout + result.stderr[-3000:]
        return " ".join((result.stdout + result.stderr).split())

    def run(self, stages: str, *words: str, code: int = 0) -> str:
        """Some stages of the small configuration."""
        where = ("--config", "small.yaml", "--output", str(self.results))
        return self.cleansemg("run", *where, "--stages", stages, *words, code=code)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace the one place of a file that reads `old`."""
        path = self.folder / name
        text = path.read_text()
        assert text.count(old) == 1, (name, text.count(old))
        path.write_text(text.replace(old, new))

    def table(self) -> dict[str, dict[str, str]]:
        """The rows of Table 1 by denoiser."""
        with (self.results / "tables/table1.csv").open() as file:
            return {row["denoiser"]: row for row in csv.DictReader(file)}

    def stamps(self, pattern: str) -> dict[str, int]:
        """When each file below the results was written, by its path from there."""
        return {str(p.relative_to(self.results)): p.stat().st_mtime_ns for p in sorted(self.results.rglob(pattern))}
