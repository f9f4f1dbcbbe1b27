"""How fast quality control is: trial-channels a second, everything but reading files.

    python benchmarks/quality_control.py

Subjects of 12 channels, trials of 5 s at 2 kHz with rest between them, through `measure_subject`, on one core and
with two processes; beside it the straightforward way of scipy (Welch and a median filter a channel), one core, and
the ratio. One-core figures are the best of several rounds. The
published code makes 271 a second on a machine like ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from scipy import signal as scipy_signal
from scipy.ndimage import median_filter

from cleansemg.core import dsp
from cleansemg.core.execution import map_items
from cleansemg.core.seeding import generator
from cleansemg.core.threads import single_threaded
from cleansemg.data_pipeline.recording import Recording, RecordingReader, RecordingRef
from cleansemg.data_pipeline.settings import Qc
from cleansemg.data_pipeline.trial_measures import SubjectJob, measure_subject

FS_HZ = 2000.0
N_CHANNELS, N_TRIALS, TRIAL_S, REST_S = 12, 20, 5.0, 3.0
N_TRIAL_CHANNELS = N_CHANNELS * N_TRIALS
ROUNDS = 5
OVERLAP_S = 6.0


class Ready(RecordingReader):
    """Holds one recording in memory, so that reading costs nothing."""

    def __init__(self) -> None:
        self.database = "benchmark"
        block = np.r_[np.zeros(round(REST_S * FS_HZ)), np.ones(round(TRIAL_S * FS_HZ))]
        label = np.tile(block, N_TRIALS).astype(np.int64)
        noise = generator(0, "benchmark", "quality").standard_normal((N_CHANNELS, label.size))
        signal = dsp.band_pass(noise, 20, 450, FS_HZ) * np.where(label > 0, 5e-5, 2e-6)
        signal += 2e-6 * np.sin(2 * np.pi * 50 * np.arange(label.size) / FS_HZ)  # a line for the Hampel filter
        names = tuple(f"ch{channel}" for channel in range(N_CHANNELS))
        self.recording = Recording("benchmark", "S1", "E1", signal, FS_HZ, names, label, label)

    def list(self) -> Sequence[RecordingRef]:
        return [RecordingRef("benchmark", "S1", "E1", "in memory", "")]

    def read(self, ref: RecordingRef) -> Recording:
        return self.recording


def measure(job: SubjectJob) -> int:
    result = measure_subject(job)
    return len(result.arrays["smr_db"])


def straightforward(recording: Recording, label: np.ndarray, qc: Qc) -> int:
    """The same measures, a channel at a time, from scipy's functions."""
    edges = np.flatnonzero(np.diff(np.r_[0, label, 0]))
    rest = recording.signal[:, label == 0]
    count = 0
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        for channel in range(len(recording.signal)):
            trial = recording.signal[channel, start:stop]
            f, p = scipy_signal.welch(trial, FS_HZ, "hann", qc.welch_samples)
            m0, m1, m2 = (np.trapezoid(f**n * p, f) for n in range(3))
            slow, fast = f <= qc.smr_band_hz, f >= qc.shr_nyquist_fraction * FS_HZ / 2
            _ = 10 * np.log10(m0 / np.trapezoid(p[slow], f[slow])), 10 * np.log10(m0 / np.trapezoid(p[fast], f[fast]))
            _ = np.sqrt(m2 / m0) / (m1 / m0), 10 * np.log10(np.mean(trial**2) / np.mean(rest[channel] ** 2))
            straightforward_hampel(trial, qc)
            count += 1
    return count


def straightforward_hampel(trial: np.ndarray, qc: Qc) -> float:
    window, hop, size = (
        round(qc.hampel_window_s * FS_HZ),
        round(qc.hampel_hop_s * FS_HZ),
        2 * qc.hampel_half_width_bins + 1,
    )
    removed = []
    for start in range(0, len(trial) - window + 1, hop):
        spectrum = np.fft.rfft(trial[start : start + window])
        after = 0.0
        for part in (spectrum.real, spectrum.imag):
            median = median_filter(part, size, mode="nearest")
            mad = median_filter(np.abs(part - median), size, mode="nearest")
            outlier = np.abs(part - median) > qc.hampel_threshold * 1.4286 * mad
            after += float(np.sum(np.where(outlier, median, part) ** 2))
        removed.append(1 - after / float(np.sum(np.abs(spectrum) ** 2)))
    return float(np.clip(max(removed), 0, 1))


def best_rate(work: Callable[[], object], count: int, rounds: int = ROUNDS) -> float:
    """Items a second in the best round."""
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return count / min(seconds)


def rate_in_a_process(job: SubjectJob) -> float:
    """Mean rate over some seconds, after compiling, so that two processes that start together overlap."""
    measure(job)
    started = time.perf_counter()
    rounds = 0
    while time.perf_counter() - started < OVERLAP_S:
        measure(job)
        rounds += 1
    return rounds * N_TRIAL_CHANNELS / (time.perf_counter() - started)


def main() -> None:
    reader, qc = Ready(), Qc()
    job = SubjectJob(reader, tuple(reader.list()), qc)
    label = np.asarray(reader.recording.label)
    with single_threaded():
        measure(job)  # compiles
        one = best_rate(lambda: measure(job), N_TRIAL_CHANNELS)
        plain = best_rate(lambda: straightforward(reader.recording, label, qc), N_TRIAL_CHANNELS, rounds=2)
    two = sum(map_items(rate_in_a_process, [job, job], workers=2))
    print(f"qc, one core:      {one:7.0f} trial-channels a second ({TRIAL_S:g} s at {FS_HZ:g} Hz)")
    print(f"qc, two processes: {two:7.0f} a second, both together")
    print(f"qc, plain scipy:   {plain:7.0f} a second on one core; ours is {one / plain:.1f} times as fast")


if __name__ == "__main__":
    main()
