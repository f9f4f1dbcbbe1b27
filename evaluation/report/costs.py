"""The costs of each denoiser of a run on this machine: time for 2 s of signal, and number of trained parameters.

Time is measured when a report is built, and stored in `tables/costs.csv`. It differs between machines and days, so
it is not among the results that a rerun reproduces.
"""

from __future__ import annotations

import csv
import hashlib
import os
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cleansemg.core.console import progress
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.fingerprint import canonical_json
from cleansemg.core.npz import atomic_write
from cleansemg.core.rendering import Column, Table, to_csv
from cleansemg.core.user_modules import is_class_target
from cleansemg.evaluation import evaluating
from cleansemg.evaluation.candidates import AUTO, Candidate, candidates
from cleansemg.evaluation.report.run import Run

SECONDS_OF_SIGNAL = 2.0
REPEATS = 3
SLOW_S = 2.0  # a call that takes longer is measured once
FILE = "costs.csv"


@dataclass(frozen=True)
class Cost:
    """The costs of one denoiser on one track.

    Attributes:
        identity: hash of what decides its output: class, parameters, weights.
        machine: the machine of the measurement.
        real_time_factor: processor time of one thread over the duration of the signal; below 1, the denoiser keeps up
            with the signal. None where it could not be measured.
        parameters: number of trained parameters; None for a method without any.
        cause: why there is no measurement; empty where there is one.
    """

    label: str
    track: str
    identity: str
    machine: str
    real_time_factor: float | None
    parameters: int | None
    cause: str = ""


def costs_of(run: Run, measure: bool) -> list[Cost]:
    """Costs of the run's denoisers: those in `tables/costs.csv`, and with `measure` the others, measured now.

    A row is measured again if the denoiser changed, the machine is another one, or the measurement failed. A denoiser
    that cannot be measured is listed with the cause. Measurements are stored in the file.
    """
    path = run.layout.tables / FILE
    known = {(cost.label, cost.track): cost for cost in read(path)}
    wanted = set(run.rows)
    if not measure:
        return [cost for who, cost in known.items() if who in wanted]
    here = machine()
    listed = run.settings.evaluate.denoisers
    foreign = [row for row in listed if is_class_target(row if isinstance(row, str) else row.name)]
    rows = [row for row in _candidates(run, without=foreign) if (row.label, row.track) in wanted]
    stale = [row for row in rows if not _fresh(known.get((row.label, row.track)), row, here)]
    for row in progress(stale, len(stale), "measure costs", unit="denoiser"):
        known[row.label, row.track] = _measured(row, run.settings.segment.fs_hz, here)
    costs = [known[row.label, row.track] for row in rows]
    measured = {(row.label, row.track) for row in rows}
    if foreign:  # a report runs no code that the results name
        cause = "a class outside the project, which a report does not import"
        costs += [Cost(label, track, "", here, None, None, cause) for label, track in sorted(wanted - measured)]
    if stale:
        write([cost for cost in costs if cost.identity], path)
    return costs


def read(path: Path) -> list[Cost]:
    """The costs that an earlier report measured; [] where there is no file.

    Raises:
        UserError: the file is not one of `write`.
    """
    if not path.is_file():
        return []
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return [
                Cost(
                    row["denoiser"],
                    row["track"],
                    row["identity"],
                    row["machine"],
                    float(row["real_time_factor"]) if row["real_time_factor"] else None,
                    int(row["parameters"]) if row["parameters"] else None,
                    row["cause"],
                )
                for row in csv.DictReader(file)
            ]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a table of costs ({error!r}); remove it, it is measured again") from None


def write(costs: Sequence[Cost], path: Path) -> None:
    """Write `costs.csv`."""
    keys = ("denoiser", "track", "identity", "machine", "real_time_factor", "parameters", "cause")
    rows = [
        {
            "denoiser": c.label, "track": c.track, "identity": c.identity, "machine": c.machine,
            "real_time_factor": c.real_time_factor, "parameters": c.parameters, "cause": c.cause,
        }
        for c in costs
    ]  # fmt: skip
    atomic_write(path, to_csv(Table("Costs", [Column(key) for key in keys], rows)).encode())


def machine() -> str:
    """The name of the processor and the number of logical cores of the machine."""
    info = Path("/proc/cpuinfo")
    names = []
    if info.is_file():
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names and names[0] not in ("", "unknown") else f"{platform.system()} {platform.machine()}"
    return f"{name}, {os.cpu_count()} cores"


def _candidates(run: Run, without: Sequence[object]) -> list[Candidate]:
    """The run's denoisers, ready to be built.

    Raises:
        UserError: the run's calibration or weights are missing.
    """
    rows = tuple(row for row in run.settings.evaluate.denoisers if row not in without)
    evaluate = run.settings.evaluate.model_copy(update={"denoisers": rows})
    settings = run.settings.model_copy(update={"evaluate": evaluate})
    return candidates(settings, run.layout, parameters=evaluating.calibrated(settings, run.layout))


def _fresh(cost: Cost | None, row: Candidate, here: str) -> bool:
    return cost is not None and (cost.identity, cost.machine) == (_identity(row), here) and not cost.cause


def _identity(row: Candidate) -> str:
    return hashlib.sha256(canonical_json(row.identity).encode()).hexdigest()[:16]


def _measured(row: Candidate, fs_hz: float, here: str) -> Cost:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        factor, parameters = _measure(row, fs_hz)
    except (UserError, ItemError, ValueError) as error:
        return Cost(row.label, row.track, _identity(row), here, None, None, str(error))
    finally:
        torch.set_num_threads(threads)
    return Cost(row.label, row.track, _identity(row), here, factor, parameters)


def _measure(row: Candidate, fs_hz: float) -> tuple[float, int | None]:
    """Real-time factor on one thread, and number of trained parameters."""
    from cleansemg.denoising import NoiseLabels
    from cleansemg.denoising.chain import Chain
    from cleansemg.denoising.resampled import native
    from cleansemg.noise.labels import Rule
    from cleansemg.quality import noise_labels

    denoiser = row.build()
    rng = np.random.default_rng(1)
    n = round(SECONDS_OF_SIGNAL * fs_hz)
    clean = 1e-4 * rng.standard_normal((1, n))
    noisy = (clean + 1e-4 * np.sin(2 * np.pi * 50 * np.arange(n) / fs_hz)).astype(np.float32)
    rule: Rule = "published" if row.track == "published" else "evidence"
    given = NoiseLabels(np.array([[True, False, False, False, False]]), np.array([50.0]), clean, rule=rule)

    def once() -> float:
        started = time.process_time()
        labels = noise_labels(noisy, fs_hz) if row.track == AUTO else None if row.track == "blind" else given
        denoiser.denoise(noisy, fs_hz, labels)
        return time.process_time() - started

    first = once()  # compiles kernels and reads files, so it counts only where one call takes long anyway
    taken = [once() for _ in range(1 if first > SLOW_S else REPEATS)]
    links = denoiser.links if isinstance(denoiser, Chain) else (denoiser,)
    networks = [native(link).network for link in links if hasattr(native(link), "network")]  # type: ignore[attr-defined]
    count = sum(int(p.numel()) for network in networks for p in network.parameters() if p.requires_grad)
    # six digits, so that a report from the file is the same as the one that measured
    return float(f"{statistics.median(taken) / SECONDS_OF_SIGNAL:.6g}"), count or None
