"""The published noisy recordings: segments of the test set replace the samples of the clean streams they come from.

The test set contains only segments that passed the quality control; all other samples stay clean (protocol A11).
Published ids do not contain the exercise; in that case, the clean waveform of the segment identifies the recording.
(The public code writes the segments of three exercises into the file of the first.)
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.artifact import MANIFEST, Artifact, Failure
from cleansemg.core.code_identity import of_modules
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.stage import Job, RunOptions, ShardResult, StageResult, run_stage
from cleansemg.data_pipeline.recording import content_fingerprint
from cleansemg.denoising import Denoiser, InputError
from cleansemg.downstream.common import streams
from cleansemg.downstream.common.streams import SCHEMA
from cleansemg.downstream.common.task import Stream
from cleansemg.evaluation import export
from cleansemg.evaluation.candidates import Candidate

LEAST_LIKENESS = 0.5  # minimum correlation; for 2000 samples from another position it is below 0.15
NEEDED = ("database", "subject", "exercise", "trial", "channel", "start_sample", "stop_sample", "fs_hz")

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Slot:
    """A trial of one channel, as listed in the index of the quality control."""

    exercise: str
    trial: int
    channel: int
    start_s: float
    stop_s: float


@dataclass(frozen=True)
class Request:
    """A segment of the test set, and the trials that it may come from.

    Attributes:
        row: row in the test set.
        name: id of the segment.
        window: number of the segment in its trial.
        slots: the trials that match the id; one if the test set contains the exercise.
    """

    row: int
    name: str
    window: int
    slots: tuple[Slot, ...]


@dataclass(frozen=True)
class PasteJob:
    """One stream and the segments that may belong to it."""

    clean: Path
    shard: str
    test_set: Path
    requests: tuple[Request, ...]
    candidate: Candidate | None  # None: insert the noisy segments


def read_slots(path: Path) -> dict[tuple[str, str], list[Slot]]:
    """Read the trials from qc_index.csv, by database and subject.

    Raises:
        UserError: the file or a column is missing, or a value is not a number.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
            if missing:
                raise UserError(f"{path}: no column '{missing[0]}'; make it with data_pipeline/step1_qc_raw.py")
            slots: dict[tuple[str, str], list[Slot]] = defaultdict(list)
            for row in reader:
                fs_hz = float(row["fs_hz"])
                start, stop = int(row["start_sample"]) / fs_hz, int(row["stop_sample"]) / fs_hz
                slot = Slot(row["exercise"], int(row["trial"]), int(row["channel"]), start, stop)
                slots[row["database"], row["subject"]].append(slot)
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; make it with data_pipeline/step1_qc_raw.py, or name --qc-index"
        ) from None
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: not an index of the quality control ({error})") from None
    return dict(slots)


def requests(columns: Columns, slots: Mapping[tuple[str, str], Sequence[Slot]]) -> dict[tuple[str, str], list[Request]]:
    """Group the segments by database and subject; segments of databases that are not in the index are left out.

    Raises:
        UserError: an incomplete or repeated id, or a segment whose trial is not in the index.
    """
    requests_by_stream: dict[tuple[str, str], list[Request]] = defaultdict(list)
    named = "exercise" in columns
    databases = {database for database, _ in slots}
    placed_ids: set[str] = set()
    for row, text in enumerate(np.asarray(columns["segment_id"]).tolist()):
        if str(columns["database"][row]) not in databases:
            continue
        key = (str(columns["database"][row]), _subject(str(columns["subject"][row])))
        if named and text in placed_ids:
            raise UserError(f"segment {text}: twice in the test set; take test_combined.npz, which has each once")
        placed_ids.add(text)
        if named:
            wanted = (str(columns["exercise"][row]), int(columns["trial"][row]), int(columns["channel"][row]))
            near = [s for s in slots.get(key, ()) if (s.exercise, s.trial, s.channel) == wanted]
            window = int(columns["window"][row])
        else:
            channel, trial, window = _numbers(text)  # may count from 0 or from 1; this is not documented
            mine = slots.get(key, ())
            near = [s for s in mine if s.trial in (trial, trial - 1) and s.channel in (channel, channel - 1)]
        if not near:
            raise UserError(f"segment {text}: its trial is not in the quality control's index; they are of two runs")
        requests_by_stream[key].append(Request(row, text, window, tuple(near)))
    return dict(requests_by_stream)


def paste_all(
    clean: Artifact,
    folder: Path,
    test_set: Path,
    index: Path,
    candidate: Candidate | None,
    seed: int,
    options: RunOptions,
) -> StageResult:
    """Write the streams with the segments of the test set inserted, noisy or denoised.

    Args:
        clean: the clean streams.
        folder: folder of the result.
        test_set: test_combined.npz, ours or the published one.
        index: qc_index.csv of the run that produced the test set.
        candidate: a denoiser; None leaves the segments noisy.
        seed: the configuration's.
        options: workers and force.

    Raises:
        UserError: a file is absent or invalid, a recording of a segment is absent, or a segment has no matching
            position; in this last case the folder stays unfinished.
    """
    if not test_set.exists():
        raise UserError(f"{test_set}: no such file; make it with evaluation/generate_test_data.py, or name --test-npz")
    wanted = requests(export.read(test_set), read_slots(index))
    jobs: list[Job[PasteJob]] = []
    people: set[tuple[str, str]] = set()
    for name, stream in streams.each(clean):
        key = (stream.database, stream.subject)
        of_stream = tuple(r for r in wanted.get(key, ()) if any(slot.exercise == stream.name for slot in r.slots))
        people |= {key}
        jobs.append(Job(name, PasteJob(clean.folder, name, test_set, of_stream, candidate)))
    lost = sorted("/".join(key) for key in wanted if key not in people)
    if lost:
        raise UserError(f"{clean.folder}: no recording of {', '.join(lost[:3])}, of whom {test_set.name} has segments")
    denoiser = None if candidate is None else {"denoiser": dict(candidate.settings), "track": candidate.track}
    code = {**of_modules(__name__), **({} if candidate is None else candidate.code)}
    result = run_stage(
        folder, SCHEMA, jobs, paste_shard,
        section={"task": "gesture", "pasted": denoiser},
        inputs={"clean": clean.manifest.fingerprint, "test set": content_fingerprint(test_set),
                "index": content_fingerprint(index)},
        seed=seed, options=options, label="paste noisy" if candidate is None else f"paste {candidate.label}",
        code=code, info=clean.manifest.info,
    )  # fmt: skip
    try:
        _check_count(result.artifact, wanted, {job.name: job.payload.requests for job in jobs})
    except UserError:
        (folder / MANIFEST).unlink()
        raise
    return result


def paste_shard(job: PasteJob) -> ShardResult:
    """Make one stream with its segments; if one cannot be placed or denoised, the stream is recorded as a failure."""
    stream = streams.load(streams.open_streams(job.clean), job.shard)
    denoiser = None if job.candidate is None or not job.requests else job.candidate.build()
    try:
        pasted, count = paste(stream, export.read(job.test_set), job.requests, denoiser)
    except (InputError, ItemError) as error:
        return ShardResult(streams.empty(), [Failure(stream.key, str(error))])
    return ShardResult({**streams.to_arrays(pasted), "n_pasted": np.full(pasted.signal.shape[1], count)})


def paste(
    stream: Stream, columns: Columns, wanted: Sequence[Request], denoiser: Denoiser | None = None
) -> tuple[Stream, int]:
    """Replace samples of the stream by its segments; return the stream and the number of segments.

    Raises:
        ItemError: a segment does not match the stream at its position, exceeds the stream, overlaps another segment, or
            has another sampling rate; or a sample outside the segments changed.
        InputError: the denoiser refuses a segment.
    """
    places = [(r, position) for r in wanted if (position := _position_of(stream, columns, r)) is not None]
    if not places:
        return stream, 0
    noisy = np.stack([columns["noisy"][r.row] for r, _ in places])  # [m, L]
    new = noisy if denoiser is None else denoiser.denoise(noisy, stream.fs_hz)
    signal = stream.signal.copy()
    taken = np.zeros(signal.shape, bool)
    for (request, (channel, start)), samples in zip(places, new, strict=True):
        span = slice(start, start + len(samples))
        if taken[channel, span].any():
            raise ItemError(f"segment {request.name} lies over another one, at sample {start}")
        signal[channel, span] = samples
        taken[channel, span] = True
    beside = np.ones(signal.shape, bool)
    for _, (channel, start) in places:
        beside[channel, start : start + noisy.shape[1]] = False
    if (signal != stream.signal)[beside].any():
        raise ItemError("samples were changed where no segment lies")
    return replace(stream, signal=signal), len(places)


def _position_of(stream: Stream, columns: Columns, request: Request) -> tuple[int, int] | None:
    """Channel and first sample of a segment; None if it belongs to another recording of the person.

    Segments are resampled from the start of their trial, so a segment may be shifted by up to half a sample against the
    samples of the stream.
    """
    clean = np.asarray(columns["clean"][request.row], np.float64)
    fs_hz = float(columns["fs_hz"][request.row])
    if fs_hz != stream.fs_hz:
        raise ItemError(f"segment {request.name} is at {fs_hz:g} Hz, the stream at {stream.fs_hz:g} Hz")
    scores: dict[tuple[int, int], float] = {}
    for slot in request.slots:
        if slot.exercise != stream.name:
            continue
        start = round(slot.start_s * fs_hz) + request.window * len(clean)
        excerpt = stream.signal[slot.channel : slot.channel + 1, start : start + len(clean)]
        if excerpt.size == len(clean):
            scores[slot.channel, start] = _likeness(excerpt[0].astype(np.float64), clean)
    best = max(scores, key=lambda position: scores[position], default=None)
    if best is not None and scores[best] >= LEAST_LIKENESS:
        return best
    if len(request.slots) > 1:
        return None
    cause = f"a likeness of {scores[best]:.2f}" if best is not None else "no room for it"
    raise ItemError(f"segment {request.name} is not from this recording: {cause} where its id says that it was cut")


def _likeness(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norm if norm > 0 else 0.0


def _check_count(
    pasted: Artifact,
    wanted: Mapping[tuple[str, str], Sequence[Request]],
    may_hold: Mapping[str, Sequence[Request]],
) -> None:
    """Check that every segment was inserted once; otherwise raise UserError.

    Each stream must hold at least as many segments as it has ids with exactly one matching trial. If none of a person's
    streams failed, they must hold all segments of the person. (An id without an exercise may belong to a failed
    stream.)

    Args:
        pasted: the streams with segments.
        wanted: segments by database and subject.
        may_hold: shard name -> the segments that may belong to it.
    """
    landed: dict[tuple[str, str], int] = defaultdict(int)
    owner = {request.row: key for key, of_key in wanted.items() for request in of_key}
    incomplete = set()
    for shard in pasted.manifest.shards:
        possible = may_hold[shard.name]
        if not shard.count:
            incomplete |= {owner[request.row] for request in possible}
            continue
        count = int(pasted.load(shard.name)["n_pasted"][0])
        named = sum(len(request.slots) == 1 for request in possible)
        if count < named:
            raise UserError(f"{pasted.folder}: {count} of {named} segments of {shard.name} found their place; "
                            "the test set is not of these recordings")  # fmt: skip
        if possible:
            landed[owner[possible[0].row]] += count
    for key, of_key in wanted.items():
        if key not in incomplete and landed[key] != len(of_key):
            raise UserError(f"{pasted.folder}: {landed[key]} of {len(of_key)} segments of {'/'.join(key)} found their "
                            "place; the test set is not of these recordings")  # fmt: skip


def _subject(text: str) -> str:
    """Normalise a subject: the published s1, 1 or S01 become S1."""
    match = re.fullmatch(r"[Ss]?0*(\d+)", text)
    return f"S{match[1]}" if match else text


def _numbers(segment_id: str) -> tuple[int, int, int]:
    """Channel, trial and segment number: the last three parts of a published id; raises UserError without them."""
    numbers = [re.search(r"\d+", part) for part in segment_id.split("_")[-3:]]
    if len(numbers) < 3 or not all(numbers):
        raise UserError(f"segment {segment_id}: expected DATABASE_SUBJECT_CHANNEL_TRIAL_SEGMENT")
    channel, trial, window = (int(match[0]) for match in numbers if match)
    return channel, trial, window
