"""Memory of the tables by the number of denoisers: made-up metrics of many mixtures, one run, one table.

    python -m benchmarks.tables      # 1,000,000 mixtures, 2 and 6 denoisers; some minutes, 2 GB of disk
    python -m benchmarks.tables --mixtures 200000 --denoisers 2

Each row is a process of its own. *anonymous* is the peak of what the system cannot take back, *resident* that of all
memory, with pages of files that it can.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from benchmarks.pipeline import SHARD, settings
from cleansemg.core import artifact
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.evaluation import metrics, tables
from cleansemg.evaluation.scoring import SCHEMA
from cleansemg.evaluation.settings import DenoiserRow
from cleansemg.settings import Settings

PROFILES = ("standard", "published")
SAMPLE_S = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixtures", type=int, default=1_000_000)
    parser.add_argument("--denoisers", default="2,6", help="numbers of denoisers")
    parser.add_argument("--folder", type=Path, help="where to write for a while; default: the system's")
    asked = parser.parse_args()
    print("| mixtures | denoisers | wall, s | anonymous, MB | resident, MB |\n|---:|---:|---:|---:|---:|")
    for count in (int(text) for text in asked.denoisers.split(",")):
        root = Path(tempfile.mkdtemp(prefix="cleansemg-tables-", dir=asked.folder))
        try:
            for number in range(count):
                write_scores(Layout(root), f"made_up_{number}", asked.mixtures)
            code = f"from benchmarks.tables import child; child({str(root)!r}, {count})"
            out = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
            wall_s, anonymous_mb, resident_mb = json.loads(out.stdout.splitlines()[-1])
            print(
                f"| {asked.mixtures:,} | {count} | {wall_s:.0f} | {anonymous_mb:.0f} | {resident_mb:.0f} |", flush=True
            )
        finally:
            shutil.rmtree(root)


def write_scores(layout: Layout, label: str, n_mixtures: int) -> None:
    """What evaluation leaves for one denoiser, 40 subjects and 7 SNRs; the numbers are drawn."""
    folder = layout.denoised(label, "blind", "combined")
    rng = np.random.default_rng(sum(label.encode()))
    shards = []
    for number in range(n_mixtures // SHARD):
        ids = np.arange(number * SHARD, (number + 1) * SHARD)
        n_kinds = 1 + ids % 5
        columns = {
            "mixture_id": np.array([f"combined_bench_S{number:03d}_W{i:08d}" for i in ids]),
            "segment_id": np.array([f"bench_S{number:03d}_W{i:08d}" for i in ids]),
            "database": np.array(["bench"] * SHARD), "subject": np.array([f"{number % 40:03d}"] * SHARD),
            "snr_db": np.array([-15.0, -10, -5, 0, 5, 10, 15])[ids % 7], "n_kinds": n_kinds,
            "kinds": np.arange(5) < n_kinds[:, None], "failed": np.zeros(SHARD, bool),
        }  # fmt: skip
        for profile in PROFILES:
            columns |= {f"{profile}.{key}": rng.lognormal(size=SHARD) for key in metrics.catalogue(profile)}
        shards.append(artifact.write_shard(folder, f"bench_{number:05d}", columns, "benchmark"))
    info = {"denoiser": label, "track": "blind", "set": "combined"}
    manifest = artifact.Manifest(
        SCHEMA.name, SCHEMA.version, "benchmark", 0, {"test_data": "made up"}, tuple(shards), 0, info=info
    )
    artifact.write_manifest(folder, manifest)


def child(root: str, n_denoisers: int) -> None:
    """Make the tables and print seconds and peaks, as JSON."""
    rows = tuple(DenoiserRow(name="hp", label=f"made_up_{number}") for number in range(n_denoisers))
    asked: Settings = settings().model_copy(
        update={"evaluate": settings().evaluate.model_copy(update={"denoisers": rows, "profiles": PROFILES})}
    )
    peak_kb, done = 0, threading.Event()

    def watch() -> None:
        nonlocal peak_kb
        while not done.wait(SAMPLE_S):
            peak_kb = max(peak_kb, _status_kb("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    tables.run(asked, Layout(Path(root)), RunOptions())
    wall_s = time.perf_counter() - started
    done.set()
    watcher.join()
    print(json.dumps([wall_s, peak_kb / 1024, _status_kb("VmHWM") / 1024]))


def _status_kb(name: str) -> int:
    return int(re.findall(rf"{name}:\s*(\d+) kB", Path("/proc/self/status").read_text())[0])


if __name__ == "__main__":
    main()
