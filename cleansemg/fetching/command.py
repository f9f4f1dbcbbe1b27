"""What `cleansemg fetch` can get, and which of its options each takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.core.stage import Report

WHAT = ("open", "weights", "test-set")


def fetch(what: str, folder: Path | None, revision: str | None, models: Sequence[str], everything: bool) -> Report:
    """Fetch one of `WHAT`.

    Raises:
        UserError: an unknown `what`, an option that it does not have, and what the fetch itself raises.
    """
    if what not in WHAT:
        raise UserError(f"cannot fetch '{what}'{did_you_mean(what, WHAT)}")
    for option, given, owners in (
        ("--revision", revision is not None, ("weights", "test-set")),
        ("--model", bool(models), ("weights",)),
        ("--all", everything, ("test-set",)),
    ):
        if given and what not in owners:
            raise UserError(f"{option} is an option of `cleansemg fetch {' and '.join(owners)}`, not of {what}")
    if what == "weights":
        from cleansemg.fetching.published_weights import fetch_weights

        return fetch_weights(folder, revision, models)
    if what == "test-set":
        from cleansemg.fetching.published_test_set import fetch_test_set

        return fetch_test_set(folder, revision, everything)
    from cleansemg.fetching.open_data import fetch_open

    return Report("fetch open", tuple(fetch_open(folder)))
