"""What prepare_neural.py and prepare_classical.py share: clean streams, then noisy and denoised ones."""

from __future__ import annotations

from pathlib import Path

from core.commandline import finish, prepare
from core.errors import UserError
from core.registry import find
from core.stage import Report, RunOptions
from downstream.common import streams
from downstream.common.streams import CLEAN, NOISY
from downstream.gesture.pasting import paste_all
from evaluation.candidates import Family, candidates, family

CONFIG = Path("configs/downstream/gesture_published.yaml")
DATABASE = "DB2"
TEST_NPZ = Path("outputs/test_data/test_combined.npz")
QC_INDEX = Path("outputs/preprocessed/DB2/logs/qc_index.csv")


def run(
    method: str,
    of: Family,
    weights: Path | None,
    *,
    config: Path,
    db2_root: Path | None,
    test_npz: Path,
    qc_index: Path,
    output_noisy: Path | None,
    output_denoised: Path | None,
    output: Path | None,
    workers: int,
    overrides: list[str] | None,
    force: bool,
    quiet: bool,
) -> int:
    """Write the streams of one denoiser; clean and noisy ones are written by the first call and kept.

    Raises:
        UserError: an unknown method or one of the other family, a file that is absent, a method that has to be told
            the noise.
    """
    entry = find("denoisers", method)
    if family(entry) != of:
        other = "prepare_classical.py --method" if of == "neural" else "prepare_neural.py --model-name"
        raise UserError(f"'{method}' is not a {of} denoiser; use downstream/gesture/{other} {method}")
    own = [f"datasets.{DATABASE}.folder={Path(db2_root).absolute()}"] if db2_root else []
    settings, layout = prepare(config, output, [*own, *(overrides or [])], quiet)
    blind = [row for row in candidates(settings, layout, names=[method], weights=weights) if row.track == "blind"]
    if not blind:
        raise UserError(f"'{method}' has to be told the noise; only blind denoisers here")
    options = RunOptions(workers, force)
    reports = [streams.prepare(settings, layout, RunOptions(workers))]
    clean = streams.open_streams(layout.downstream(CLEAN))
    targets = [
        (None, output_noisy or layout.downstream(NOISY)),
        (blind[0], output_denoised or layout.downstream("denoised", blind[0].label)),
    ]
    for candidate, folder in targets:
        result = paste_all(clean, folder, test_npz, qc_index, candidate, settings.seed, options)
        what = "noisy" if candidate is None else candidate.label
        count = sum(shard.count > 0 for shard in result.artifact.manifest.shards)
        reports.append(Report("paste", (f"{what}: {count} streams, {folder}",), len(result.failures)))
    return finish(reports)
