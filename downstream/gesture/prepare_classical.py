"""Noisy and denoised recordings for the gesture task, by a classical method.

The published protocol: 2 s segments of the test set, which passed the quality control, are pasted over the clean
recordings, each into its own file and exercise; everything else stays clean. What --output-noisy and
--output-denoised leave out goes where downstream/gesture/evaluate.py looks for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core import commandline
from core.commandline import ForceOption, OutputOption, QuietOption, SetOption, WorkersOption
from downstream.gesture import preparing


def main(  # noqa: D103 - its help is the module's docstring
    method: Annotated[str, typer.Option(help="A classical denoiser, e.g. hp, emd, vmd, ceemdan.")],
    config: Annotated[Path, typer.Option("--config", help="Configuration of the task.")] = preparing.CONFIG,
    db2_root: Annotated[Path | None, typer.Option(help="Folder of DB2; default: the configuration's.")] = None,
    test_npz: Annotated[Path, typer.Option(help="test_combined.npz, ours or the published one.")] = preparing.TEST_NPZ,
    qc_index: Annotated[Path, typer.Option(help="Index of the quality control.")] = preparing.QC_INDEX,
    output_noisy: Annotated[Path | None, typer.Option(help="Folder of the noisy streams.")] = None,
    output_denoised: Annotated[Path | None, typer.Option(help="Folder of the denoised streams.")] = None,
    output: OutputOption = None,
    workers: WorkersOption = 1,
    overrides: SetOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> int:
    return preparing.run(
        method,
        "classical",
        None,
        config=config,
        db2_root=db2_root,
        test_npz=test_npz,
        qc_index=qc_index,
        output_noisy=output_noisy,
        output_denoised=output_denoised,
        output=output,
        workers=workers,
        overrides=overrides,
        force=force,
        quiet=quiet,
    )


main.__doc__ = __doc__

if __name__ == "__main__":
    commandline.run(main)
