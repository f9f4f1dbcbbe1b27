"""From a file's name to its reader or writer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cleansemg.core.errors import ItemError, UserError
from cleansemg.formats.channel_selection import Channel, ReadOptions, nearest
from cleansemg.formats.info import (
    ArrayLayout,
    ChannelInfo,
    EdfLayout,
    FileInfo,
    Layout,
    TableLayout,
    TimeColumn,
    WfdbLayout,
)
from cleansemg.formats.signal_file import SignalFile, SignalWriter
from cleansemg.formats.units import volts_per_unit
from cleansemg.formats.wfdb_record import files_of_record

FORMATS: dict[str, tuple[str, ...]] = {
    "csv": (".csv",),
    "tsv": (".tsv",),
    "txt": (".txt",),
    "xlsx": (".xlsx",),
    "mat": (".mat",),
    "npz": (".npz",),
    "npy": (".npy",),
    "edf": (".edf",),
    "bdf": (".bdf",),
    "wfdb": (".hea", ".dat"),
}
TABLES = ("csv", "tsv", "txt", "xlsx")


def open_file(
    path: Path | str,
    *,
    fs_hz: float | None = None,
    unit: str | float | None = None,
    offset: float = 0.0,
    channels: Sequence[Channel] | None = None,
    sheet: str | None = None,
    key: str | None = None,
    time: Channel | None = None,
    format: str | None = None,  # noqa: A002 - the word of the interface
) -> SignalFile:
    """Open one recording.

    What the file says about its rate, units and channels need not be given.

    Args:
        path: of the file; of a WFDB record the header or the signal file.
        fs_hz: sampling rate, where the file does not say it.
        unit: V, mV, uV, nV, or the number of volts that 1 in the file stands for, where the file does not say it.
        offset: the number in the file that stands for 0 V.
        channels: names or indexes (from 0, as columns in the file); None: all that can be surface EMG.
        sheet: of a workbook with several.
        key: the variable of a MAT or npz file with several.
        time: name or index of the column of time stamps, where it is not recognised; "none": there is none.
        format: one of `FORMATS`; None: by the suffix.

    Raises:
        UserError: anything that is wrong with the file or the arguments, in one line.
    """
    path = Path(path)
    file_format = _format(path, format)
    if path.is_dir():
        raise UserError(f"{path}: is a folder, expected a file")
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    options = ReadOptions(fs_hz, unit, offset, channels, sheet, key, time)
    if (sheet is not None and file_format != "xlsx") or (key is not None and file_format not in {"npz", "mat"}):
        raise UserError(
            f"{path}: {'--sheet is of .xlsx' if sheet is not None else '--key is of .npz and .mat'} files alone"
        )
    try:
        if path.stat().st_size == 0 and file_format != "wfdb":
            raise UserError(f"{path}: is empty")
        return _reader(path, file_format, options)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ItemError as error:
        raise UserError(f"{path}: {error}") from error


def create_file(
    path: Path | str,
    like: FileInfo,
    format: str | None = None,  # noqa: A002 - the word of the interface
    *,
    overwrite: bool = False,
) -> SignalWriter:
    """Begin a recording like another: same rate, channels, start; where the format is the same, its columns and codes.

    Args:
        path: the target; folders above it are made.
        like: `info` of the recording it comes from.
        format: one of `FORMATS`; None: by the suffix.
        overwrite: replace what is there.

    Raises:
        UserError: an unknown suffix, the input itself, an existing file, or a folder that cannot be written to.
    """
    path = Path(path)
    file_format = _format(path, format)
    if file_format == "wfdb":
        path = path.with_suffix(".hea")
    targets = [path, path.with_suffix(".dat")] if file_format == "wfdb" else [path]
    sources = parts_of(like)
    for target in targets:
        if any(_same(target, source) for source in sources):
            raise UserError(f"{path}: is the input itself; give another name")
        if target.is_dir():
            raise UserError(f"{target}: is a folder, expected a file")
        if target.exists() and not overwrite:
            raise UserError(f"{target}: exists already; give another name, or --overwrite")
    return _writer(path, _target(like, path, file_format))


def parts_of(info: FileInfo) -> list[Path]:
    """The files of a recording: a WFDB record has a header, and the signal files that it names."""
    if info.format != "wfdb":
        return [info.path]
    return files_of_record(info.path)


def _format(path: Path, asked: str | None) -> str:
    if asked is not None:
        if asked not in FORMATS:
            raise UserError(f"format '{asked}' is not one of {', '.join(FORMATS)}{nearest(asked, list(FORMATS))}")
        return asked
    suffix = path.suffix.lower()
    for name, suffixes in FORMATS.items():
        if suffix in suffixes:
            return name
    known = [suffix for suffixes in FORMATS.values() for suffix in suffixes]
    raise UserError(f"{path}: unknown suffix '{path.suffix}'{nearest(suffix, known)}; known are {', '.join(known)}")


def _same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def _reader(path: Path, file_format: str, options: ReadOptions) -> SignalFile:
    from cleansemg.formats import array_file, edf_file, mat_file, sheet_file, text_file, wfdb_file

    if file_format in {"csv", "tsv", "txt"}:
        return text_file.TextFile(path, file_format, options)
    if file_format in {"edf", "bdf"}:
        return edf_file.EdfFile(path, file_format, options)
    if file_format == "xlsx":
        return sheet_file.SheetFile(path, options)
    if file_format == "mat":
        return mat_file.MatFile(path, options)
    if file_format == "wfdb":
        return wfdb_file.WfdbFile(path, options)
    return array_file.NpyFile(path, options) if file_format == "npy" else array_file.NpzFile(path, options)


def _writer(path: Path, info: FileInfo) -> SignalWriter:
    from cleansemg.formats import array_writer, edf_writer, sheet_file, text_writer, wfdb_writer

    classes: dict[str, type[SignalWriter]] = {
        "csv": text_writer.TextWriter,
        "tsv": text_writer.TextWriter,
        "txt": text_writer.TextWriter,
        "xlsx": sheet_file.SheetWriter,
        "npy": array_writer.NpyWriter,
        "npz": array_writer.NpzWriter,
        "mat": array_writer.MatWriter,
        "edf": edf_writer.EdfWriter,
        "bdf": edf_writer.EdfWriter,
        "wfdb": wfdb_writer.WfdbWriter,
    }
    return classes[info.format](path, info)


def _target(like: FileInfo, path: Path, file_format: str) -> FileInfo:
    """The description of the file to be written."""
    if like.format == file_format:
        return replace(like, path=path)
    channels = tuple(_in_volts(channel) for channel in like.channels)
    info = replace(like, path=path, format=file_format, channels=channels)
    return replace(info, layout=_layout(info, file_format))


def _in_volts(channel: ChannelInfo) -> ChannelInfo:
    """The channel in a unit that any format can state, without the codes of the old one."""
    plain = replace(channel, coding=None)
    return plain if channel.is_voltage else replace(plain, unit="mV", volts_per_unit=volts_per_unit("mV"), offset=0.0)


def _layout(info: FileInfo, file_format: str) -> Layout:
    if file_format in TABLES:
        decimals = 6
        names = tuple(f"{channel.name} ({channel.unit})" for channel in info.channels)
        time = TimeColumn(0, 0, "time (s)", "", 1.0, info.start_s, 1 / info.fs_hz, 1e-6, 0.0, decimals)
        delimiter = {"csv": ",", "xlsx": ""}.get(file_format, "\t")
        return TableLayout(1, (), names, None, time, len(names) + 1, delimiter)
    if file_format in {"npy", "npz", "mat"}:
        return ArrayLayout()
    if file_format == "wfdb":
        return WfdbLayout(())
    return EdfLayout("", "", False, "", 0, (), (), ())  # the writer chooses the records' length
