"""The selective scan's kernel beside the loop in torch, its share of MSEMG, and the memory that both take.

    python -m benchmarks.selective_scan [--threads 2] [--repeats 5]

Batch 8, 2000 samples, 256 channels, 16 states: the scan of MSEMG in training. Kernel and reference run in turn, in one
process; `forward` keeps what the gradient needs, `alone` does not. Seconds are the least of the repeats: on one thread
of the processor, so that other work on the machine disturbs them little, on more threads of the clock, so that it must
be idle. The exit code is 1 where the ratio of a pass with its gradient misses its target on all threads. Memory is what
a process has held at most, less what it held before the step, each length in a process of its own (Linux).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional

from cleansemg.denoising import load_network
from cleansemg.denoising.networks import selective_scan_kernel
from cleansemg.denoising.networks.selective_scan import selective_scan

N, L, D_INNER, D_STATE = 8, 2000, 256, 16
TARGET = 10
LENGTHS = (1000, 2000, 4000, 8000)
MINUTE = 60_000
PASSES = ("forward", "backward", "both", "alone")


def inputs() -> list[torch.Tensor]:
    torch.manual_seed(0)
    u, step = torch.randn(2, N, L, D_INNER)
    B, C = torch.randn(2, N, L, D_STATE)
    A = -torch.arange(1.0, D_STATE + 1).repeat(D_INNER, 1)
    return [t.requires_grad_() for t in (u, functional.softplus(step - 3), A, B, C, torch.ones(D_INNER))]


def timed(way: str, tensors: list[torch.Tensor], clock: Callable[[], float]) -> list[float]:
    """Seconds of each of `PASSES`."""
    start = clock()
    y, _ = selective_scan(*tensors, way=way)
    forward = clock()
    torch.autograd.grad(y.sum(), tensors)
    backward = clock()
    with torch.inference_mode():
        selective_scan(*tensors, way=way)
    return [forward - start, backward - forward, backward - start, clock() - backward]


def contest(threads: int, repeats: int) -> bool:
    """Print the times of both ways; returns whether the targets are reached."""
    torch.set_num_threads(threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    tensors = inputs()
    timed("kernel", tensors, clock)
    runs = [[timed(way, tensors, clock) for way in ("kernel", "reference")] for _ in range(repeats)]
    seconds = torch.tensor(runs, dtype=torch.float64).amin(0)  # [way, pass]
    ratio = seconds[1] / seconds[0]
    print(f"\n{threads} thread{'s' * (threads > 1)}    kernel ms  reference ms  ratio")
    for name, ours, theirs, times in zip(PASSES, *(1e3 * seconds).tolist(), ratio.tolist(), strict=True):
        print(f"{name:10} {ours:11.1f} {theirs:13.1f} {times:6.1f}")
    return bool((ratio[:3] >= TARGET).all())


def share(repeats: int) -> None:
    """Print how much of a training step of MSEMG the scan takes, on one thread."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = load_network("msemg", weights=None, device="cpu").network
    x = torch.randn(N, L)
    run = selective_scan_kernel._run
    times_s = 0.0

    def counted(*arguments: object) -> None:
        nonlocal times_s
        start = time.process_time()
        run(*arguments)  # type: ignore[arg-type]
        times_s += time.process_time() - start

    selective_scan_kernel._run = counted
    rows = []
    for _ in range(repeats + 1):
        times_s, start = 0.0, time.process_time()
        network(x).abs().mean().backward()
        rows.append((time.process_time() - start, times_s))
    selective_scan_kernel._run = run
    step, scan = min(rows[1:])
    print(f"\nMSEMG, a training step of {N} x {L}: {1e3 * step:.0f} ms, of which the scan {100 * scan / step:.0f} %")


def memory() -> None:
    """Print the peak memory of a training step by length, and of a minute's inference."""
    for task, length in [("train", length) for length in LENGTHS] + [("infer", MINUTE)]:
        command = [sys.executable, "-m", "benchmarks.selective_scan", "--memory-of", task, str(length)]
        mib = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        what = f"a training step of {N} x {length}" if task == "train" else f"denoising {length} samples"
        print(f"{what:35} {mib:6.0f} MiB")


def memory_of(task: str, length: int) -> None:
    torch.set_num_threads(1)
    network = load_network("msemg", weights=None, device="cpu").network

    def run(n: int, samples: int) -> None:
        with torch.set_grad_enabled(task == "train"):
            loss = network(torch.randn(n, samples)).abs().mean()
            if task == "train":
                loss.backward()

    run(1, 100)  # libraries and compiled kernels
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is held now
    before = held_kib("VmRSS")
    run(N if task == "train" else 1, length)
    print((held_kib("VmHWM") - before) / 1024)


def held_kib(what: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(what)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory-of", nargs=2, metavar=("TASK", "SAMPLES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        memory_of(arguments.memory_of[0], int(arguments.memory_of[1]))
        return 0
    reached = [contest(threads, arguments.repeats) for threads in sorted({1, arguments.threads})]
    share(arguments.repeats)
    print()
    memory()
    return int(not reached[-1])


if __name__ == "__main__":
    sys.exit(main())
