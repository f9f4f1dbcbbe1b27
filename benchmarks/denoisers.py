"""What each denoiser costs: parameters, multiply-adds, time and memory for one recording of 2 s, one core, one run.

    python -m benchmarks.denoisers [--names hp msemg] [--repeats 5]

Every row runs in a process of its own, so that its memory is its alone. Networks appear in full and in their small
form, with fresh weights (the cost does not depend on them); `sdemg` with both samplers. Signals are simulated,
2000 samples at 1 kHz, one at a time, oracle methods with their labels.

- Multiply-adds: half the floating-point operations that torch counts in convolutions, matrix products and
  attention, plus what a selective scan does in its state; none are counted for classical methods.
- Real-time factor: the median processor time over `repeats` calls after a first one, over 2 s; below 1 is
  faster than the signal. Processor time on one thread, so other work on the machine disturbs it little.
- Peak memory: resident memory at its peak in those calls, less that of the interpreter with NumPy, SciPy and torch.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

FS_HZ, N_SAMPLES = 1000.0, 2000
HEADINGS = ("denoiser", "form", "parameters", "multiply-adds", "real-time factor", "peak memory, MB")


def main() -> int:
    """Print the table; the exit code is 1 where a row could not be measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--names", nargs="*", help="denoisers; default: all")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--row", help=argparse.SUPPRESS)  # what a child process is to measure, as JSON
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(measure(json.loads(arguments.row), arguments.repeats)))
        return 0
    print("| " + " | ".join(HEADINGS) + " |")
    print("|---|---|" + "---:|" * (len(HEADINGS) - 2))
    failed = False
    for row in rows(arguments.names):
        command = [sys.executable, "-m", "benchmarks.denoisers", "--row", json.dumps(row)]
        child = subprocess.run(
            [*command, "--repeats", str(arguments.repeats)], capture_output=True, text=True, check=False
        )
        if child.returncode:
            print(f"| {row['name']} | {row['form']} | failed: {child.stderr.strip().splitlines()[-1]} |")
            failed = True
            continue
        print(line(row, json.loads(child.stdout.splitlines()[-1])), flush=True)
    return int(failed)


def rows(names: list[str] | None) -> list[dict[str, Any]]:
    """What is measured: a name, a form and parameters each."""
    from cleansemg.core.registry import entries

    rows: list[dict[str, Any]] = []
    for name, entry in entries("denoisers").items():
        if names and name not in names:
            continue
        if "training" not in entry.extra:
            rows.append({"name": name, "form": "", "network": False, "parameters": {}})
            continue
        forms = {"full": {}, **({"small": entry.extra["small"]} if entry.extra.get("small") else {})}
        for form, parameters in forms.items():
            one = {"name": name, "form": form, "network": True, "parameters": parameters}
            rows.append(one)
            if name == "sdemg":
                fast = {**parameters, "sampler": "fast"}
                rows.append({**one, "form": f"{form}, fast sampler", "parameters": fast})
    return rows


def measure(row: dict[str, Any], repeats: int) -> dict[str, Any]:
    """One row, in this process."""
    import scipy.signal  # noqa: F401 - part of the bare interpreter
    import torch

    from cleansemg import denoising
    from cleansemg.denoising.resampled import native
    from cleansemg.noise.labels import NoiseLabels

    torch.set_num_threads(1)
    before = _memory_mb("VmRSS")
    weights = {"weights": None} if row["network"] else {}
    denoiser = native(denoising.load(row["name"], **weights, **row["parameters"]))
    rng = np.random.default_rng(1)
    clean = 1e-4 * rng.standard_normal((1, N_SAMPLES))
    noisy = clean + 1e-4 * np.sin(2 * np.pi * 50 * np.arange(N_SAMPLES) / FS_HZ)
    labels = None
    if denoiser.needs_labels:
        labels = NoiseLabels(np.array([[True, False, False, False, False]]), np.array([50.0]), clean)
    denoiser.denoise(noisy, FS_HZ, labels)
    Path("/proc/self/clear_refs").write_text("5")  # starts the peak anew: compilation is not the method's
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        denoiser.denoise(noisy, FS_HZ, labels)
        seconds.append(time.process_time() - started)
    peak = _memory_mb("VmHWM") - before
    result: dict[str, Any] = {"seconds": statistics.median(seconds), "memory_mb": peak}
    if row["network"]:
        network = denoiser.network  # type: ignore[attr-defined]
        result["parameters"] = sum(p.numel() for p in network.parameters() if p.requires_grad)
        result["multiply_adds"] = multiply_adds(denoiser, noisy)
    return result


def multiply_adds(denoiser: Any, noisy: np.ndarray) -> float:
    """Of one call, as torch counts them, and those of the scans, which torch does not see."""
    from torch.utils.flop_counter import FlopCounterMode

    from cleansemg.denoising.networks.mamba import MambaMixer

    scans: list[int] = []
    for module in denoiser.network.modules():
        if isinstance(module, MambaMixer):
            # per step and state: h = a h + b, and y += c h
            module.register_forward_hook(
                lambda m, inputs, _: scans.append(3 * inputs[0].shape[0] * inputs[0].shape[1] * m.A_log.numel())
            )
    with FlopCounterMode(display=False) as counter:
        denoiser.denoise(noisy, FS_HZ)
    return counter.get_total_flops() / 2 + sum(scans)


def line(row: dict[str, Any], cost: dict[str, Any]) -> str:
    """One row of the table."""
    parameters = f"{cost['parameters']:,}" if "parameters" in cost else ""
    operations = f"{cost['multiply_adds'] / 1e6:,.0f} M" if "multiply_adds" in cost else ""
    factor = cost["seconds"] / (N_SAMPLES / FS_HZ)
    return f"| `{row['name']}` | {row['form']} | {parameters} | {operations} | {factor:.4f} | {cost['memory_mb']:.0f} |"


def _memory_mb(key: str) -> float:
    for text in Path("/proc/self/status").read_text().splitlines():
        if text.startswith(key + ":"):
            return int(text.split()[1]) / 1024
    raise RuntimeError(f"/proc/self/status has no {key}: this benchmark needs Linux")


if __name__ == "__main__":
    sys.exit(main())
