"""Results by SNR, by number and by kind of noise, by database and by person; means over people with their intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.rendering import Column, Table
from cleansemg.evaluation import metrics
from cleansemg.evaluation.metrics import MetricInfo
from cleansemg.evaluation.scores import Scores
from cleansemg.evaluation.stats import bootstrap
from cleansemg.evaluation.stats.intervals import person_interval, person_means

if TYPE_CHECKING:
    from cleansemg.settings import Settings

T = TypeVar("T")
HEADLINE = "SNRimp"
MOST_WITH_INTERVALS = 5  # largest number of columns of a Markdown table with intervals
MEANS_OF_PAPERS = "Means over mixtures. " + bootstrap.INTERVALS
INTERVALS = "Means over people of each person's mean. Brackets: {:.0%} t interval over people."


def means(
    scores: Scores, profile: str, infos: Sequence[MetricInfo], rows: NDArray[np.bool_], settings: Settings
) -> dict[str, float]:
    """KEY, the mean over people, KEY_low and KEY_high of some mixtures in the unit of the tables; NaN of none."""
    values = scores.of(profile, [info.key for info in infos])[rows]
    limits = person_interval(values, scores.subject[rows], settings.tables.confidence)
    return {
        f"{info.key}{end}": float(numbers[column]) / info.table_scale
        for column, info in enumerate(infos)
        for end, numbers in zip(("", "_low", "_high"), limits, strict=True)
    }


def mixture_means(
    scores: Scores, profile: str, infos: Sequence[MetricInfo], rows: NDArray[np.bool_], settings: Settings
) -> dict[str, float]:
    """As `means`, but of mixtures, whoever they are of, as papers average, with an interval by a bootstrap."""
    values = scores.of(profile, [info.key for info in infos])[rows]
    finite = np.isfinite(values)
    tables = settings.tables
    low, high = bootstrap.subject_bootstrap(
        values, scores.subject[rows], tables.bootstrap_resamples, tables.confidence, settings.seed
    )
    row: dict[str, float] = {}
    for column, info in enumerate(infos):
        mean = float(values[finite[:, column], column].mean()) if finite[:, column].any() else float("nan")
        row[info.key] = mean / info.table_scale
        row[f"{info.key}_low"] = float(low[column]) / info.table_scale
        row[f"{info.key}_high"] = float(high[column]) / info.table_scale
    return row


def limit_columns(key: str) -> list[Column]:
    """The CSV columns of an interval."""
    return [Column(f"{key}_low"), Column(f"{key}_high")]


def by_snr(every: Sequence[Scores], profile: str, settings: Settings, *, room: bool = False) -> list[Table]:
    """Every metric at every SNR in a long CSV, and SNR improvement as a matrix; with `room`, always with intervals."""
    groups = {f"{snr:g}": _of_label(every, "snr_db", partial(np.equal, snr)) for snr in values_of(every, "snr_db")}
    headings = {name: f"{name} dB" for name in groups}
    return _grouped("SNR of the mixture", "snr_db", groups, headings, every, profile, settings, room=room)


def by_count(every: Sequence[Scores], profile: str, settings: Settings) -> list[Table]:
    """As `by_snr`, by the number of kinds of noise."""
    groups = {str(k): _of_label(every, "n_kinds", partial(np.equal, k)) for k in values_of(every, "n_kinds")}
    headings = {name: f"k = {name}" for name in groups}
    return _grouped("Number of kinds of noise", "n_kinds", groups, headings, every, profile, settings)


def by_database(every: Sequence[Scores], profile: str, settings: Settings) -> list[Table]:
    """As `by_snr`, by the database of the recordings."""
    names = sorted({str(subject).partition("/")[0] for subject in values_of(every, "subject")})
    groups = {name: _of_label(every, "subject", partial(_is_of, name)) for name in names}
    return _grouped("Database", "database", groups, {name: name for name in names}, every, profile, settings)


def by_person(
    every: Sequence[Scores], profile: str, settings: Settings, keys: Sequence[str] = (HEADLINE,)
) -> list[Table]:
    """Every metric's mean for each person in a long CSV, and a matrix, people by denoisers, for each of `keys`."""
    infos = list(metrics.catalogue(profile, settings.evaluate.metrics).values())
    people = values_of(every, "subject")
    long_rows: list[dict[str, Any]] = []
    means_of: dict[tuple[str, str], dict[str, NDArray[np.float64]]] = {}
    for scores in every:
        names, counts = np.unique(scores.subject, return_counts=True)
        numbers = person_means(scores.of(profile, [info.key for info in infos]), scores.subject)  # [S, M]
        by_key = {info.key: numbers[:, column] / info.table_scale for column, info in enumerate(infos)}
        means_of[scores.label, scores.track] = {
            key: np.array(
                [dict(zip(names.tolist(), column.tolist(), strict=True)).get(name, np.nan) for name in people]
            )
            for key, column in by_key.items()
        }
        for position, (name, count) in enumerate(zip(names.tolist(), counts.tolist(), strict=True)):
            row = {key: float(column[position]) for key, column in by_key.items()}
            who = {"denoiser": scores.label, "track": scores.track, "person": name}
            long_rows.append({**who, **row, "n_mixtures": count})
    columns = [Column(key) for key in ("denoiser", "track", "person", *(info.key for info in infos), "n_mixtures")]
    note = "Each person's mean over the mixtures; Table 1 has the mean of these, and its interval is theirs."
    tables = [Table("By person: every metric is in the CSV", columns, long_rows)]
    shown = [info for info in infos if info.key in keys]
    for info in sorted(shown, key=lambda one: list(keys).index(one.key)):
        matrix = [
            {"person": name, **{" ".join(who): float(rows[info.key][at]) for who, rows in means_of.items()}}
            for at, name in enumerate(people)
        ]
        headings = [Column(" ".join(who), f"{who[0]}, {who[1]}", 2) for who in means_of]
        unit = f" ({info.unit})" if info.unit else ""
        tables.append(Table(f"By person: {info.key}{unit}", [Column("person", "person"), *headings], matrix, [note]))
    return tables


def values_of(every: Sequence[Scores], label: str) -> list[Any]:
    """The values of a label over all rows, ascending, as Python objects."""
    distinct: set[Any] = set()
    for values in _of_label(every, label, lambda array: np.unique(array).tolist()):
        distinct.update(values)
    return sorted(distinct)


def _of_label(every: Sequence[Scores], label: str, function: Callable[[NDArray[Any]], T]) -> list[T]:
    """`function` of a label's column of every row; rows that share a column share the result, too."""
    columns = [getattr(scores, label) for scores in every]
    results = {id(column): function(column) for column in {id(column): column for column in columns}.values()}
    return [results[id(column)] for column in columns]


def _is_of(database: str, subject: NDArray[np.str_]) -> NDArray[np.bool_]:
    return np.char.startswith(subject, f"{database}/")


def by_kind(
    every: Sequence[Scores],
    profile: str,
    settings: Settings,
    names: Mapping[str, str] | None,
    sources: Mapping[str, NDArray[np.str_]] | None = None,
) -> Table:
    """SNR improvement by kind of noise, from the mixtures that hold that kind alone.

    Args:
        every: scores on one set.
        profile: of the metrics.
        settings: of the run.
        names: other headings of kinds.
        sources: [n] for kinds whose noise is of several sources: the source in each mixture. Each has a column beside.
    """
    info = metrics.catalogue(profile)[HEADLINE]
    rows = []
    groups: dict[str, tuple[str, str, str]] = {}  # key of a column -> kind, source or "", heading
    for kind in every[0].kind_names:
        groups[kind] = (kind, "", (names or {}).get(kind, kind))
        for source in sorted(set((sources or {}).get(kind, np.array([""])).tolist()) - {""}):
            groups[f"{kind}:{source}"] = (kind, source, f"{groups[kind][2]}, {source}")
    for scores in every:
        row: dict[str, Any] = {"denoiser": scores.label, "track": scores.track}
        for key, (kind, source, _) in groups.items():
            alone = scores.kinds[:, scores.kind_names.index(kind)] & (scores.n_kinds == 1)
            if source and sources:
                alone &= sources[kind] == source
            numbers = means(scores, profile, [info], alone, settings)
            row |= {name.replace(HEADLINE, key): value for name, value in numbers.items()}
            row[f"n_{key}"] = int(alone.sum())
        rows.append(row)
    columns = [Column("denoiser", "denoiser"), Column("track", "track")]
    for key, (_, _, heading) in groups.items():
        columns += [Column(key, heading, 2, (f"{key}_low", f"{key}_high")), *limit_columns(key)]
        columns.append(Column(f"n_{key}"))
    which = "Mixtures of one kind, all SNRs."
    if settings.mix.wgn_floor_db is not None and not names:
        which += " White noise is never drawn alone below its floor, so its SNRs start there."
    notes = [which, INTERVALS.format(settings.tables.confidence)]
    return Table(f"{HEADLINE} (dB) by kind of noise", columns, rows, notes)


def joined(parts: Mapping[str, Sequence[Table]], names: Mapping[str, str]) -> list[Table]:
    """The same tables of several test sets as one list: a long table with a column `set`, then those for reading.

    Args:
        parts: by the name of the set, the long table and the others.
        names: how the titles call a set.
    """
    first = next(iter(parts.values()))[0]
    columns = {column.key: column for tables in parts.values() for column in tables[0].columns}
    rows = [{"set": name, **row} for name, tables in parts.items() for row in tables[0].rows]
    long = Table(first.title, [Column("set"), *columns.values()], rows, first.notes)
    shown = [
        replace(table, title=f"{table.title}. {names[name]}") for name, tables in parts.items() for table in tables[1:]
    ]
    return [long, *shown]


def _grouped(
    title: str,
    key: str,
    groups: Mapping[str, Sequence[NDArray[np.bool_]]],
    headings: Mapping[str, str],
    every: Sequence[Scores],
    profile: str,
    settings: Settings,
    *,
    room: bool = False,
) -> list[Table]:
    """The long table (for the CSV), and the matrix of SNR improvements, denoisers by groups."""
    infos = list(metrics.catalogue(profile, settings.evaluate.metrics).values())
    long_rows: list[dict[str, Any]] = []
    matrix: list[dict[str, Any]] = []
    for position, scores in enumerate(every):
        who = {"denoiser": scores.label, "track": scores.track}
        line: dict[str, Any] = dict(who)
        for name, masks in groups.items():
            mask = masks[position]
            numbers = means(scores, profile, infos, mask, settings)
            counted = {"n_mixtures": int(mask.sum()), "n_subjects": len(set(scores.subject[mask].tolist()))}
            long_rows.append({**who, key: name, **numbers, **counted})
            line |= {f"{name}{end}": numbers[f"{HEADLINE}{end}"] for end in ("", "_low", "_high")}
        matrix.append(line)
    columns = [Column("denoiser"), Column("track"), Column(key)]
    for info in infos:
        columns += [Column(info.key), *limit_columns(info.key)]
    columns += [Column("n_mixtures"), Column("n_subjects")]
    room = room or len(groups) <= MOST_WITH_INTERVALS
    shown = [Column("denoiser", "denoiser"), Column("track", "track")]
    shown += [
        Column(name, headings[name], 2, (f"{name}_low", f"{name}_high") if room else None) for name in groups
    ]  # fmt: skip
    interval = INTERVALS.format(settings.tables.confidence) if room else "Intervals are in the CSV."
    return [
        Table(f"{title}: every metric is in the CSV", columns, long_rows),
        Table(f"{title}: {HEADLINE} (dB)", shown, matrix, [interval]),
    ]


def snr_by_kinds(cells: Sequence[Scores], profile: str, settings: Settings) -> list[Table]:
    """One long table with the mean of every metric per cell and its interval, and one matrix of SNRimp per denoiser."""
    infos = list(metrics.catalogue(profile, settings.evaluate.metrics).values())
    snrs = values_of(cells, "snr_db")
    counts = values_of(cells, "n_kinds")
    long_rows: list[dict[str, Any]] = []
    matrices = []
    for scores in cells:
        matrix = []
        for snr in snrs:
            line: dict[str, Any] = {"snr_db": f"{snr:g}"}
            for k in counts:
                cell = (scores.snr_db == snr) & (scores.n_kinds == k)
                mean_values = means(scores, profile, infos, cell, settings)
                who = {"denoiser": scores.label, "track": scores.track, "snr_db": snr, "n_kinds": k}
                long_rows.append({**who, **mean_values, "n_mixtures": int(cell.sum())})
                line[f"k{k}"] = mean_values[HEADLINE]
            matrix.append(line)
        columns = [Column("snr_db", "SNR (dB)"), *(Column(f"k{k}", f"k = {k}", 2) for k in counts)]
        matrices.append(Table(f"{scores.label}, {scores.track}: {HEADLINE} (dB)", columns, matrix))
    long = [Column(key) for key in ("denoiser", "track", "snr_db", "n_kinds")]
    for info in infos:
        long += [Column(info.key), *limit_columns(info.key)]
    overview = Table("SNR by number of kinds", [*long, Column("n_mixtures")], long_rows)
    return [overview, *matrices]
