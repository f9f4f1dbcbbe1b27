"""What the page does with a recording: the same calls as `cleansemg quality` and `cleansemg denoise`."""

from __future__ import annotations

import shlex
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.app.jobs import Job
from cleansemg.app.recording import Denoised, Loaded, Said, Session
from cleansemg.app.samples import Samples
from cleansemg.core.errors import UserError
from cleansemg.formats import FORMATS, FileInfo, SignalFile, open_file
from cleansemg.formats.info import TableLayout
from cleansemg.recordings import DenoiseOptions, assess_file, clean_file
from cleansemg.recordings.progress import n_samples_about

TARGETS = ("csv", "tsv", "xlsx", "mat", "npz", "edf", "bdf", "wfdb")  # formats that state rate and units


def load_recording(session: Session, said: Said, job: Job) -> None:
    """Read a recording from end to end: keep its samples, and say how good it is.

    Raises:
        UserError: as `open_file` and `assess_file`.
    """
    session.loaded = session.denoised = None
    folder = session.folder / "before"
    shutil.rmtree(session.folder / "after", ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    job.advance("opening")
    with _open(session, said, said.channels) as file:
        samples = Samples(folder, len(file.info.channels), file.info.fs_hz)
        found = assess_file(Watched(file, job, "reading", samples))
        session.loaded = Loaded(said, file.info, found.reports, samples, job.state.notes)


def denoise_recording(
    session: Session, denoiser: str, weights: str, chosen: Sequence[int], file_format: str, job: Job
) -> None:
    """Denoise channels of the loaded recording into a file, and read that back.

    Args:
        session: with a recording loaded.
        denoiser: its name.
        weights: pretrained or open.
        chosen: indexes of the channels, at least one.
        file_format: of the result, one of `formats_for`.
        job: told of the progress.

    Raises:
        UserError: as `clean_file`.
    """
    loaded = session.loaded
    if loaded is None:
        raise UserError("there is no recording to denoise")
    chosen = tuple(sorted(set(chosen)))
    if not chosen or not 0 <= chosen[0] <= chosen[-1] < len(loaded.info.channels):
        raise UserError("choose at least one channel")
    if file_format not in formats_for(loaded.info):
        raise UserError(f"'{file_format}' cannot be the format of the result")
    session.denoised = None
    out, after = session.folder / "result", session.folder / "after"
    for folder in (out, after):
        shutil.rmtree(folder, ignore_errors=True)
    columns = [loaded.info.channels[i].column for i in chosen]
    same = file_format == loaded.info.format
    source = session.path
    suffix = FORMATS[file_format][0] if not same or file_format == "wfdb" else source.suffix
    output, report = out / f"{source.stem}_denoised{suffix}", out / f"{source.stem}_report.json"
    typed = ["cleansemg", "denoise", source.name, "--output", output.name, "--denoiser", denoiser]
    typed += ["--weights", weights] if weights != "pretrained" else []
    typed += ["--channels", ",".join(map(str, columns))] if _is_part(loaded, chosen) else []
    typed += ["--report", report.name, *loaded.said.options()]
    job.advance("opening")
    with _open(session, loaded.said, columns) as file:
        order = DenoiseOptions(output, denoiser=denoiser, weights=weights, report=report, command=typed)
        layout = file.info.layout
        done = clean_file(Watched(file, job, "denoising"), order)
    place = layout.time.position if isinstance(layout, TableLayout) and layout.time is not None else None
    said = loaded.said
    if not same:  # another format states everything; its tables begin with the time
        said, place = Said(), 0 if file_format in {"csv", "tsv", "xlsx"} else None
    samples = _read_back(done.output, said, place, len(chosen), after, job)
    files = {"recording": _one_file(done.output, file_format), "report": report, "sidecar": done.sidecar}
    session.denoised = Denoised(
        chosen, done.before, done.after, samples, files, done.denoiser, shlex.join(typed), done.closing, job.state.notes
    )  # fmt: skip


def formats_for(info: FileInfo) -> list[str]:
    """Formats of a result: the recording's own first."""
    return [info.format, *(name for name in TARGETS if name != info.format)]


class Watched(SignalFile):
    """An opened recording that tells a job how far it was read, and keeps its samples."""

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


def _open(session: Session, said: Said, channels: Sequence[str | int] | None) -> SignalFile:
    return open_file(
        session.path, fs_hz=said.fs_hz, unit=said.unit, offset=said.offset, channels=channels,
        sheet=said.sheet, key=said.key, time=said.time,
    )  # fmt: skip


def _is_part(loaded: Loaded, chosen: Sequence[int]) -> bool:
    """Whether the command has to name the channels."""
    return loaded.said.channels is not None or len(chosen) < len(loaded.info.channels)


def _read_back(output: Path, said: Said, place: int | None, n_channels: int, folder: Path, job: Job) -> Samples:
    """The samples of the file as it was written; `place` is the column of its time stamps.

    A file of the input's format says as little about itself as the input did, so the user's word counts for both.
    """
    columns = [k + (place is not None and k >= place) for k in range(n_channels)]
    time = str(place) if place is not None and said.time is not None and said.time != "none" else said.time
    with open_file(
        output, fs_hz=said.fs_hz, unit=said.unit, offset=said.offset, channels=columns,
        sheet=said.sheet, key=said.key, time=time,
    ) as file:  # fmt: skip
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
