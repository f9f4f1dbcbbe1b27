"""`tradition_params.json`: the scores of every candidate, the winners, and warnings about the search.

The file is a function of the finished calibrations in its folder, one sub-folder for each method. Calibrations on other
mixtures than the latest one are left out, with a warning in the report.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.core.artifact import MANIFEST, Artifact, Manifest, Schema
from cleansemg.noise.kinds import names_in
from cleansemg.training.parameter_selection import Choice, choose
from cleansemg.training.search_space import combinations

FILE = "tradition_params.json"
FORMAT = "cleansemg tradition_params 1"
SECOND = "second_draws"  # folder of a method's search on the second set of draws
DRAWS = "draws_set"  # which set of draws a search was made on, in the manifest; the first one says nothing

Scores = Mapping[str, NDArray[Any]]


def shard_name(track: str, number: int) -> str:
    """Name of the shard of a candidate."""
    return f"{track}_{number:05d}"


def describe(parameters: Mapping[str, Any]) -> str:
    """Format parameters as `cutoff_hz=20 order=4`."""
    return " ".join(f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
                    for name, value in parameters.items())  # fmt: skip


def write(folder: Path, schema: Schema, latest: Manifest) -> tuple[str, ...]:
    """Write the file from the calibrations in `folder` that have the same mixtures as `latest`.

    Returns:
        Lines for the report: the winner of each method and track, warnings, and the path of the file.
    """
    methods: dict[str, Any] = {}
    lines: list[str] = []
    repeated: dict[str, bool] = {}
    for manifest_path in sorted(folder.glob(f"*/{MANIFEST}")):
        artifact = Artifact.open(manifest_path.parent, schema)
        name = artifact.manifest.info["denoiser"]
        if _mixtures(artifact.manifest) != _mixtures(latest):
            lines.append(f"warning: {name}: calibrated on other mixtures, so not in {FILE}; run it again with --force")
            continue
        second = _second_of(artifact)
        methods[name] = {}
        for track in artifact.manifest.info["tracks"]:
            entry, summary = _summarise(artifact, second, track)
            methods[name][track] = entry
            lines += summary
            if "repeat" in entry:
                repeated[f"{name} {track}"] = entry["repeat"]["same"]
    content = {
        "format": FORMAT,
        "score": "mean SNR improvement over all mixtures, dB; the unchanged input scores 0",
        "calibration": {**latest.info["calibration"], "noise_part": latest.info["noise_part"],
                        "inputs": latest.inputs, "seed": latest.seed},
        "methods": methods,
    }  # fmt: skip
    npz.atomic_write(folder / FILE, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
    return (*lines, *_agreement(repeated), f"parameters: {folder / FILE}")


def _second_of(artifact: Artifact) -> Artifact | None:
    """The same search on the second set of draws; None where there is none, or one of other settings or data."""
    folder = artifact.folder / SECOND
    if not (folder / MANIFEST).exists():
        return None
    second, first = Artifact.open(folder, artifact.schema), artifact.manifest
    conditions = {key: value for key, value in second.manifest.info["calibration"].items() if key != DRAWS}
    info = {**second.manifest.info, "calibration": conditions, "n_segments_failed": first.info["n_segments_failed"]}
    same = (info, second.manifest.inputs, second.manifest.seed) == (first.info, first.inputs, first.seed)
    return second if same else None


def _agreement(repeated: Mapping[str, bool]) -> list[str]:
    """One line: whether the second set of draws selects what the first one did."""
    if not repeated:
        return []
    different = [name for name, same in repeated.items() if not same]
    text = f"a second set of draws selects the same parameters in {len(repeated) - len(different)} of {len(repeated)}"
    return [f"{text} searches" + (f"; not for {', '.join(different)}" if different else "")]


def _mixtures(manifest: Manifest) -> Any:
    return manifest.info["calibration"], manifest.inputs, manifest.seed


def _summarise(artifact: Artifact, second: Artifact | None, track: str) -> tuple[dict[str, Any], list[str]]:
    """The entry of one method on one track for the file, and its lines for the report.

    Args:
        artifact: the search.
        second: the same on the second set of draws, if it was made.
        track: of both.
    """
    info = artifact.manifest.info
    search = dict(info["search"])
    grid = combinations(search)
    tables = [artifact.load(shard_name(track, number)) for number in range(len(grid))]
    candidates = [{"parameters": p, **_scores(table)} for p, table in zip(grid, tables, strict=True)]
    scores_db = [_mean(table["SNRimp"]) for table in tables]
    n_failed = [int(table["failed"].sum()) for table in tables]
    choice = choose(grid, search, scores_db, n_failed, info["own_values"])
    if choice is None:
        warning = "no candidate could process any mixture, so there is no winner; see failures.csv"
        return _entry(None, None, [warning], candidates), [f"warning: {info['denoiser']} {track}: {warning}"]
    warnings = _warnings(choice, grid, search, scores_db[choice.winner], n_failed)
    repeat = {} if second is None else _repeat(second, track, choice, grid)
    if repeat and not repeat["repeat"]["same"]:
        warnings.append(_differs(repeat["repeat"], grid[choice.winner]))
    finite = [score for score in scores_db if np.isfinite(score)]
    headline = (
        f"{info['denoiser']:18} {track:6} {describe(grid[choice.winner])}  SNRimp {scores_db[choice.winner]:+.3f} dB "
        f"(unchanged input 0; {len(grid)} candidates from {min(finite):+.3f} to {max(finite):+.3f})"
    )
    lines = [
        headline,
        *(f"warning: {info['denoiser']} {track}: {text}" for text in warnings),
    ]
    winner = {**info["parameters"], **grid[choice.winner]}
    return {**_entry(winner, scores_db[choice.winner], warnings, candidates), **repeat}, lines


def _repeat(second: Artifact, track: str, first: Choice, grid: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the second set of draws selects, beside the first choice: scores of both there, and their difference."""
    info = second.manifest.info
    tables = [second.load(shard_name(track, number)) for number in range(len(grid))]
    scores_db = [_mean(table["SNRimp"]) for table in tables]
    n_failed = [int(table["failed"].sum()) for table in tables]
    choice = choose(grid, dict(info["search"]), scores_db, n_failed, info["own_values"])
    if choice is None:
        return {"repeat": {"same": False, "parameters": None, "SNRimp_db": None, "SNRimp_db_of_selected": None,
                           "difference_db": None}}  # fmt: skip
    idle = {*first.idle, *choice.idle}
    deciding = [{name: value for name, value in candidate.items() if name not in idle} for candidate in grid]
    equal = {choice.winner, *choice.ties}
    same = any(deciding[first.winner] == deciding[number] for number in equal)
    best, selected = scores_db[choice.winner], scores_db[first.winner]
    return {
        "repeat": {
            "same": same,
            "parameters": {**info["parameters"], **grid[first.winner if same else choice.winner]},
            "SNRimp_db": best,
            "SNRimp_db_of_selected": _or_none(selected),
            "difference_db": _or_none(best - selected),
        }
    }


def _differs(repeat: Mapping[str, Any], selected: Mapping[str, Any]) -> str:
    if repeat["parameters"] is None:
        return "no candidate could process any mixture of the second set of draws"
    other = {name: repeat["parameters"][name] for name in selected}
    if repeat["SNRimp_db_of_selected"] is None:
        return f"a second set of draws selects {describe(other)}, the parameters above fail on it"
    return (
        f"a second set of draws selects {describe(other)}: SNRimp {repeat['SNRimp_db']:+.3f} dB there, "
        f"{repeat['difference_db']:.3f} dB more than the parameters above; more draws would decide"
    )


def _entry(
    winner: Mapping[str, Any] | None, score_db: float | None, warnings: Sequence[str], candidates: Sequence[Any]
) -> dict[str, Any]:
    return {"parameters": winner, "SNRimp_db": score_db, "warnings": list(warnings), "candidates": list(candidates)}


def _warnings(
    choice: Choice,
    grid: Sequence[Mapping[str, Any]],
    search: Mapping[str, Sequence[Any]],
    score_db: float,
    n_failed: Sequence[int],
) -> list[str]:
    warnings = [f"{name} changes nothing, all its values score the same" for name in choice.idle]
    distinct = [
        i for i in choice.ties if any(grid[i][p] != grid[choice.winner][p] for p in search if p not in choice.idle)
    ]
    if distinct:
        more = f" and {len(distinct) - 1} more" if len(distinct) > 1 else ""
        warnings.append(f"tie: {describe(grid[distinct[0]])}{more} score the same as the winner")
    for name, edge in choice.edges.items():
        values = ", ".join(describe({"": value})[1:] for value in search[name])
        warnings.append(f"the winner's {name} is the {edge} of its grid ({values}); the best may lie beyond")
    if score_db < 0:
        warnings.append("the best candidate is worse than the unchanged input")
    if any(n_failed):
        warnings.append(
            f"{sum(1 for n in n_failed if n)} candidates failed on some mixtures, the winner on "
            f"{n_failed[choice.winner]}; only those with the fewest failures can win"
        )
    return warnings


def _scores(table: Scores) -> dict[str, Any]:
    """The scores of one candidate, by SNR and kind, too; None if there is nothing to average."""
    improvement = table["SNRimp"]
    by_snr = {f"{snr_db:g}": _or_none(_mean(improvement[table["snr_db"] == snr_db]))
              for snr_db in np.unique(table["snr_db"])}  # fmt: skip
    by_kind = {kind: _or_none(_mean(improvement[table["kinds"][:, i]])) for i, kind in enumerate(names_in(table))}
    return {
        "SNRimp_db": _or_none(_mean(improvement)),
        "RMSE_v": _or_none(_mean(table["RMSE"])),
        "n_mixtures": len(improvement),
        "n_failed": int(table["failed"].sum()),
        "SNRimp_db_by_snr_db": by_snr,
        "SNRimp_db_by_kind": by_kind,
    }


def _mean(values: NDArray[np.float64]) -> float:
    """Mean of the finite values; NaN if there are none."""
    done = values[np.isfinite(values)]
    return float(done.mean()) if len(done) else float("nan")


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
