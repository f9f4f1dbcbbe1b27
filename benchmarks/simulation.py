"""How much faster than real time the simulator makes one channel, on one core: python benchmarks/simulation.py."""

from __future__ import annotations

import time

from cleansemg.core.threads import single_threaded
from cleansemg.data_pipeline.readers.simulated import SimulatedReader


def factors(n_channels: int, n_subjects: int = 3) -> tuple[float, float, float]:
    """Real-time factor a channel (seconds of one channel per second of work): worst, mean, seconds worked."""
    reader = SimulatedReader(n_subjects=n_subjects, n_channels=n_channels)
    SimulatedReader(n_subjects=1, n_channels=1, n_gestures=1, n_repetitions=1).read(reader.list()[0])  # compiles
    rates, worked = [], 0.0
    for ref in reader.list():
        begin = time.perf_counter()
        recording = reader.read(ref)
        seconds = time.perf_counter() - begin
        worked += seconds
        rates.append(n_channels * recording.signal.shape[1] / recording.fs_hz / seconds)
    return min(rates), sum(rates) / len(rates), worked


def main() -> None:
    print("channels   worst x real time   mean x real time   work s")
    with single_threaded():
        for n_channels in (1, 4, 12):
            worst, mean, worked = factors(n_channels)
            print(f"{n_channels:8d}   {worst:17.0f}   {mean:16.0f}   {worked:6.2f}")


if __name__ == "__main__":
    main()
