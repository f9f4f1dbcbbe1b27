"""What denoising as samples come costs: two hours of eight channels at 2 kHz, in blocks, no file.

    python -m benchmarks.long_recordings [--minutes 120] [--names "hp causal" "fcn windowed"]

Every row runs in a process of its own, on one thread. The signals are made block by block and are cheap: EMG-like noise
with bursts, a line at 50.2 Hz and drift, and a gap of 0.1 s a minute in every channel. Networks have their
pretrained weights, or fresh ones where there are none (the cost does not depend on them).

- Real-time factor: processor time in `push` and `finish` over the recording's length; below 1 keeps up. Processor time,
  so other work on the machine disturbs it little. The generator's time is not in it.
- Slowest block: the longest that one block of 0.1 s took.
- Peak memory: resident memory at its peak, of the whole process, interpreter and libraries included.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

FS_HZ, N_CHANNELS, BLOCK_S = 2000.0, 8, 0.1
ROWS = ("hp causal", "hp windowed", "fcn windowed", "msemg windowed", "msemg small windowed")
HEADINGS = ("form", "latency, s", "real-time factor", "slowest block, s", "peak memory, MB")
LIMIT_MB = 1500.0


def main() -> int:
    """Print the table; the exit code is 1 where a row failed or took more than 1.5 GB."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--names", nargs="*", choices=ROWS, default=ROWS)
    parser.add_argument("--row", help=argparse.SUPPRESS)  # what a child process is to measure
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(measure(arguments.row, arguments.minutes)))
        return 0
    print(f"{arguments.minutes:g} min, {N_CHANNELS} channels, {FS_HZ:g} Hz, blocks of {BLOCK_S:g} s")
    print("| " + " | ".join(HEADINGS) + " |")
    print("|---|" + "---:|" * (len(HEADINGS) - 1))
    failed = False
    for row in arguments.names:
        command = [sys.executable, "-m", "benchmarks.long_recordings", "--minutes", str(arguments.minutes)]
        child = subprocess.run([*command, "--row", row], capture_output=True, text=True, check=False)
        if child.returncode:
            print(f"| {row} | failed: {child.stderr.strip().splitlines()[-1]} |")
            failed = True
            continue
        cost = json.loads(child.stdout.splitlines()[-1])
        failed |= cost["memory_mb"] > LIMIT_MB
        values = (cost["latency_s"], cost["factor"], cost["slowest_s"], cost["memory_mb"])
        print("| {} | {:.4f} | {:.4f} | {:.3f} | {:.0f} |".format(row, *values), flush=True)
    return int(failed)


def measure(row: str, minutes: float) -> dict[str, float]:
    """One row, in this process."""
    import torch

    from cleansemg.core.registry import find
    from cleansemg.denoising import load
    from cleansemg.denoising.causal import CausalDenoiser
    from cleansemg.denoising.loading import WEIGHTS_FOLDER, small_form
    from cleansemg.denoising.overlap_add import OverlapAdd

    torch.set_num_threads(1)
    name, *form = row.split()
    if "training" not in find("denoisers", name).extra:
        denoiser = load(name)
    elif "small" in form:
        denoiser = load(name, weights=None, **small_form(name))
    else:
        denoiser = load(name) if (WEIGHTS_FOLDER / f"{name}.safetensors").exists() else load(name, weights=None)
    stream: CausalDenoiser | OverlapAdd | None
    stream = denoiser.causal(FS_HZ, N_CHANNELS) if "causal" in form else OverlapAdd(denoiser, FS_HZ, N_CHANNELS)
    if stream is None:
        raise SystemExit(f"{name} has no causal form")
    denoiser.denoise(np.random.default_rng(0).standard_normal((1, 4000)), FS_HZ)  # compiles what is compiled
    times_s, slowest, came, out = 0.0, 0.0, 0, 0
    for block in recording(minutes):
        started = time.process_time()
        part = stream.push(block)
        seconds = time.process_time() - started
        times_s, slowest = times_s + seconds, max(slowest, seconds)
        came, out = came + block.shape[1], out + part.shape[1]
    started = time.process_time()
    out += stream.finish().shape[1]
    times_s += time.process_time() - started
    if came != out:
        raise RuntimeError(f"{out} samples came out of {came}")
    return {
        "latency_s": stream.latency_s + getattr(stream, "delay_s", 0.0),
        "factor": times_s / (came / FS_HZ),
        "slowest_s": slowest,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def recording(minutes: float) -> Iterator[NDArray[np.float32]]:
    """Blocks [C, l] in volts, always the same."""
    rng = np.random.default_rng(1)
    length = round(BLOCK_S * FS_HZ)
    for i in range(round(minutes * 60 / BLOCK_S)):
        t = (i * length + np.arange(length)) / FS_HZ
        emg = np.diff(rng.standard_normal((N_CHANNELS, length + 1)), axis=1) * (1 + np.sin(2 * np.pi * 0.3 * t))
        noise = np.sin(2 * np.pi * 50.2 * t) + 3 * np.sin(2 * np.pi * 1.1 * t)
        block = (5e-5 * (emg + noise)).astype(np.float32)
        if i % 600 == 300:
            block[:] = np.nan
        yield block


if __name__ == "__main__":
    sys.exit(main())
