"""Tables in the layout of a paper, with its printed numbers beside ours (`tables.printed`).

Means are computed for each SNR and then over SNRs, as in those papers. A note under every table lists what the parts of
the run share, and the title says so, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from cleansemg.core import config
from cleansemg.core.errors import UserError
from cleansemg.core.registry import entries, find, load_class
from cleansemg.core.rendering import Column, Table
from cleansemg.evaluation import metrics
from cleansemg.evaluation.scores import Scores
from cleansemg.evaluation.settings import DenoiserRow
from cleansemg.evaluation.stats.bootstrap import INTERVALS, group_bootstrap, subject_bootstrap

if TYPE_CHECKING:
    from cleansemg.settings import Settings

BLANK = float("nan")


class PrintedColumn(BaseModel):
    """One column of a paper's table; values are divided by `scale` and printed with `decimals` digits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str
    heading: str
    scale: float = 1.0
    decimals: int = 2


class Printed(BaseModel):
    """A paper's tables: the content of the file that `tables.printed` names.

    Attributes:
        title: title of the first table.
        profile: profile of the metrics.
        columns: columns of the first table.
        ours: name in the paper -> denoiser here (its label in the tables).
        numbers: name in the paper -> metric -> number, in the unit of the metric.
        parameters: name in the paper -> weights of the network; empty where the paper has no such table.
        notes: printed under the first table.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    profile: str
    columns: tuple[PrintedColumn, ...]
    ours: dict[str, str] = {}
    numbers: dict[str, dict[str, float]] = {}
    parameters: dict[str, int] = {}
    notes: tuple[str, ...] = ()


def read_printed(settings: Settings) -> Printed:
    """Read the paper's layout.

    Raises:
        UserError: the file cannot be read, has another form, names a metric that its profile does not have, or its
            profile is not evaluated.
    """
    path = config.referenced(str(settings.tables.printed), settings)
    try:
        printed = Printed.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{settings.config_file}: tables.printed: {path} cannot be read ({error})") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if printed.profile not in settings.evaluate.profiles:
        raise UserError(f"{path}: needs the profile '{printed.profile}' among evaluate.profiles")
    known = metrics.catalogue(printed.profile, settings.evaluate.metrics)
    for column in printed.columns:
        if column.metric not in known:
            raise UserError(
                f"{path}: profile '{printed.profile}' has no metric '{column.metric}'; has {', '.join(known)}"
            )
    return printed


def mean_over_snrs(values: NDArray[np.float64], snr_db: NDArray[np.float64]) -> NDArray[np.float64]:
    """[M] means over SNRs of the means at each SNR, of values [n, M]; NaN is left out; a metric without values is NaN.

    >>> mean_over_snrs(np.array([[1.0], [3.0], [10.0]]), np.array([0.0, 0.0, -5.0])).tolist()
    [6.0]
    """
    by_snr = np.array([_mean(values[snr_db == snr]) for snr in np.unique(snr_db)])
    return _mean(by_snr)


def main_table(every: Sequence[Scores], printed: Printed, labels: Sequence[str], settings: Settings) -> Table:
    """Table I: one row per denoiser and track with intervals over subjects, and the paper's rows below."""
    keys = [column.metric for column in printed.columns]
    rows: list[dict[str, Any]] = []
    for scores in every:
        values = scores.of(printed.profile, keys)
        limits = group_bootstrap(values, scores.snr_db, scores.subject, *_how(settings))
        numbers = _in_units(printed, mean_over_snrs(values, scores.snr_db), limits)
        counts = {"n": len(scores.snr_db), "failed": int(scores.failed.sum())}
        rows.append({"method": scores.label, "source": f"this run, {scores.track}", **numbers, **counts})
    for name, numbers in printed.numbers.items():
        scaled = {c.metric: numbers[c.metric] / c.scale for c in printed.columns if c.metric in numbers}
        rows.append({"method": printed.ours.get(name, name), "source": f"{name}, paper", **scaled})
    order = list(dict.fromkeys(row["method"] for row in rows))
    rows.sort(key=lambda row: order.index(row["method"]))
    columns = [Column("method", "method"), Column("source", "source"), *_columns(printed)]
    columns += [Column("n", "n"), Column("failed", "failed")]
    interval = INTERVALS.format(settings.tables.confidence)
    return Table(_title(printed.title, labels), columns, rows, [*labels, f"{MEANS} {interval}", *printed.notes])


def by_snr(every: Sequence[Scores], printed: Printed, labels: Sequence[str], settings: Settings) -> Table:
    """The same means for each SNR."""
    keys = [column.metric for column in printed.columns]
    rows: list[dict[str, Any]] = []
    for scores in every:
        values = scores.of(printed.profile, keys)
        for snr in np.unique(scores.snr_db):
            at_snr = scores.snr_db == snr
            limits = subject_bootstrap(values[at_snr], scores.subject[at_snr], *_how(settings))
            who = {"method": scores.label, "track": scores.track, "snr_db": float(snr)}
            rows.append({**who, **_in_units(printed, _mean(values[at_snr]), limits), "n": int(at_snr.sum())})
    columns = [Column("method", "method"), Column("track", "track"), Column("snr_db", "SNR (dB)", 0)]
    columns += [*_columns(printed), Column("n", "n")]
    return Table(_title("By SNR", labels), columns, rows, [*labels, INTERVALS.format(settings.tables.confidence)])


def _how(settings: Settings) -> tuple[int, float, int]:
    """Resamples, confidence and seed of a bootstrap."""
    return settings.tables.bootstrap_resamples, settings.tables.confidence, settings.seed


def _in_units(
    printed: Printed, means: NDArray[np.float64], limits: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> dict[str, float]:
    """KEY, KEY_low and KEY_high in the paper's units."""
    parts = (("", means), ("_low", limits[0]), ("_high", limits[1]))
    return {
        f"{column.metric}{end}": float(values[i]) / column.scale
        for i, column in enumerate(printed.columns)
        for end, values in parts
    }


def _columns(printed: Printed) -> list[Column]:
    """The paper's columns, each with its interval."""
    columns: list[Column] = []
    for c in printed.columns:
        limits = (f"{c.metric}_low", f"{c.metric}_high")
        columns += [Column(c.metric, c.heading, c.decimals, limits), *map(Column, limits)]
    return columns


def parameters_table(settings: Settings, printed: Printed, labels: Sequence[str]) -> Table:
    """Table II: weights of our networks beside the printed counts."""
    named = [row if isinstance(row, DenoiserRow) else DenoiserRow(name=row) for row in settings.evaluate.denoisers]
    parameters = {row.label or row.name: row.parameters for row in named}
    rows: list[dict[str, Any]] = []
    for name, count in printed.parameters.items():
        label = printed.ours.get(name, name)
        entry = next((row.name for row in named if (row.label or row.name) == label), label)
        ours = n_weights(entry, settings.train.form, parameters.get(label, {}))
        rows.append({"method": name, "paper": count, "ours": ours, "denoiser": label if ours is not None else ""})
    columns = [Column("method", "method"), Column("paper", "weights, paper"), Column("ours", "weights, ours")]
    return Table(_title("Weights", labels), [*columns, Column("denoiser", "denoiser")], rows, labels)


def n_weights(name: str, form: str, parameters: Mapping[str, Any]) -> int | None:
    """Number of trainable parameters of a fresh network; None where no network has this name."""
    from cleansemg.denoising.loading import is_neural, load_network

    known = {*entries("denoisers"), *(alias for e in entries("denoisers").values() for alias in e.aliases)}
    if ":" not in name and name not in known:
        return None
    entry = find("denoisers", name)
    cls = load_class(entry.target)
    if not is_neural(cls):
        return None
    small = (entry.extra.get("small") or {}) if form == "small" else {}
    network = load_network(name, None, **{**small, **parameters, "device": "cpu"}).network
    return sum(int(p.numel()) for p in network.parameters() if p.requires_grad)


MEANS = (
    "Means over the mixtures of each SNR, then over SNRs. `identity` and `zero` are the floor, `wiener_oracle`, which "
    "sees the clean signal, the ceiling. Amplitudes are in units of the recording's peak."
)


def _title(title: str, labels: Sequence[str]) -> str:
    return f"{title} (protocol: published, leaking)" if labels else title


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """[M] means of the finite values in [n, M]; NaN where there are none."""
    finite = np.isfinite(values)
    count = finite.sum(axis=0)
    total = np.where(finite, values, 0.0).sum(axis=0)
    mean: NDArray[np.float64] = np.where(count > 0, total / np.maximum(count, 1), BLANK)
    return mean
