"""Training seeds: with `train.seeds`, each network is fitted once for each, into a folder of its own.

A seed decides the first weights, the order of the mixtures and every draw of a training mixture. Validation mixtures
are those of the run's seed in all fits, so that their losses and scores compare. The fit with the run's seed is the
same, byte for byte, as the one without `train.seeds`.

The first seed of the list stands for the network: its weights are those of the network's row, of chains and of rows
with a label. The fits with other seeds have rows of their own, called `NETWORK@SEED`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from cleansemg.core import registry
from cleansemg.core.artifact import MANIFEST
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout

if TYPE_CHECKING:
    from cleansemg.settings import Settings

FOR_SEED = re.compile(r"(?P<network>.+)@(?P<seed>\d+)")


def label_of(network: str, seed: int | None) -> str:
    """The name of one fit: the network's, with a seed of `train.seeds` behind it.

    >>> label_of("fcn", 2), label_of("fcn", None)
    ('fcn@2', 'fcn')
    """
    return network if seed is None else f"{network}@{seed}"


def split_label(label: str) -> tuple[str, int | None]:
    """The network and the seed of a row's label; None for a row that is not one of several seeds.

    >>> split_label("fcn@2"), split_label("line_interpolation+fcn")
    (('fcn', 2), ('line_interpolation+fcn', None))
    """
    match = FOR_SEED.fullmatch(label)
    return (match["network"], int(match["seed"])) if match else (label, None)


def seeds_of(settings: Settings) -> tuple[int | None, ...]:
    """The seeds of the fits of each network; (None,) for one fit with the run's seed."""
    return settings.train.seeds or (None,)


def finished_fits(settings: Settings, layout: Layout, network: str) -> dict[int | None, Path]:
    """The folders of a network's finished fits, by seed, the first seed first; {} where none was fitted in this run.

    Raises:
        UserError: some of `train.seeds` are fitted and others not, so that a table would compare unequal numbers.
    """
    # the manifest is written last, so an unfinished training does not count
    folders = {seed: layout.weights(network, seed) for seed in seeds_of(settings)}
    missing = [seed for seed, folder in folders.items() if not (folder / MANIFEST).exists()]
    if len(missing) == len(folders):
        return {}
    if missing:
        raise UserError(
            f"{folders[missing[0]]}: '{network}' is not fitted with seed {missing[0]} of train.seeds yet; "
            "run: cleansemg run --stages train"
        )
    return folders


def is_fitted_here(settings: Settings, network: str) -> bool:
    """Whether the configuration fits this network."""
    return any(registry.find("denoisers", name).name == network for name in settings.train.models)
