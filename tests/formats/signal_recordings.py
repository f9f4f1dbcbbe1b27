"""Recordings for the tests of formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.formats import FORMATS, ChannelInfo, FileInfo, SignalFile, create_file
from cleansemg.formats.info import ArrayLayout
from cleansemg.formats.units import volts_per_unit


def suffix(file_format: str) -> str:
    return FORMATS[file_format][0]


def info_of(folder: Path, n_channels: int, fs_hz: float, unit: str) -> FileInfo:
    """Of no file, so that every format is written its own way."""
    channels = tuple(ChannelInfo(f"EMG {i + 1}", unit, volts_per_unit(unit), column=i) for i in range(n_channels))
    return FileInfo(folder / "nowhere", "none", fs_hz, channels, None, ArrayLayout())


def recording(n_channels: int, n_samples: int, seed: int, gaps: bool) -> NDArray[np.float64]:
    """[C, L] volts like surface EMG with an offset, with NaN at the ends and inside."""
    rng = np.random.default_rng(seed)
    x = 2e-4 * rng.standard_normal((n_channels, n_samples)) + 1e-4 * rng.standard_normal((n_channels, 1))
    if gaps:
        at = int(rng.integers(0, n_samples - 4))
        x[:, at : at + 2] = np.nan
        x[rng.integers(n_channels), -2:] = np.nan
        x[rng.integers(n_channels), 0] = np.nan
    return x


def write(path: Path, info: FileInfo, x: NDArray[np.float64], block: int = 700, overwrite: bool = False) -> None:
    with create_file(path, info, overwrite=overwrite) as writer:
        for start in range(0, x.shape[1], block):
            writer.write(x[:, start : start + block])
        writer.commit()


def read(file: SignalFile, block: int = 65536) -> NDArray[np.float64]:
    blocks = list(file.blocks(block))
    assert all(1 <= found.shape[1] <= block for found in blocks)
    return np.concatenate(blocks, axis=1)
