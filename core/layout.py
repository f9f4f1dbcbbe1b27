"""Where a run keeps its results, below its output folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SEGMENTS_NAME = "data_crossDB_seg2s"  # folder names that users of the published benchmark know


@dataclass(frozen=True)
class Layout:
    """The folders of one run."""

    root: Path

    def preprocessed(self, dataset: str) -> Path:
        """Quality measures of one database."""
        return self.root / "preprocessed" / dataset

    @property
    def grades(self) -> Path:
        return self.root / "preprocessed" / "grades"

    @property
    def split(self) -> Path:
        return self.root / "segments" / "split.yaml"

    def segments(self, part: str) -> Path:
        return self.root / "segments" / SEGMENTS_NAME / part

    def noise(self, part: str) -> Path:
        return self.root / "noise" / f"sEMG_noise_{part}"

    @property
    def noise_label(self) -> Path:
        """What the noise libraries share; absent where nothing is shared."""
        return self.root / "noise" / "shared_records.txt"

    def test_data(self, set_name: str) -> Path:
        return self.root / "test_data" / set_name

    @property
    def export(self) -> Path:
        return self.root / "test_data" / "test_combined.npz"

    def weights(self, denoiser: str, seed: int | None = None) -> Path:
        """A network's fit; with a seed, that one of several (`train.seeds`)."""
        folder = self.root / "weights_baseline" / denoiser
        return folder if seed is None else folder / f"seed_{seed}"

    @property
    def weights_classical(self) -> Path:
        return self.root / "weights_tradition"

    def denoised(self, denoiser: str, track: str, set_name: str) -> Path:
        return self.root / "denoised" / denoiser / track / set_name

    def downstream(self, *names: str) -> Path:
        """A task's streams, predictions and pictures."""
        return self.root.joinpath("downstream", *names)

    def quality_mixtures(self, part: str) -> Path:
        """Fixed mixtures that quality models are fitted to, chosen by or tested on."""
        return self.root / "quality" / "mixtures" / part

    def quality_weights(self, model: str) -> Path:
        return self.root / "quality" / "weights" / model

    def quality_predictions(self, model: str) -> Path:
        return self.root / "quality" / "predictions" / model

    @property
    def tables(self) -> Path:
        return self.root / "tables"
