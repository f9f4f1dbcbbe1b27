"""The tables stage: writes Table 1, its breakdowns, paired tests, and the published numbers beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from cleansemg.core.config import save
from cleansemg.core.layout import Layout
from cleansemg.core.npz import atomic_write, sha256
from cleansemg.core.registry import configs_folder
from cleansemg.core.rendering import Column, Table, to_csv, write
from cleansemg.core.stage import Report, RunOptions
from cleansemg.data_pipeline import subject_split
from cleansemg.data_pipeline.leak_labels import leak_labels
from cleansemg.evaluation import metrics, pictures, protocol_tables
from cleansemg.evaluation.metrics import ARROWS, MetricInfo
from cleansemg.evaluation.scores import Scores, read_scores
from cleansemg.evaluation.stats import breakdowns, comparison_tables
from cleansemg.evaluation.stats.breakdowns import MEANS_OF_PAPERS, limit_columns, means, mixture_means
from cleansemg.evaluation.stats.intervals import person_interval

if TYPE_CHECKING:
    from cleansemg.settings import Settings

HEADLINE = "SNRimp"
SUMS = "SHA256SUMS"
NOT_OURS = ("costs.", "quality_")  # files that the report and the quality steps write into the same folder


def run(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Write every table that the evaluated denoisers allow; a run without the grid has no SNR x k table.

    Raises:
        UserError: nothing was evaluated, or scores or settings are refused (see `read_scores`).
    """
    (layout.tables / SUMS).unlink(missing_ok=True)  # hashes of the tables that are replaced now
    make = _run if settings.tables.printed is None else _run_printed
    report = make(settings, layout)
    _write_sums(layout.tables)
    return report


def _write_sums(folder: Path) -> None:
    """Write the SHA-256 of every file of this stage, in the format of `sha256sum`."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(NOT_OURS))
    atomic_write(folder / SUMS, "".join(f"{sha256(folder / name)}  {name}\n" for name in names).encode())


def _run(settings: Settings, layout: Layout) -> Report:
    """Write the tables of the benchmark."""
    combined = read_scores(settings, layout, "combined")
    notes = _notes(settings, layout, combined)
    profile = settings.evaluate.profiles[0]
    labels = leak_labels(layout)
    main = table1(combined, settings, profile, notes)
    beside = (
        [_stamped(beside_published(combined, settings), labels)] if "published" in settings.evaluate.profiles else []
    )
    write([main, *beside], layout.tables, "table1")
    for table in beside:
        write([table], layout.tables, "table1_published")
    cells = read_scores(settings, layout, "grid") if _evaluated(layout, "grid") else []
    if cells:
        _write_long(snr_by_kinds(cells, profile, settings), labels, layout.tables, "snr_by_kinds")
    every = cells or combined
    write([_stamped(breakdowns.by_kind(every, profile, settings, None), labels)], layout.tables, "by_noise")
    for name, tables in (
        ("by_snr", breakdowns.by_snr(every, profile, settings)),
        ("by_count", breakdowns.by_count(every, profile, settings)),
        ("by_database", breakdowns.by_database(combined, profile, settings)),
        ("by_person", breakdowns.by_person(combined, profile, settings, comparison_tables.HEADLINES)),
    ):
        _write_long(tables, labels, layout.tables, name)
    _write_comparisons(combined, profile, settings, layout, labels)
    pictures.snr_curves(every, f"{profile}.{HEADLINE}", layout.tables / "snrimp_by_snr.png", settings)
    save(settings, layout.tables / "config.yaml")
    n_failed = sum(int(scores.failed.sum()) for scores in [*combined, *cells])
    lines = [f"{layout.tables / 'table1.md'}: {len(main.rows)} rows"]
    if n_failed:
        lines.append(
            f"{n_failed} denoised mixtures failed and are left out of the means; see failures.csv of their denoiser"
        )
    return Report("tables", tuple(lines), n_failed)


def _run_printed(settings: Settings, layout: Layout) -> Report:
    """Write tables in a paper's layout, from the first test set of the configuration."""
    printed = protocol_tables.read_printed(settings)
    every = read_scores(settings, layout, settings.mix.sets[0])
    labels = leak_labels(layout)
    main = protocol_tables.main_table(every, printed, labels, settings)
    notes = [*main.notes, *_remarks(settings, layout)]
    write([replace(main, notes=notes)], layout.tables, "table1")
    if printed.parameters:
        write([protocol_tables.parameters_table(settings, printed, labels)], layout.tables, "table2")
    write([protocol_tables.by_snr(every, printed, labels, settings)], layout.tables, "by_snr")
    alone = breakdowns.by_kind(every, printed.profile, settings, settings.tables.kind_names)
    write([_stamped(alone, labels)], layout.tables, "by_noise")
    by_database = breakdowns.by_database(every, printed.profile, settings)
    _write_long(by_database, labels, layout.tables, "by_database")
    _write_comparisons(every, printed.profile, settings, layout, labels)
    pictures.snr_curves(every, f"{printed.profile}.{HEADLINE}", layout.tables / "snrimp_by_snr.png", settings)
    save(settings, layout.tables / "config.yaml")
    n_failed = sum(int(scores.failed.sum()) for scores in every)
    return Report("tables", (f"{layout.tables / 'table1.md'}: {len(main.rows)} rows", *labels), n_failed)


def _write_comparisons(
    every: Sequence[Scores], profile: str, settings: Settings, layout: Layout, labels: Sequence[str]
) -> None:
    """Write paired tests, ranks, and the diagram of critical differences for each track that has ranks."""
    tests = comparison_tables.paired(every, profile, settings)
    _write_long(tests, labels, layout.tables, "paired")
    beyond = comparison_tables.beyond_gain(every, profile, settings)
    if beyond:
        _write_long(beyond, labels, layout.tables, "against_gain")
    keys = [key for key in comparison_tables.HEADLINES if f"{profile}.{key}" in every[0].values]
    ranks = {key: comparison_tables.ranks_of(every, profile, key) for key in keys}
    write([_stamped(comparison_tables.ranks_table(ranks), labels)], layout.tables, "ranks")
    for track, ranking in ranks[HEADLINE].items():
        if ranking is not None:
            pictures.critical_differences(ranking, track, layout.tables / f"critical_differences_{track}.png")


def table1(every: Sequence[Scores], settings: Settings, profile: str, notes: Sequence[str]) -> Table:
    """Table 1: one row per denoiser and track, with means over people of each person's mean, with their t intervals."""
    infos = list(metrics.catalogue(profile, settings.evaluate.metrics).values())
    tests, test_notes = comparison_tables.beside_best(every, profile, settings)
    rows = []
    for scores in every:
        values = scores.of(profile, [info.key for info in infos])
        mean, low, high = person_interval(values, scores.subject, settings.tables.confidence)
        row: dict[str, Any] = {"denoiser": scores.label, "track": scores.track}
        for column, info in enumerate(infos):
            row[info.key] = float(mean[column]) / info.table_scale
            row[f"{info.key}_low"] = float(low[column]) / info.table_scale
            row[f"{info.key}_high"] = float(high[column]) / info.table_scale
        row |= {"n_mixtures": len(values), "n_subjects": len(set(scores.subject)), "n_failed": int(scores.failed.sum())}
        rows.append(row | tests.get((scores.label, scores.track), {}))
    columns = [Column("denoiser", "denoiser"), Column("track", "track")]
    for info in infos:
        interval = (f"{info.key}_low", f"{info.key}_high")
        shown = interval if info.key == HEADLINE else None
        columns += [Column(info.key, _heading(info), info.decimals, shown), *(Column(key) for key in interval)]
    columns += [Column("n_mixtures", "n"), Column("n_subjects"), Column("n_failed", "failed")]
    columns += [Column("p_best", "p vs best", 4), Column("effect_best")]
    tested = [test_notes[0] + comparison_tables.ROUNDED, *test_notes[1:]] if test_notes else []
    return Table(f"Table 1: {settings.title}", columns, rows, [*notes, *tested])


def beside_published(every: Sequence[Scores], settings: Settings) -> Table:
    """Our rows by the published definitions of the metrics, beside the printed numbers."""
    content = yaml.safe_load((configs_folder() / "published.yaml").read_text())
    keys: list[str] = content["metrics"]
    catalogue = metrics.catalogue()
    rows: list[dict[str, Any]] = []
    for scores in every:
        mean_values = mixture_means(
            scores, "published", [catalogue[key] for key in keys], np.ones(len(scores.failed), bool), settings
        )
        rows.append({"denoiser": scores.label, "source": f"this run, {scores.track}", **mean_values})
    for version, printed in content["versions"].items():
        for name, numbers in printed.items():
            rows.append(
                {
                    "denoiser": content["ours"][name],
                    "source": f"{name}, {version}",
                    **dict(zip(keys, numbers, strict=True)),
                }
            )
    order = list(dict.fromkeys([*(scores.label for scores in every), *content["ours"].values()]))
    rows.sort(key=lambda row: order.index(row["denoiser"]))
    columns = [Column("denoiser", "denoiser"), Column("source", "source")]
    for key in keys:
        limits = (f"{key}_low", f"{key}_high")
        shown = limits if key == HEADLINE else None
        columns += [Column(key, _heading(catalogue[key]), catalogue[key].decimals, shown), *map(Column, limits)]
    note = (
        "Metrics as published, epsilons included (profile `published`). The printed numbers are of other recordings "
        "(Ninapro DB2), clipped test signals and, for the classical rows, denoisers that were told the kinds of noise: "
        "they stand beside ours for orientation and can't be compared digit by digit."
    )
    interval = MEANS_OF_PAPERS.format(settings.tables.confidence)
    return Table("Beside the published Table 1", columns, rows, [note, interval])


def snr_by_kinds(cells: Sequence[Scores], profile: str, settings: Settings) -> list[Table]:
    """One long table with the mean of every metric per cell and its interval, and one matrix of SNRimp per denoiser."""
    infos = list(metrics.catalogue(profile, settings.evaluate.metrics).values())
    snrs = breakdowns.values_of(cells, "snr_db")
    counts = breakdowns.values_of(cells, "n_kinds")
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


def _notes(settings: Settings, layout: Layout, every: Sequence[Scores]) -> list[str]:
    subjects, n = len(set(every[0].subject)), len(every[0].snr_db)
    tables = settings.tables
    means = (
        f"Means over {subjects} test people of each person's mean, from {n} mixtures; {tables.confidence:.0%} t "
        "intervals over people. `identity` and `zero` are the floor, `wiener_oracle`, which sees the clean signal, the "
        "ceiling."
    )
    return [means, *leak_labels(layout), *_remarks(settings, layout)]


def _stamped(table: Table, labels: Sequence[str]) -> Table:
    """The table with added notes about what the parts of the run share."""
    return replace(table, notes=[*table.notes, *labels])


def _write_long(tables: Sequence[Table], labels: Sequence[str], folder: Path, name: str) -> None:
    """Write the first, long table as CSV, and the others, which summarise it, as Markdown and LaTeX."""
    stamped = [_stamped(table, labels) for table in tables]
    write(stamped[1:], folder, name)
    atomic_write(folder / f"{name}.csv", to_csv(stamped[0]).encode())


def _remarks(settings: Settings, layout: Layout) -> list[str]:
    notes = [settings.tables.note] if settings.tables.note else []
    if layout.split.exists():
        notes += subject_split.load_split(layout.split).remarks
    return notes


def _heading(info: MetricInfo) -> str:
    scale = "" if info.table_scale == 1 else f"{info.table_scale:.0e} ".replace("e-0", "e-")
    unit = f" ({scale}{info.unit})" if info.unit else ""
    return f"{info.display_name}{unit} {ARROWS[info.better]}"


def _evaluated(layout: Layout, set_name: str) -> bool:
    return any((layout.root / "denoised").glob(f"*/*/{set_name}/manifest.json"))
