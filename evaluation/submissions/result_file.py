"""One result: a JSON file that says who, with what, on which test set, and how well on every mixture.

A hash over its content shows edits. It is no signature: whoever edits a file can hash it again, so a leaderboard takes
results of others from those who have scored them, and its numbers are computed again from the mixtures' values.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import npz
from cleansemg.core.errors import UserError
from cleansemg.core.fingerprint import canonical_json
from cleansemg.evaluation.settings import TRACKS
from cleansemg.evaluation.stats.intervals import person_means
from cleansemg.evaluation.submissions import ceiling
from cleansemg.evaluation.submissions.card import card_from

SCHEMA = "cleansemg-result"
VERSION = 1
DIGITS = 9  # significant, of every number
ROLES = ("method", "floor", "ceiling")
BETTER = ("higher", "lower", "one")  # one: the nearer to 1
LARGEST_BYTES = 500_000_000


@dataclass(frozen=True)
class Result:
    """A result file, checked.

    Attributes:
        path: where it was read from.
        content: all of it; `docs/submit.md` lists the fields.
        values: by metric, [n]; NaN where a mixture has none.
        persons: [n] opaque names.
    """

    path: Path
    content: Mapping[str, Any]
    values: Mapping[str, NDArray[np.float64]]
    persons: NDArray[np.str_]


def complete(content: Mapping[str, Any]) -> dict[str, Any]:
    """A result with what follows from its mixtures (means, share above the ceiling, flags) and its hash.

    Args:
        content: name, role, track, card, set, profile, metrics, ceiling (`snrimp` of each mixture), mixtures, version.
    """
    values, persons = _columns(content["mixtures"], list(content["metrics"]))
    whole = {"schema": SCHEMA, "schema_version": VERSION, **content, **_derived(content, values, persons)}
    whole["sha256"] = content_hash(whole)
    return whole


def write_result(content: Mapping[str, Any], path: Path) -> None:
    """Write a result file; one of the same content has the same bytes."""
    npz.atomic_write(path, (json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n").encode())


def read_result(path: Path) -> Result:
    """A result file, its hash and what follows from its mixtures checked.

    Raises:
        UserError: not a result file, of another version, edited, or with numbers that do not follow from its mixtures.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise UserError(f"{path}: larger than a result file can be")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a result file (no JSON: {str(error)[:80]})") from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise UserError(f"{path}: not a result file; `cleansemg score` writes them")
    if content.get("schema_version") != VERSION:
        raise UserError(f"{path}: a result of version {content.get('schema_version')}, this program reads {VERSION}")
    if content.get("sha256") != content_hash(content):
        raise UserError(f"{path}: edited since it was written, its SHA-256 is not that of its content; score again")
    try:
        values, persons = _columns(content["mixtures"], list(content["metrics"]))
        derived = _derived(content, values, persons)
        _require_fields(content)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise UserError(f"{path}: not a whole result file ({type(error).__name__}: {error})") from None
    for key, value in derived.items():
        if not _same(content.get(key), value):
            raise UserError(f"{path}: its {key} do not follow from its mixtures; score again")
    if content["card"] is not None:
        card_from(content["card"], f"{path}: card")
    return Result(path, content, values, persons)


def content_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON (sorted keys, no spaces) of all but the field `sha256`."""
    return hashlib.sha256(
        canonical_json({key: value for key, value in content.items() if key != "sha256"}).encode()
    ).hexdigest()


def number(value: float) -> float | None:
    """A number as result files hold it; None for one that is not finite."""
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _derived(
    content: Mapping[str, Any], values: Mapping[str, NDArray[np.float64]], persons: NDArray[np.str_]
) -> dict[str, Any]:
    """Means over people, the share of mixtures above the ceiling, and flags."""
    table = np.stack(list(values.values()), axis=1)
    with np.errstate(invalid="ignore"):
        means = _mean_of_people(person_means(table, persons))
    limit = _floats(content["ceiling"]["snrimp"])
    if len(limit) != len(persons):
        raise ValueError("the ceiling has another number of mixtures")
    share = number(ceiling.share_above(values[ceiling.METRIC], limit))
    flags = [ceiling.FLAG] if content["role"] == "method" and (share or 0) > ceiling.ALLOWED_SHARE else []
    if content["card"] is not None and content["card"]["saw_test_people"]:
        flags.append("fitted with people of the test set")
    return {
        "means": {key: number(mean) for key, mean in zip(values, means.tolist(), strict=True)},
        "share_above_ceiling": share,
        "flags": flags,
    }


def _same(stored: Any, value: Any) -> bool:
    """Whether two values are equal, numbers but for the last digits in which processors differ."""
    if isinstance(value, dict):
        return (
            isinstance(stored, dict)
            and stored.keys() == value.keys()
            and all(_same(stored[k], value[k]) for k in value)
        )
    if isinstance(value, float) and isinstance(stored, int | float):
        return math.isclose(stored, value, rel_tol=1e-6, abs_tol=1e-9)
    return bool(stored == value)


def _mean_of_people(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """[S, M] -> [M] over the people who have a value."""
    finite = np.isfinite(means)
    count = finite.sum(axis=0)
    total = np.where(finite, means, 0.0).sum(axis=0)
    mean: NDArray[np.float64] = np.divide(total, count, out=np.full(means.shape[1], np.nan), where=count > 0)
    return mean


def _columns(mixtures: Mapping[str, Any], keys: list[str]) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.str_]]:
    ids, persons = mixtures["ids"], np.array(mixtures["persons"])
    values = {key: _floats(mixtures[key]) for key in keys}
    if not ids or len(set(ids)) != len(ids) or any(len(column) != len(ids) for column in (persons, *values.values())):
        raise ValueError("its columns have different lengths, or an id is there twice")
    if persons.dtype.kind != "U":
        raise TypeError("persons are texts")
    return values, persons


def _floats(column: list[float | None]) -> NDArray[np.float64]:
    return np.array([math.nan if value is None else float(value) for value in column], np.float64)


def _require_fields(content: Mapping[str, Any]) -> None:
    """Raises TypeError or ValueError where a field is of another type than results have."""
    test_set = content["set"]
    texts = [
        content["name"],
        content["profile"],
        content["cleansemg"],
        test_set["set"],
        test_set["sha256"],
        test_set["root"],
    ]
    if not all(isinstance(text, str) and text for text in texts):
        raise TypeError("a text is missing")
    if content["role"] not in ROLES or content["track"] not in TRACKS:
        raise ValueError("role or track")
    if test_set["mixtures"] != len(content["mixtures"]["ids"]):
        raise ValueError("another number of mixtures")
    for about in content["metrics"].values():
        if about["better"] not in BETTER or not float(about["table_scale"]) > 0:
            raise ValueError("a metric without description")
        if not isinstance(about["display_name"], str) or not isinstance(about["decimals"], int):
            raise TypeError("a metric without description")
