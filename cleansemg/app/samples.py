"""A recording's samples on disk, a file a channel, so that any stretch of any channel is drawn at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError

Float64 = NDArray[np.float64]
LIMIT_BYTES = 4 * 2**30  # of one recording; a small packed file can hold far more
N_BINS = 1200  # of a curve: more than a laptop's plot has points across


class Samples:
    """Samples as 32-bit floats in volts, appended block by block.

    Args:
        folder: made here; it must not exist.
        n_channels: of every block.
        fs_hz: sampling rate.

    Attributes:
        n_samples: of a channel, so far.
    """

    def __init__(self, folder: Path, n_channels: int, fs_hz: float) -> None:
        folder.mkdir(mode=0o700)
        self._paths = [folder / f"{i}.f32" for i in range(n_channels)]
        for path in self._paths:
            path.touch()
        self.fs_hz, self.n_samples = fs_hz, 0

    @property
    def duration_s(self) -> float:
        return self.n_samples / self.fs_hz

    def append(self, block: Float64) -> None:
        """Take [C, l] volts.

        Raises:
            UserError: the disk is full, or this is more than the page takes.
        """
        if 4 * len(self._paths) * (self.n_samples + block.shape[1]) > LIMIT_BYTES:
            raise UserError(
                f"this recording holds more than {LIMIT_BYTES / 2**30:g} GB of samples; take `cleansemg denoise` for it"
            )
        values = block.astype(np.float32)
        try:
            for path, row in zip(self._paths, values, strict=True):
                with open(path, "ab") as file:
                    file.write(row.tobytes())
        except OSError as error:
            raise UserError(f"the samples cannot be kept ({error.strerror or error})") from error
        self.n_samples += block.shape[1]

    def part(self, channel: int, start: int, stop: int) -> NDArray[np.float32]:
        """[stop - start] volts of a channel, a view of the file."""
        start, stop = max(start, 0), min(stop, self.n_samples)
        if stop <= start:
            return np.empty(0, np.float32)
        return np.memmap(self._paths[channel], np.float32, "r", 4 * start, (stop - start,))

    def curve(self, channel: int, start_s: float, stop_s: float, n_bins: int = N_BINS) -> tuple[Float64, Float64]:
        """A channel between two times, for drawing.

        Args:
            channel: its index.
            start_s: from.
            stop_s: to.
            n_bins: above twice as many samples, each of so many bins gives its least and its largest value, so that no
                spike is lost.

        Returns:
            Times in s and volts, NaN where a bin has no value.
        """
        start = min(max(int(np.floor(start_s * self.fs_hz)), 0), self.n_samples)
        stop = min(max(int(np.ceil(stop_s * self.fs_hz)) + 1, start), self.n_samples)
        x = self.part(channel, start, stop)
        if len(x) <= 2 * n_bins:
            return (start + np.arange(len(x))) / self.fs_hz, x.astype(np.float64)
        edges = np.linspace(0, len(x), n_bins + 1).astype(np.int64)
        low, high = np.fmin.reduceat(x, edges[:-1]), np.fmax.reduceat(x, edges[:-1])
        width = np.diff(edges)
        time_s = (start + np.stack((edges[:-1] + width / 4, edges[:-1] + 3 * width / 4), axis=1)) / self.fs_hz
        return time_s.reshape(-1), np.stack((low, high), axis=1).reshape(-1).astype(np.float64)
