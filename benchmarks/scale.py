"""What mix, evaluate and tables cost by size: 1,000 to 100,000 segments, one worker and two; one run, one table.

    python -m benchmarks.scale                  # some 10 minutes on an idle machine with two cores, 5 GB of disk
    python -m benchmarks.scale --sizes 1000,10000

Every cell is a process of its own with its workers, on segments of band-limited noise (2000 samples at 1 kHz); kernels
were compiled and the segments were written before. `evaluate` is the denoiser `hp` in the blind track with both
profiles of metrics, and keeps waveforms. `tables` is one process whatever the workers.

- wall: seconds of the stage by the clock, with the start of the workers.
- cpu: processor seconds of the process and its workers, and below it those of the process that hands out the work.
- peak: resident memory of the largest process, and of the one that hands out.
- efficiency: wall with one worker, over twice the wall with two. `by cpu`: the same from processor time, as if the
  work of the handing-out process were never hidden behind the workers': cpu(1) / (2 main(2) + workers(2)). It is what
  to look at where other work runs on the machine.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.pipeline import SHARD, settings, write_segments
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.evaluation.settings import DenoiserRow
from cleansemg.settings import Settings

STAGES = {"mix": (1, 2), "evaluate": (1, 2), "tables": (1,)}  # with so many workers
PARALLEL = tuple(stage for stage, workers in STAGES.items() if 2 in workers)
DENOISER = "hp"


@dataclass(frozen=True)
class Cost:
    """What one cell cost: seconds and MB."""

    wall_s: float
    main_cpu_s: float
    workers_cpu_s: float
    main_peak_mb: float
    worker_peak_mb: float  # 0 where there is none

    @property
    def peak_mb(self) -> float:
        return max(self.main_peak_mb, self.worker_peak_mb)

    @property
    def cpu_s(self) -> float:
        return self.main_cpu_s + self.workers_cpu_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000,100000", help="numbers of segments, in thousands")
    parser.add_argument("--folder", type=Path, help="where to write for a while; default: the system's")
    asked = parser.parse_args()
    sizes = [int(size) for size in asked.sizes.split(",")]
    if any(size < SHARD or size % SHARD for size in sizes):
        parser.error(f"--sizes {asked.sizes}: multiples of {SHARD}")
    root = Path(tempfile.mkdtemp(prefix="cleansemg-scale-", dir=asked.folder))
    try:
        report(root, sizes)
    finally:
        shutil.rmtree(root)


def report(root: Path, sizes: list[int]) -> None:
    from cleansemg.noise.library import build_libraries

    build_libraries(benchmark_settings(), Layout(root), RunOptions())
    segments = Layout(root).segments("test")
    write_segments(segments, SHARD)
    for stage in STAGES:  # compiles
        measure(root, stage, 1)
    print("| stage | segments | workers | wall, s | ms a segment | cpu, s | handing out | peak, MB | handing out |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    costs: dict[tuple[str, int, int], Cost] = {}
    n_bytes: dict[str, int] = {}
    for size in sizes:
        shutil.rmtree(segments)
        write_segments(segments, size)
        for stage, every in STAGES.items():
            for workers in every:
                cost = costs[stage, size, workers] = measure(root, stage, workers)
                print(
                    f"| {stage} | {size:,} | {workers} | {cost.wall_s:.1f} | {1000 * cost.wall_s / size:.2f} | "
                    f"{cost.cpu_s:.1f} | {cost.main_cpu_s:.1f} | {cost.peak_mb:.0f} | {cost.main_peak_mb:.0f} |",
                    flush=True,
                )
        layout = Layout(root)
        folders = {"segments": segments, "mix": layout.test_data("combined"), "evaluate": layout.root / "denoised"}
        n_bytes = {name: _bytes(folder) // size for name, folder in folders.items()}
    print("\n| stage | segments | efficiency | by cpu |\n|---|---:|---:|---:|")
    for name, stages in {**{stage: (stage,) for stage in PARALLEL}, " and ".join(PARALLEL): PARALLEL}.items():
        for size in sizes:
            one, two = ([costs[stage, size, workers] for stage in stages] for workers in (1, 2))
            by_wall = sum(c.wall_s for c in one) / (2 * sum(c.wall_s for c in two))
            by_cpu = sum(c.cpu_s for c in one) / sum(2 * c.main_cpu_s + c.workers_cpu_s for c in two)
            print(f"| {name} | {size:,} | {by_wall:.2f} | {by_cpu:.2f} |")
    print("\nbytes a segment: " + ", ".join(f"{name} {count:,}" for name, count in n_bytes.items()))
    if len(sizes) > 1:
        for stage in STAGES:
            _extrapolate(stage, costs, sizes)


def measure(root: Path, stage: str, workers: int) -> Cost:
    """One cell, in a process of its own."""
    code = f"from benchmarks.scale import child; child({str(root)!r}, {stage!r}, {workers})"
    out = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    return Cost(**json.loads(out.stdout.splitlines()[-1]))


def child(root: str, stage: str, workers: int) -> None:
    """Run a stage and print its cost, as JSON; workers are counted once they have ended."""
    from cleansemg.core.threads import single_threaded
    from cleansemg.evaluation import evaluating, tables, test_set

    functions: dict[str, Any] = {"mix": test_set.run, "evaluate": evaluating.run, "tables": tables.run}
    before = time.perf_counter(), _cpu(resource.RUSAGE_SELF), _cpu(resource.RUSAGE_CHILDREN)
    with single_threaded():
        functions[stage](benchmark_settings(), Layout(Path(root)), RunOptions(workers, force=True))
    wall = time.perf_counter() - before[0]
    worker_peak = 0.0
    if workers > 1:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=True)
        worker_peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    cost = Cost(
        wall,
        _cpu(resource.RUSAGE_SELF) - before[1],
        _cpu(resource.RUSAGE_CHILDREN) - before[2],
        peak_mb_here(),
        worker_peak,
    )
    print(json.dumps(cost.__dict__))


def peak_mb_here() -> float:
    """Peak of this process's resident memory; ru_maxrss would begin with that of the process which started it."""
    return int(re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[0]) / 1024


def benchmark_settings() -> Settings:
    changed = settings()
    row = DenoiserRow(name=DENOISER, track="blind")
    return changed.model_copy(update={"evaluate": changed.evaluate.model_copy(update={"denoisers": (row,)})})


def _extrapolate(stage: str, costs: dict[tuple[str, int, int], Cost], sizes: list[int]) -> None:
    """What a segment more costs, so without the start, and ten million of them."""
    few, many = sizes[-2:]
    for workers in STAGES[stage]:
        low, high = costs[stage, few, workers], costs[stage, many, workers]
        each_s = (high.wall_s - low.wall_s) / (many - few)
        main_s = (high.main_cpu_s - low.main_cpu_s) / (many - few)
        grown = (high.main_peak_mb - low.main_peak_mb) / (many - few) * 1e3
        print(
            f"{stage}, {workers} workers: {1e3 * each_s:.3f} ms a segment more ({1e3 * main_s:.3f} ms of processor "
            f"time where work is handed out), so {1e7 * each_s / 3600:.1f} h for ten million; memory there grows by "
            f"{grown:.2f} kB a segment; peak at {many:,} over {few:,}: {high.peak_mb / low.peak_mb:.3f}"
        )


def _cpu(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
