"""Work of prepare_neural.py and prepare_classical.py: make clean streams, then noisy and denoised ones."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from cleansemg.core import commandline
from cleansemg.core.commandline import (
    ForceOption,
    OutputOption,
    QuietOption,
    SchedulerOption,
    SetOption,
    WorkersOption,
    finish,
    prepare,
)
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.registry import find
from cleansemg.core.stage import Report, RunOptions
from cleansemg.downstream.common import streams
from cleansemg.downstream.common.denoise import configured
from cleansemg.downstream.common.running import keeping
from cleansemg.downstream.common.streams import CLEAN, NOISY
from cleansemg.downstream.gesture.segment_placement import paste_all
from cleansemg.evaluation.candidates import Candidate, Family, candidates, family_of
from cleansemg.evaluation.settings import DenoiserRow

if TYPE_CHECKING:
    from cleansemg.settings import Settings

CONFIG = Path("configs/downstream/gesture_published.yaml")
DATABASE = "DB2"
TEST_NPZ = Path("outputs/test_data/test_combined.npz")
QC_INDEX = Path("outputs/preprocessed/DB2/logs/qc_index.csv")


NAMED = {
    "classical": typer.Option("--method", help="A classical denoiser, e.g. hp, emd, vmd, ceemdan."),
    "neural": typer.Option("--model-name", help="A network: fcn, msemg, or a published name, TrustEMGNet_RM."),
}


def main(of: Family) -> NoReturn:
    """The command line of prepare_classical.py and prepare_neural.py."""

    def command(
        method: Annotated[str, NAMED[of]],
        model_path: Annotated[
            Path | None,
            typer.Option(help="Weights; default: those of the run, or the pretrained ones.", hidden=of == "classical"),
        ] = None,
        config: Annotated[Path, typer.Option("--config", help="Configuration of the task.")] = CONFIG,
        db2_root: Annotated[Path | None, typer.Option(help="Folder of DB2; default: the configuration's.")] = None,
        test_npz: Annotated[Path, typer.Option(help="test_combined.npz, ours or the published one.")] = TEST_NPZ,
        qc_index: Annotated[Path, typer.Option(help="Index of the quality control.")] = QC_INDEX,
        output_noisy: Annotated[Path | None, typer.Option(help="Folder of the noisy streams.")] = None,
        output_denoised: Annotated[Path | None, typer.Option(help="Folder of the denoised streams.")] = None,
        output: OutputOption = None,
        workers: WorkersOption = 1,
        scheduler: SchedulerOption = None,
        overrides: SetOption = None,
        force: ForceOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Noisy and denoised recordings for the gesture task.

        The published protocol: 2 s segments of the test set, which passed the quality control, are pasted over the
        clean recordings, each into its own file and exercise; everything else stays clean. What --output-noisy and
        --output-denoised leave out goes where downstream/gesture/evaluate.py looks for it; it takes the same two.
        """
        folder_override = [f"datasets.{DATABASE}.folder={db2_root.absolute()}"] if db2_root else []
        settings, layout = prepare(config, output, [*folder_override, *(overrides or [])], quiet)
        folders = (output_noisy, output_denoised)
        options = RunOptions(workers, force, scheduler)
        return finish(paste(settings, layout, options, method, of, model_path, test_npz, qc_index, folders))

    commandline.run(command)


def paste(
    settings: "Settings",
    layout: Layout,
    options: RunOptions,
    method: str,
    of: Family,
    weights: Path | None,
    test_npz: Path,
    qc_index: Path,
    folders: tuple[Path | None, Path | None] = (None, None),
) -> list[Report]:
    """Write the denoised streams of one denoiser; the first call also writes the clean and noisy streams.

    --force applies to the denoised streams; clean and noisy streams of the same settings and inputs are always reused.

    Args:
        settings: the configuration.
        layout: the folders of the streams.
        options: workers and force.
        method: label, name or alias of the denoiser; its parameters and weights are those of the configuration.
        of: the family that the denoiser must belong to.
        weights: weights of a network; None: those of the configuration, of the run, or the pretrained ones.
        test_npz: file of the test set.
        qc_index: index of the quality control, with the position of each trial.
        folders: folders of the noisy and of the denoised streams; None: the default folders of the task.

    Raises:
        UserError: an unknown method or one of the other family, a method without a blind track, several matching rows
            where only one is possible, or an absent file.
    """
    rows = configured(settings, [method])
    first = DenoiserRow(name=rows[0]) if isinstance(rows[0], str) else rows[0]
    if family_of([find("denoisers", link.name) for link in first.links]) != of:
        other = "prepare_classical.py --method" if of == "neural" else "prepare_neural.py --model-name"
        raise UserError(f"'{method}' is not a {of} denoiser; use downstream/gesture/{other} {method}")
    blind = [row for row in candidates(settings, layout, names=rows, weights=weights) if row.track == "blind"]
    if not blind:
        raise UserError(f"'{method}' has to be told the noise; only blind denoisers here")
    if len(blind) > 1 and (weights or folders[1]):
        names = ", ".join(row.label for row in blind)
        raise UserError(f"'{method}' is several rows of {settings.config_file}: {names}; name one of them")
    reports = [keeping(partial(streams.prepare, settings, layout), options)]
    clean = streams.open_streams(layout.downstream(CLEAN))
    targets: list[tuple[Candidate | None, Path]] = [(None, folders[0] or layout.downstream(NOISY))]
    targets += [(row, folders[1] or layout.downstream("denoised", row.label)) for row in blind]
    for candidate, folder in targets:
        stage = partial(paste_all, clean, folder, test_npz, qc_index, candidate, settings.seed)
        result = keeping(stage, options) if candidate is None else stage(options)
        what = "noisy" if candidate is None else candidate.label
        count = sum(shard.count > 0 for shard in result.artifact.manifest.shards)
        reports.append(Report("paste", (f"{what}: {count} streams, {folder}",), len(result.failures)))
    return reports
