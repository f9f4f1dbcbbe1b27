"""How fast and how large the pipeline is: one run, one table.

    python -m benchmarks.pipeline

Mixtures a second on one core, drawn, mixed, written and hashed; trial-channels a second through quality control;
milliseconds a segment for the full set of metrics; peak memory of the mix stage at 10,000 and at 100,000 mixtures,
each in a process of its own. Absolute figures depend on the machine; the published code, on one like ours, makes
1,100 mixtures a second, 271 trial-channels a second, and takes 2.3 ms a segment for its metrics.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cleansemg.core import artifact
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.core.threads import single_threaded
from cleansemg.evaluation.settings import Mix
from cleansemg.noise.settings import Noise, Source
from cleansemg.settings import Settings

LENGTH, FS_HZ, SHARD = 2000, 1000.0, 1000


def settings() -> Settings:
    kinds = {"PLI": "pli", "ECG": "ecg_ecgsyn", "MOA": "moa_simulated", "WGN": "wgn", "Color": "color"}
    noise = Noise(kinds={kind: [Source(source=source)] for kind, source in kinds.items()})
    return Settings(noise=noise, mix=Mix(sets=("combined",), export=False))


def write_segments(folder: Path, n: int) -> None:
    """Band-limited noise in the layout of the segment stage: what is mixed does not matter, how much does."""
    from cleansemg.data_pipeline.segmentation import SCHEMA

    rng = np.random.default_rng(0)
    block = rng.normal(0, 5e-5, (SHARD, LENGTH)).astype(np.float32)
    shards = []
    for number in range(n // SHARD):
        ids = np.arange(number * SHARD, (number + 1) * SHARD)
        text = np.array(["bench"] * SHARD)
        whole = np.zeros(SHARD, np.int64)
        columns = {
            "signal": block, "segment_id": np.array([f"bench_S{number:03d}_E1_T000_C00_W{i:06d}" for i in ids]),
            "database": text, "subject": np.array([f"{number:03d}"] * SHARD), "exercise": text, "channel_name": text,
            "trial": whole, "channel": whole, "window": ids, "label": whole, "repetition": whole, "start_sample": ids,
        }  # fmt: skip
        shards.append(artifact.write_shard(folder, f"bench_{number:03d}", columns, "benchmark"))
    manifest = artifact.Manifest(SCHEMA.name, SCHEMA.version, "benchmark", 0, {}, tuple(shards), 0)
    artifact.write_manifest(folder, manifest)


def mix(root: Path) -> float:
    """Seconds of the mix stage on one core, after a first shard that compiles the kernels."""
    from cleansemg.evaluation import test_set

    with single_threaded():
        started = time.perf_counter()
        test_set.run(settings(), Layout(root), RunOptions(force=True))
        return time.perf_counter() - started


def mix_in_a_process(root: Path, n: int) -> tuple[float, float]:
    """Seconds and peak memory in MB of the mix stage over n segments."""
    write_segments(Layout(root).segments("test"), n)
    code = f"from benchmarks.pipeline import child; child({str(root)!r})"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    seconds, peak_mb = map(float, out.stdout.split()[-2:])
    return seconds, peak_mb


def child(root: str) -> None:
    seconds = mix(Path(root))
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to write some 5 GB for a while; default: the system's")
    folder = parser.parse_args().folder
    root = Path(tempfile.mkdtemp(prefix="cleansemg-benchmark-", dir=folder))
    try:
        report(root)
    finally:
        shutil.rmtree(root)


def report(root: Path) -> None:
    from benchmarks import metrics, quality_control
    from cleansemg.noise.library import build_libraries

    build_libraries(settings(), Layout(root), RunOptions())
    write_segments(Layout(root).segments("test"), SHARD)
    mix(root)  # compiles
    few, many = 10_000, 100_000
    seconds, peaks = {}, {}
    for n in (few, many):
        shutil.rmtree(Layout(root).segments("test"))
        seconds[n], peaks[n] = mix_in_a_process(root, n)
        print(f"mix, one core: {n:7d} mixtures in {seconds[n]:.2f} s, peak memory {peaks[n]:.0f} MB")
    rate = (many - few) / (seconds[many] - seconds[few])
    print(f"mix, one core: {rate:.0f} a second, written and hashed (from the difference, so without the start)")
    print(f"peak memory at {many:,} over {few:,} mixtures: {peaks[many] / peaks[few]:.3f}")
    quality_control.main()
    metrics.main()


if __name__ == "__main__":
    main()
