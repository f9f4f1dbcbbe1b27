"""Options that commands on one recording's file share, and how they open it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cleansemg.core.errors import UserError
from cleansemg.denoising.loading import DEFAULT_DENOISER

if TYPE_CHECKING:
    from cleansemg.formats import SignalFile

InputArgument = Annotated[
    Path, typer.Argument(help="The recording: .csv .tsv .txt .xlsx .mat .npz .npy .edf .bdf .hea/.dat (WFDB).")
]
FsOption = Annotated[float | None, typer.Option("--fs", help="Sampling rate in Hz, where the file does not say it.")]
UnitOption = Annotated[
    str | None,
    typer.Option("--unit", help="V, mV, uV, nV, or the volts that 1 in the file stands for, where it does not say it."),
]
OffsetOption = Annotated[float, typer.Option("--offset", help="The number in the file that stands for 0 V.")]
ChannelsOption = Annotated[
    list[str] | None,
    typer.Option("--channels", help="Names or columns (from 0), with commas between. Repeatable. Default: all."),
]
SheetOption = Annotated[str | None, typer.Option("--sheet", help="Of a workbook with several.")]
KeyOption = Annotated[str | None, typer.Option("--key", help="The variable of a MAT or npz file with several.")]
TimeOption = Annotated[
    str | None,
    typer.Option("--time", help="Name or column of the time stamps, where it is not recognised; none: there is none."),
]
QualityWeightsOption = Annotated[
    Path | None,
    typer.Option("--quality-weights", help="File of the network that reads SNR; default: the pretrained one."),
]
DenoiserOption = Annotated[
    str | None,
    typer.Option(
        "--denoiser",
        help="A name of `cleansemg list denoisers`, package.module:Class, or several, one after the other: "
        f"line_interpolation+vmd. Default: {DEFAULT_DENOISER[0]}.",
    ),
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        "--weights",
        help="Of a network: pretrained, open (fine-tuned on open recordings), or a file. "
        f"Default: {DEFAULT_DENOISER[1]} of {DEFAULT_DENOISER[0]}, pretrained of others.",
    ),
]
ParametersOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="A parameter: --set cutoff_hz=20; in a chain, --set vmd.k=5."),
]
_EXPONENT = re.compile(r"[+-]?\d+e[+-]?\d+", re.IGNORECASE)


def open_recording(
    path: Path,
    fs: float | None,
    unit: str | None,
    offset: float,
    channels: Sequence[str] | None,
    sheet: str | None,
    key: str | None,
    time: str | None,
) -> SignalFile:
    """Open a file as the options say; raises UserError as `open_file`."""
    from cleansemg.formats import open_file

    names = None
    if channels:
        names = [name.strip() for text in channels for name in text.split(",") if name.strip()]
    return open_file(path, fs_hz=fs, unit=unit, offset=offset, channels=names, sheet=sheet, key=key, time=time)


def parameters_of(texts: Sequence[str] | None) -> dict[str, Any]:
    """`name=value` to parameters, values as in YAML.

    Raises:
        UserError: no equals sign, or a value that is not YAML.
    """
    import yaml

    parameters: dict[str, Any] = {}
    for text in texts or ():
        name, mark, value = text.partition("=")
        if not mark or not name.strip():
            raise UserError(f"--set {text}: expected NAME=VALUE")
        try:
            # YAML takes 1e-3 for a text, as it lacks the point
            parameters[name.strip()] = float(value) if _EXPONENT.fullmatch(value) else yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"--set {text}: the value cannot be read") from None
    return parameters
