"""What the page does with a recording: the same calls as `cleansemg quality` and `cleansemg denoise`."""

from __future__ import annotations

import shlex
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.app.jobs import Job
from cleansemg.app.recording import Denoised, Loaded, Session
from cleansemg.app.samples import Samples
from cleansemg.core.errors import UserError
from cleansemg.formats import FORMATS, FileInfo, ReadOptions, SignalFile, open_file
from cleansemg.formats.info import TableLayout
from cleansemg.recordings import DenoiseOptions, assess_file, clean_file
from cleansemg.recordings.progress import n_samples_about

TARGETS = ("csv", "tsv", "xlsx", "mat", "npz", "edf", "bdf", "wfdb")  # formats that state rate and units


def load_recording(session: Session, reading: ReadOptions, job: Job) -> None:
    """Read a recording from end to end: store its samples, and assess it.

    Raises:
        UserError: as `open_file` and `assess_file`.
    """
    session.loaded = session.denoised = None
    folder = session.folder / "before"
    shutil.rmtree(session.folder / "after", ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    job.advance("opening")
    with _open(session.path, reading) as file:
        samples = Samples(folder, len(file.info.channels), file.info.fs_hz)
        assessed = assess_file(Watched(file, job, "reading", samples))
        session.loaded = Loaded(reading, file.info, assessed.reports, samples, job.state.notes)


def denoise_recording(
    session: Session, denoiser: str, weights: str, selected: Sequence[int], file_format: str, job: Job
) -> None:
    """Denoise channels of the loaded recording into a file, and read that back.

    Args:
        session: with a recording loaded.
        denoiser: its name.
        weights: pretrained or open.
        selected: indexes of the channels, at least one.
        file_format: of the result, one of `formats_for`.
        job: shows the progress.

    Raises:
        UserError: as `clean_file`.
    """
    loaded = session.loaded
    if loaded is None:
        raise UserError("there is no recording to denoise")
    selected = tuple(sorted(set(selected)))
    if not selected or not 0 <= selected[0] <= selected[-1] < len(loaded.info.channels):
        raise UserError("choose at least one channel")
    if file_format not in formats_for(loaded.info):
        raise UserError(f"'{file_format}' cannot be the format of the result")
    session.denoised = None
    out, after = session.folder / "result", session.folder / "after"
    for folder in (out, after):
        shutil.rmtree(folder, ignore_errors=True)
    columns = [loaded.info.channels[i].column for i in selected]
    same = file_format == loaded.info.format
    source = session.path
    suffix = FORMATS[file_format][0] if not same or file_format == "wfdb" else source.suffix
    output, report = out / f"{source.stem}_denoised{suffix}", out / f"{source.stem}_report.json"
    typed = ["cleansemg", "denoise", source.name, "--output", output.name, "--denoiser", denoiser]
    typed += ["--weights", weights] if weights != "pretrained" else []
    typed += ["--channels", ",".join(map(str, columns))] if _is_part(loaded, selected) else []
    typed += ["--report", report.name, *command_options(loaded.reading)]
    job.advance("opening")
    with _open(session.path, loaded.reading, channels=columns) as file:
        options = DenoiseOptions(output, denoiser=denoiser, weights=weights, report=report, command=typed)
        layout = file.info.layout
        done = clean_file(Watched(file, job, "denoising"), options)
    time_column = layout.time.position if isinstance(layout, TableLayout) and layout.time is not None else None
    reading = loaded.reading
    if not same:  # another format states everything; its tables begin with the time
        reading, time_column = ReadOptions(), 0 if file_format in {"csv", "tsv", "xlsx"} else None
    samples = _read_back(done.output, reading, time_column, len(selected), after, job)
    files = {"recording": _one_file(done.output, file_format), "report": report, "sidecar": done.sidecar}
    session.denoised = Denoised(
        selected, done.before, done.after, samples, files, done.denoiser, shlex.join(typed), done.closing,
        job.state.notes,
    )  # fmt: skip


def formats_for(info: FileInfo) -> list[str]:
    """Formats of a result: the recording's own first."""
    return [info.format, *(name for name in TARGETS if name != info.format)]


class Watched(SignalFile):
    """An opened recording that reports to a job how far it was read, and stores its samples."""

    def __init__(self, file: SignalFile, job: Job, label: str, samples: Samples | None = None) -> None:
        self.info = file.info
        self._file, self._job, self._label, self._samples = file, job, label, samples
        self._total = n_samples_about(file.info)

    def blocks(self, max_samples: int = 65536) -> Iterator[NDArray[np.float64]]:
        read = 0
        for block in self._file.blocks(max_samples):
            self._job.advance(self._label, read / self._total if self._total else None)
            if self._samples is not None:
                self._samples.append(block)
            yield block
            read += block.shape[1]
        self._job.advance(self._label, 1.0)

    def _blocks(self, max_samples: int) -> Iterator[NDArray[np.float64]]:
        return self._file._blocks(max_samples)


def command_options(reading: ReadOptions) -> list[str]:
    """What the user stated about a file, for the command line, but for the channels."""
    pairs = {
        "--fs": None if reading.fs_hz is None else f"{reading.fs_hz:.12g}",
        "--unit": reading.unit,
        "--offset": f"{reading.offset:.12g}" if reading.offset else None,
        "--sheet": reading.sheet,
        "--key": reading.key,
        "--time": reading.time,
    }
    return [part for option, value in pairs.items() if value is not None for part in (option, str(value))]


def _open(path: Path, reading: ReadOptions, **changes: Any) -> SignalFile:
    return open_file(path, **{**vars(reading), **changes})


def _is_part(loaded: Loaded, selected: Sequence[int]) -> bool:
    """Whether the command has to name the channels."""
    return loaded.reading.channels is not None or len(selected) < len(loaded.info.channels)


def _read_back(
    output: Path, reading: ReadOptions, time_column: int | None, n_channels: int, folder: Path, job: Job
) -> Samples:
    """The samples of the file as it was written; `time_column` is the column of its time stamps.

    A file of the input's format says as little about itself as the input did, so the user's word counts for both.
    """
    columns = [k + (time_column is not None and k >= time_column) for k in range(n_channels)]
    time = (
        str(time_column)
        if time_column is not None and reading.time is not None and reading.time != "none"
        else reading.time
    )
    with _open(output, reading, channels=columns, time=time) as file:
        samples = Samples(folder, n_channels, file.info.fs_hz)
        for block in file.blocks():
            job.advance("reading the result")
            samples.append(block)
    return samples


def _one_file(output: Path, file_format: str) -> Path:
    """What a browser can take: a WFDB record's two files in one archive."""
    if file_format != "wfdb":
        return output
    packed = output.with_suffix(".zip")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in (output.with_suffix(".hea"), output.with_suffix(".dat")):
            archive.write(part, part.name)
    return packed
