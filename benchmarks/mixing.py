"""Mixtures a second of 2000 samples: drawing, mixing, and writing with hashing, one core.

python benchmarks/mixing.py --n 4000
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cleansemg.core import artifact
from cleansemg.core.seeding import generator
from cleansemg.core.threads import single_threaded
from cleansemg.noise import mixing
from cleansemg.noise.kinds import BENCHMARK_KINDS
from cleansemg.noise.pool import NoiseLibrary

LENGTH = 2000
GRID_DB = (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=4000, help="mixtures")
    n = parser.parse_args().n
    rng = np.random.default_rng(0)
    library = NoiseLibrary({kind: [rng.standard_normal(200_000) for _ in range(10)] for kind in BENCHMARK_KINDS})
    clean = (1e-5 * rng.standard_normal((n, LENGTH))).astype(np.float32)
    snr_db, n_kinds = rng.choice(GRID_DB, n), rng.integers(1, 6, n)

    def draw() -> mixing.Recipe:
        names = enumerate(zip(snr_db, n_kinds, strict=True))
        generators = (generator(2025, "mix", "grid", f"segment{i}", float(s), int(k)) for i, (s, k) in names)
        return mixing.draw_recipes(generators, snr_db, n_kinds, library, LENGTH, -5.0)

    with single_threaded(), tempfile.TemporaryDirectory() as folder:
        recipe = draw()

        def mix() -> tuple[Any, Any]:
            return mixing.mix_recipes(clean, recipe, library, snr_db, "exact", -5.0)

        noisy, gain = mix()  # compiled here, outside the clock
        arrays = {
            "clean": clean, "noisy": noisy, "gain": gain, "kinds": recipe.kinds, "noise_piece": recipe.piece,
            "noise_offset": recipe.offset,
        }  # fmt: skip

        def write() -> artifact.Shard:
            return artifact.write_shard(Path(folder), "shard", arrays, "benchmark")

        costs = [_report(name, work, n) for name, work in (("draw", draw), ("mix", mix), ("write and hash", write))]
    print(f"{'together':16s} {1e6 * sum(costs):7.1f} us a mixture, {1 / sum(costs):9.0f} mixtures a second")


def _report(name: str, work: Callable[[], Any], n: int) -> float:
    """Seconds a mixture, the best of three."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) / n)
    best = min(times)
    print(f"{name:16s} {1e6 * best:7.1f} us a mixture, {1 / best:9.0f} mixtures a second")
    return best


if __name__ == "__main__":
    main()
