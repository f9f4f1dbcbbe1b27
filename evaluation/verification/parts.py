"""Checks that no subject, segment or noise record is in two of train, valid and test, unless a protocol declares it.

Names are compared first, contents second: a segment or a piece of noise with the same samples in two parts is a leak,
whatever its name.
"""

from __future__ import annotations

import csv
import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import yaml

from cleansemg.core.errors import ArtifactError
from cleansemg.evaluation.verification.chain import SPLIT
from cleansemg.evaluation.verification.findings import Finding, Track
from cleansemg.evaluation.verification.folders import Folder, Results

PARTS = ("train", "valid", "test", "out_of_domain")  # the last one where a data set is a part of its own
SHARED_RECORDS = "noise/shared_records.txt"
GRADES = "preprocessed/grades"
STRETCH = re.compile(r"(?P<record>.+)@(?P<first>[\d.]+)-(?P<last>[\d.]+)s")  # seconds of a record
Contents = dict[bytes, tuple[str, str]]  # hash of samples -> part and name

SIGNAL = ("database", "subject", "exercise", "channel_name")


def check_segments(results: Results, track: Track) -> list[Finding]:
    """Findings `subjects` and `segments`."""
    subjects, segments = Finding("subjects"), Finding("segments")
    folders = {folder.path.name: folder for folder in results.of("segments")}
    if not folders:
        return [subjects, segments]
    people: dict[str, set[str]] = {part: set() for part in folders}
    signals: dict[str, set[str]] = {part: set() for part in folders}
    ids: dict[str, str] = {}
    contents: Contents = {}
    trials: set[tuple[str, ...]] = set()
    shards = [(part, shard, columns) for part, folder in folders.items() for shard, columns in folder.tables()]
    for part, shard, columns in track(shards, len(shards), "segments"):
        names = {name: np.asarray(columns[name]).astype(str) for name in (*SIGNAL, "segment_id")}
        people[part].update(map("/".join, zip(names["database"], names["subject"], strict=True)))
        signals[part].update(map("/".join, zip(*(names[name] for name in SIGNAL), strict=True)))
        trials.update(zip(*(np.asarray(columns[n]).astype(str).tolist() for n in _TRIAL), strict=True))
        for segment_id, signal in zip(names["segment_id"].tolist(), columns["signal"], strict=True):
            if segment_id in ids:
                segments.problems.append(f"{shard.path}: segment '{segment_id}' is in {ids[segment_id]}, too")
            ids[segment_id] = part
            _compare(signal, part, f"segment '{segment_id}'", contents, segments)
    declared = _split_label(results, people, subjects)
    _share("subject", people, declared, subjects)
    _share("channel of a recording", signals, False, segments)
    _check_accepted(results, trials, segments)
    counts = ", ".join(f"{part} {len(people[part])}" for part in PARTS if part in people)
    subjects.summary = "" if subjects.leaks else f"{counts} subjects, none in two parts, as in {SPLIT}"
    segments.summary = f"{len(ids)} segments, every id once, no waveform in two parts, each from a trial that was kept"
    return [subjects, segments]


def check_noise(results: Results, track: Track) -> Finding:
    """Finding `noise`: no record, or stretch of one, and no piece serves two parts."""
    finding = Finding("noise")
    folders = {str(folder.info.get("part", folder.name)): folder for folder in results.of("noise-library")}
    if not folders:
        return finding
    stretches: dict[tuple[str, str], list[tuple[float, float, str]]] = defaultdict(list)
    contents: Contents = {}
    shared: dict[str, set[str]] = defaultdict(set)
    n_pieces = 0
    shards = [(part, folder, *pair) for part, folder in folders.items() for pair in folder.tables()]
    for part, folder, shard, columns in track(shards, len(shards), "noise"):
        n_pieces += shard.count
        origin = _origin(folder, shard.path.stem)
        for record in sorted(set(np.asarray(columns["record"]).astype(str).tolist())):
            match = STRETCH.fullmatch(record)
            base = match["record"] if match else record
            span = (float(match["first"]), float(match["last"])) if match else (0.0, float("inf"))
            stretches[origin, base].append((*span, part))
        repeated = Finding("noise")
        for name, samples in zip(np.asarray(columns["name"]).astype(str).tolist(), columns["noise"], strict=True):
            _compare(samples, part, f"noise '{name}'", contents, repeated)
        shared[part].update(repeated.problems)
        finding.notes += repeated.notes
    pairs = _overlaps(stretches)
    label = results.root / SHARED_RECORDS
    declared = label.read_text(encoding="utf-8").splitlines() if label.is_file() else []
    covered = 0
    for (one, other), records in sorted(pairs.items()):
        text = f"{one} and {other} share {len(records)} noise records ({', '.join(records[:4])}"
        if any(line.startswith(f"{one} and {other} share {len(records)} noise records (") for line in declared):
            finding.leaks.append(f"{text}{', ...' if records[4:] else ''})")
            covered += 1
        else:
            finding.problems.append(f"{results.root}: {text}), and no protocol declares it")
    if covered != len(declared):
        finding.problems.append(f"{label}: declares shared noise that is not shared")
    if declared:
        finding.covered.add(label)
    else:
        finding.problems += sorted(text for texts in shared.values() for text in texts)
    if not finding.leaks:
        finding.summary = f"{n_pieces} pieces of {len(stretches)} records, no record and no piece in two parts"
    return finding


_TRIAL = (*SIGNAL, "trial")


def _compare(samples: Any, part: str, what: str, contents: Contents, finding: Finding) -> None:
    """Report the same samples in two parts as a leak, and the same samples twice in one part as a note."""
    digest = hashlib.blake2b(np.ascontiguousarray(samples).tobytes(), digest_size=16).digest()
    home, other = contents.setdefault(digest, (part, what))
    if home != part:
        finding.problems.append(f"{what} of {part} has the same samples as {other} of {home}")
    elif other != what:
        finding.notes.append(f"{part} holds the same samples twice: {what} and {other}")


def _share(what: str, by_part: Mapping[str, set[str]], declared: bool, finding: Finding) -> None:
    for one, other in combinations([part for part in PARTS if part in by_part], 2):
        both = sorted(by_part[one] & by_part[other])
        if both:
            text = f"{one} and {other} share {len(both)} {what}s ({', '.join(both[:4])}{', ...' if both[4:] else ''})"
            (finding.leaks if declared else finding.problems).append(
                text if declared else f"{text}, and no protocol declares it"
            )


def _listed(parts: Mapping[str, Any], part: str) -> Any:
    """The subjects of a part; the last one is there for databases that are that part alone."""
    return parts.get(part, ()) if part == PARTS[-1] else parts[part]


def _split_label(results: Results, people: Mapping[str, set[str]], finding: Finding) -> bool:
    """Compare the parts with the split's lists; returns whether the split declares that subjects are shared."""
    path = results.root / SPLIT
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        databases = content["databases"]
        listed = {
            part: {f"{database}/{subject}" for database, parts in databases.items() for subject in _listed(parts, part)}
            for part in PARTS
        }
        declared = bool(content.get("label"))
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        finding.problems.append(f"{path}: not a split ({type(error).__name__}: {error})")
        return False
    finding.covered.add(path)
    for part, subjects in people.items():
        strangers = sorted(subjects - listed.get(part, set()))
        if strangers:
            finding.problems.append(f"{part}: has segments of {strangers[0]}, which {path} does not list there")
    _share("listed subject", listed, declared, finding)
    return declared


def _check_accepted(results: Results, trials: set[tuple[str, ...]], finding: Finding) -> None:
    """Check that every segment comes from a trial-channel that the grades accept."""
    grades = next((folder for folder in results.of("grades") if folder.name == GRADES), None)
    if grades is None:
        return  # reported under `inputs`
    accepted: set[tuple[str, ...]] = set()
    for _, columns in grades.tables():
        rows = np.asarray(columns["kept"], bool)
        accepted.update(zip(*(np.asarray(columns[n])[rows].astype(str).tolist() for n in _TRIAL), strict=True))
    strangers = sorted(trials - accepted)
    if strangers:
        finding.problems.append(f"segments of {' '.join(strangers[0])}, a trial-channel that the grades do not keep")


def _origin(folder: Folder, shard: str) -> str:
    """The origin of a shard's records: the hashes of the files that the source read, else the name of the source.

    It tells records of the same name apart. Sources that read the same files share an origin.
    """
    digests = [f"{name.partition('/')[2]}={d}" for name, d in folder.inputs.items() if name.startswith(f"{shard}/")]
    return " ".join(sorted(digests)) or re.sub(r"^[^_]+_\d+_", "", shard)


def _overlaps(
    stretches: Mapping[tuple[str, str], Sequence[tuple[float, float, str]]],
) -> dict[tuple[str, str], list[str]]:
    """Pairs of parts, in order, with the records of which both use the same seconds."""
    names_by_person: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (_, record), spans in stretches.items():
        for one, other in _pairs(spans):
            names_by_person[one, other].append(record)
    return names_by_person


def _pairs(spans: Iterable[tuple[float, float, str]]) -> list[tuple[str, str]]:
    pairs = set()
    for (first, last, one), (begin, end, other) in combinations(sorted(set(spans)), 2):
        if one != other and begin < last and first < end:
            pairs.add((one, other) if PARTS.index(one) < PARTS.index(other) else (other, one))
    return sorted(pairs)


def check_grades(results: Results) -> Finding:
    """Finding `grades`: grades.csv agrees with the shards."""
    finding = Finding("grades")
    n = 0
    for folder in results.of("grades"):
        path = folder.path / "grades.csv"
        if not path.is_file():
            finding.problems.append(f"{path}: missing")
            continue
        finding.covered.add(path)
        names = list(next(iter(folder.tables()))[1]) if folder.shards else []
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            if sorted(header) != sorted(names):
                finding.problems.append(f"{path}: other columns than its shards")
                continue
            try:
                stored = folder.columns(*header)
                columns = [_texts(stored[name]) for name in header]
            except ArtifactError as error:
                finding.problems.append(str(error))
                continue
            for row, (shown, recomputed) in enumerate(zip(reader, zip(*columns, strict=True), strict=False), 2):
                n += 1
                if tuple(shown) != recomputed:
                    finding.problems.append(f"{path}, line {row}: not what the shard holds")
        if n != folder.count:
            finding.problems.append(f"{path}: {n} rows, its shards have {folder.count}")
    finding.summary = f"{n} graded trial-channels are in the CSV as in the shards" if n else ""
    return finding


def _texts(values: Any) -> list[str]:
    """Numbers with six digits, NaN as an empty text, booleans as yes or no (docs/data-pipeline.md)."""
    if values.dtype.kind == "f":
        return ["" if math.isnan(value) else f"{value:.6g}" for value in values.tolist()]
    if values.dtype.kind == "b":
        return ["yes" if value else "no" for value in values.tolist()]
    return [str(value) for value in values.tolist()]
