"""The table of training seeds: the mean over seeds and people of each network, and each seed's mean beside it.

In all other tables, the fit with the first seed of `train.seeds` stands for the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cleansemg.core.registry import find
from cleansemg.core.rendering import Column, Table
from cleansemg.evaluation import metrics
from cleansemg.evaluation.scores import Scores
from cleansemg.evaluation.stats.crossed import crossed_interval
from cleansemg.evaluation.stats.intervals import person_means
from cleansemg.training.seeds import seeds_of, split_label

if TYPE_CHECKING:
    from cleansemg.settings import Settings

SHOWN = ("SI_SDRimp", "SNRimp", "EMG_gain", "PRD")


def note(every: Sequence[Scores], settings: Settings) -> list[str]:
    """What a table says about the fits that are not in it; nothing where each network has one."""
    seeds = seeds_of(settings)
    labels = {scores.label for scores in every}
    names = [name for name in (find("denoisers", model).name for model in settings.train.models) if name in labels]
    if len(seeds) < 2 or not names:
        return []
    text = (
        f"{', '.join(f'`{name}`' for name in names)}: the fit with training seed {seeds[0]} stands for the network; "
        f"each seed ({', '.join(map(str, seeds))}) and the mean over them are in seeds.md."
    )
    return [text]


def seeds_table(sets: Mapping[str, Sequence[Scores]], profile: str, settings: Settings) -> Table | None:
    """Mean over seeds and people of each network with several fits, its interval, and each seed's mean.

    Args:
        sets: by test set, the scores of all rows, those of other seeds among them.
        profile: of the metrics.
        settings: `train.seeds`, and `tables.confidence`.

    Returns:
        The table; None where no network has several seeds.
    """
    catalogue = metrics.catalogue(profile, settings.evaluate.metrics)
    infos = [info for key, info in catalogue.items() if key in SHOWN]
    keys = [info.key for info in infos]
    groups = {(name, *who): fits for name, every in sets.items() for who, fits in _by_network(every, settings).items()}
    if not groups or not infos:
        return None
    rows: list[dict[str, Any]] = []
    for (name, label, track), fits in groups.items():
        means = np.stack([person_means(s.of(profile, keys), s.subject) for s in fits.values()])  # [S, P, M]
        mean, low, high = crossed_interval(means, settings.tables.confidence)
        row: dict[str, Any] = {"denoiser": label, "track": track, "set": name}
        row |= {"n_seeds": len(means), "n_subjects": means.shape[1]}
        for column, info in enumerate(infos):
            scale = info.table_scale
            row |= {
                info.key: float(mean[column]) / scale,
                f"{info.key}_low": float(low[column]) / scale,
                f"{info.key}_high": float(high[column]) / scale,
            }
            for seed, one in zip(fits, means, strict=True):
                finite = one[np.isfinite(one[:, column]), column]
                row[f"{info.key}_seed_{seed}"] = float(finite.mean()) / scale if len(finite) else float("nan")
        rows.append(row)
    text = (
        f"Mean over seeds and people, everybody and every seed alike, with a {settings.tables.confidence:.0%} interval "
        "over people and training seeds, which are crossed: each seed's network denoises the same mixtures of the same "
        "people. Student's t on a two-way layout without repetition, degrees of freedom by Satterthwaite "
        "(docs/training.md)."
    )
    return Table(f"Training seeds: {settings.title}", _columns(infos, seeds_of(settings)), rows, [text])


def _columns(infos: Sequence[metrics.MetricInfo], seeds: Sequence[int | None]) -> list[Column]:
    columns = [Column("denoiser", "denoiser"), Column("track", "track"), Column("set", "set")]
    for number, info in enumerate(infos):
        name = f"{info.display_name}{f' ({info.unit})' if info.unit else ''} {metrics.ARROWS[info.better]}"
        limits = (f"{info.key}_low", f"{info.key}_high")
        columns += [Column(info.key, name, info.decimals, limits), *(Column(limit) for limit in limits)]
        for seed in seeds:
            heading = f"{info.display_name}, seed {seed}" if number < 2 else None  # the others are in the CSV alone
            columns.append(Column(f"{info.key}_seed_{seed}", heading, info.decimals))
    return [*columns, Column("n_seeds", "seeds"), Column("n_subjects", "people")]


def _by_network(every: Sequence[Scores], settings: Settings) -> dict[tuple[str, str], dict[int | None, Scores]]:
    """The fits of each network and track by seed, in the order of `train.seeds`; networks with one fit are left out."""
    seeds = seeds_of(settings)
    groups: dict[tuple[str, str], dict[int | None, Scores]] = {}
    for scores in every:
        network, seed = split_label(scores.label)
        groups.setdefault((network, scores.track), {})[seeds[0] if seed is None else seed] = scores
    ordered = {who: {s: fits[s] for s in seeds if s in fits} for who, fits in groups.items()}
    return {who: fits for who, fits in ordered.items() if len(fits) > 1}
