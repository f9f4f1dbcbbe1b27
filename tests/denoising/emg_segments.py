"""Segments that the decompositions are compared with their references on: real ones, and simulated ones with noise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import dsp
from cleansemg.core.seeding import generator
from cleansemg.core.settings import Paths
from cleansemg.data_pipeline.readers.lookup import open_reader
from cleansemg.data_pipeline.readers.simulated import SimulatedReader
from cleansemg.noise.base import NoiseSource, Request
from cleansemg.noise.color import Coloured
from cleansemg.noise.moa_simulated import MotionSimulated
from cleansemg.noise.pli import PowerLine
from cleansemg.noise.wgn import WhiteGaussian
from cleansemg.settings import Settings
from tests.denoising.signals import at_snr

Segments = NDArray[np.float64]
FS_HZ = 1000.0
SAMPLES = 2000
SNRS_DB = (-10.0, -5.0, 0.0, 5.0, 10.0)
DATABASES = ("muscletracker", "uci_lower_limb")


def real_segments(folder: Path, n: int, samples: int = SAMPLES) -> Segments:
    """[n, samples] volts at 1 kHz, unit of the recordings kept: every second raw, with the plateaus of its converter.

    The others are band-passed from 20 to 450 Hz. Both databases give as many, drawn from recordings drawn by seed.
    """
    rows: list[Segments] = []
    windows = [_windows(folder, database, samples) for database in DATABASES]
    for i in range(n):
        raw = next(windows[i % len(windows)])
        rows.append(raw if i // len(windows) % 2 else dsp.band_pass(raw, 20.0, 450.0, FS_HZ))
    return np.stack(rows)


def simulated_segments(n: int, samples: int = SAMPLES) -> Segments:
    """[n, samples] volts at 1 kHz: the simulator's contractions with noise of one kind, at -10 to 10 dB."""
    reader = SimulatedReader(n_subjects=2, n_channels=2, n_gestures=3, n_repetitions=2, fs_hz=FS_HZ)
    clean = np.concatenate([reader.read(ref).signal for ref in reader.list()])
    sources: list[NoiseSource] = [WhiteGaussian(), PowerLine(), Coloured(), MotionSimulated()]
    pieces = [list(s.pieces(Request("train", 4, FS_HZ, 60.0, 3, None))) for s in sources]
    rows: list[Segments] = []
    for i in range(n):
        rng = generator(3, "simulated segments", i)
        while True:
            channel = clean[rng.integers(len(clean))]
            start = rng.integers(len(channel) - samples)
            segment = channel[start : start + samples]
            if np.count_nonzero(segment) > samples // 2:  # rest is exactly 0
                break
        noise = pieces[i % len(pieces)][rng.integers(4)].samples
        at = rng.integers(len(noise) - samples)
        rows.append(at_snr(segment, noise[at : at + samples], SNRS_DB[i // len(pieces) % len(SNRS_DB)]))
    return np.stack(rows)


def unit_rms(x: Segments) -> Segments:
    """Rows of unit RMS."""
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True))


def agree(ours: Segments, theirs: Segments, tolerance: float = 1e-8) -> bool:
    """As many modes, and none further apart than `tolerance` anywhere; for input of unit RMS."""
    return ours.shape == theirs.shape and bool(np.abs(ours - theirs).max() <= tolerance)


def _windows(folder: Path, database: str, samples: int) -> Iterator[Segments]:
    """One window after another, without end, of recordings in the order of a draw."""
    reader = open_reader(database, Settings(paths=Paths(data_root=str(folder))))
    rng = generator(3, "real segments", database)
    refs = list(reader.list())
    while True:
        for i in rng.permutation(len(refs)):
            recording = reader.read(refs[i])
            signal = dsp.resample(recording.signal, recording.fs_hz, FS_HZ)
            for channel in signal:
                if len(channel) >= samples:
                    start = int(rng.integers(len(channel) - samples + 1))
                    window = channel[start : start + samples]
                    if np.isfinite(window).all() and np.ptp(window) > 0:
                        yield window
