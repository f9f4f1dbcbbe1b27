"""Rows of several training seeds: one row for each fit of a network, called `NETWORK@SEED` beyond the first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.registry import Entry
from cleansemg.evaluation.settings import DenoiserRow
from cleansemg.training.fit_files import BEST
from cleansemg.training.seeds import finished_fits, label_of, seeds_of, split_label

if TYPE_CHECKING:
    from cleansemg.settings import Settings


def rows_of_seeds(row: DenoiserRow, entry: Entry, settings: Settings, layout: Layout) -> list[DenoiserRow]:
    """A network's row and, with `train.seeds`, one for each fit with another than the first seed.

    A row with a label, or with weights of its own, stays the only one.

    Raises:
        UserError: a label that names a seed, or a network that is fitted with some of the seeds only.
    """
    if row.label is not None and split_label(row.label)[1] is not None:
        raise UserError(
            f"evaluate.denoisers: the label '{row.label}' ends as those of training seeds do; choose another one"
        )
    if row.label is not None or row.weights is not None or not settings.train.seeds:
        return [row]
    fits = finished_fits(settings, layout, entry.name)
    others = {seed: folder for seed, folder in fits.items() if seed != seeds_of(settings)[0]}
    return [
        row,
        *(
            row.model_copy(update={"label": label_of(entry.name, seed), "weights": str(folder / BEST)})
            for seed, folder in others.items()
        ),
    ]


def trained_weights(entry: Entry, settings: Settings, layout: Layout) -> Path | None:
    """The weights of a network's fit with the first seed; None where this run has not fitted it.

    Raises:
        UserError: it is fitted with some of the seeds only.
    """
    fits = finished_fits(settings, layout, entry.name)
    return next((folder / BEST for folder in fits.values()), None)
