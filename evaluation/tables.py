"""The tables stage: writes Table 1, its breakdowns, paired tests, and the published numbers beside ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cleansemg.core.config import save
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.npz import atomic_write, sha256
from cleansemg.core.rendering import Table, to_csv
from cleansemg.core.stage import Report, RunOptions
from cleansemg.data_pipeline import subject_split
from cleansemg.data_pipeline.leak_labels import leak_labels
from cleansemg.evaluation import fit_tables, noise_records, pictures, protocol_tables, seed_table
from cleansemg.evaluation.published_numbers import beside_published
from cleansemg.evaluation.row_names import write
from cleansemg.evaluation.scores import IN_MEMORY, Scores, read_scores
from cleansemg.evaluation.scoring import SCHEMA as EVALUATED
from cleansemg.evaluation.stats import breakdowns, comparison_tables
from cleansemg.evaluation.stats.breakdowns import joined, snr_by_kinds
from cleansemg.evaluation.stats.intervals import two_way_interval
from cleansemg.evaluation.table1 import OtherSets, TwoWay, table1
from cleansemg.evaluation.test_set import BASELINE, OUT_OF_DOMAIN

if TYPE_CHECKING:
    from cleansemg.settings import Settings

HEADLINE = "SNRimp"
# The sets that tables are made of, and how they call them; the first that was evaluated is that of the headline.
SETS = {
    "grid": "Balanced grid",
    "combined": "Drawn set",
    "clean": "Without noise",
    OUT_OF_DOMAIN: "Other people",
    BASELINE: "Baseline noise",
}
BREAKDOWNS: dict[str, Callable[[Sequence[Scores], str, Settings], list[Table]]] = {
    "by_snr": breakdowns.by_snr,
    "by_count": breakdowns.by_count,
    "by_database": breakdowns.by_database,
    "by_person": partial(breakdowns.by_person, keys=comparison_tables.HEADLINES),
}
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
    fit_tables.run(settings, layout, settings.evaluate.profiles[0])
    _write_sums(layout.tables)
    return report


def _write_sums(folder: Path) -> None:
    """Write the SHA-256 of every file of this stage, in the format of `sha256sum`."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(NOT_OURS))
    atomic_write(folder / SUMS, "".join(f"{sha256(folder / name)}  {name}\n" for name in names).encode())


def _run(settings: Settings, layout: Layout) -> Report:
    """Write the tables of the benchmark.

    The headline is of the balanced grid, where every SNR and number of kinds occurs equally often; rows that only the
    drawn set has (other tracks, slow methods) stand in a table of that set.
    """
    sets = {name: read_scores(settings, layout, name) for name in SETS if _evaluated(layout, name)}
    if not sets:
        raise UserError(f"{layout.root / 'denoised'}: nothing evaluated yet; run: {EVALUATED.command}")
    profile = settings.evaluate.profiles[0]
    labels = leak_labels(layout)
    name, main = next(iter(sets.items()))
    people = sets.get(OUT_OF_DOMAIN, [])
    others = OtherSets(sets.get("clean", []), people)
    notes = _notes(settings, layout, name, main)
    table = table1(main, settings, profile, notes, others, _two_way(layout, name, main, profile, settings))
    drawn = sets.get("combined", main)
    beside = [_stamped(beside_published(drawn, settings), labels)] if "published" in settings.evaluate.profiles else []
    write([table, *beside], layout.tables, "table1")
    for published in beside:
        write([published], layout.tables, "table1_published")
    if drawn is not main:
        notes = _notes(settings, layout, "combined", drawn)
        write([table1(drawn, settings, profile, notes, others, title="Drawn set")], layout.tables, "table1_drawn")
    if name == "grid":
        _write_long(snr_by_kinds(main, profile, settings), labels, layout.tables, "snr_by_kinds")
    shown = {name: main, **{other: sets[other] for other in (OUT_OF_DOMAIN, BASELINE) if other in sets}}
    by_noise = {other: _by_kind(layout, other, every, profile, settings) for other, every in shown.items()}
    _write_long(joined(by_noise, SETS), labels, layout.tables, "by_noise")
    for file, make in BREAKDOWNS.items():
        parts = {other: make(every, profile, settings) for other, every in shown.items() if other != BASELINE}
        _write_long(joined(parts, SETS), labels, layout.tables, file)
    _write_comparisons(main, profile, settings, layout, labels)
    if drawn is not main:
        _write_comparisons(drawn, profile, settings, layout, labels, "_drawn")
    if people:
        _write_comparisons(people, profile, settings, layout, labels, f"_{OUT_OF_DOMAIN}")
    pictures.snr_curves(main, f"{profile}.{HEADLINE}", layout.tables / "snrimp_by_snr.png", settings)
    save(settings, layout.tables / "config.yaml")
    n_failed = sum(int(scores.failed.sum()) for every in sets.values() for scores in every)
    lines = [f"{layout.tables / 'table1.md'}: {len(table.rows)} rows"]
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
    every: Sequence[Scores], profile: str, settings: Settings, layout: Layout, labels: Sequence[str], suffix: str = ""
) -> None:
    """Write paired tests, ranks, and the diagram of critical differences for each track that has ranks."""
    tests = comparison_tables.paired(every, profile, settings)
    _write_long(tests, labels, layout.tables, f"paired{suffix}")
    beyond = comparison_tables.beyond_gain(every, profile, settings)
    if beyond:
        _write_long(beyond, labels, layout.tables, f"against_gain{suffix}")
    keys = [key for key in comparison_tables.HEADLINES if f"{profile}.{key}" in every[0].values]
    ranks = {key: comparison_tables.ranks_of(every, profile, key) for key in keys}
    write([_stamped(comparison_tables.ranks_table(ranks), labels)], layout.tables, f"ranks{suffix}")
    for track, ranking in ranks[HEADLINE].items():
        if ranking is not None:
            pictures.critical_differences(ranking, track, layout.tables / f"critical_differences_{track}{suffix}.png")


def _two_way(layout: Layout, set_name: str, every: Sequence[Scores], profile: str, settings: Settings) -> TwoWay:
    """Intervals over people and noise records of the headlines; none of a set so large that records fill the memory."""
    keys = [key for key in comparison_tables.HEADLINES if f"{profile}.{key}" in every[0].values]
    if len(every[0].failed) > IN_MEMORY or not noise_records.are_here(layout, set_name):
        return {}
    records = noise_records.records_of(layout, set_name)
    limits: dict[tuple[str, str], dict[str, tuple[float, float]]] = {}
    for scores in every:
        _, low, high = two_way_interval(
            scores.of(profile, keys), scores.subject, records, settings.tables.confidence,
            settings.tables.bootstrap_resamples, settings.seed,
        )  # fmt: skip
        limits[scores.label, scores.track] = {
            key: (float(low[column]), float(high[column])) for column, key in enumerate(keys)
        }
    return limits


def _by_kind(layout: Layout, set_name: str, every: Sequence[Scores], profile: str, settings: Settings) -> list[Table]:
    """The table by kind, and by the sources of a kind that has several: other motion is not the same as more of it."""
    if len(every[0].failed) > IN_MEMORY or not noise_records.are_here(layout, set_name):
        table = breakdowns.by_kind(every, profile, settings, None)
        return [table, table]
    sources = {kind: noise_records.sources_of(layout, set_name, kind) for kind in every[0].kind_names}
    several = {kind: names for kind, names in sources.items() if len(set(names.tolist()) - {""}) > 1}
    table = breakdowns.by_kind(every, profile, settings, None, several)
    return [table, table]


def _notes(settings: Settings, layout: Layout, set_name: str, every: Sequence[Scores]) -> list[str]:
    subjects, n = len(set(every[0].subject)), len(every[0].snr_db)
    tables = settings.tables
    means = (
        f"{SETS[set_name]}: means over {subjects} test people of each person's mean, from {n} mixtures; "
        f"{tables.confidence:.0%} t intervals over people. Floors: `identity`, `zero`, and `gain` and `gain_oracle`, "
        "which turn the signal down by its SNR and remove no noise. Ceilings, which see the clean signal: "
        "`psm_oracle`, the best real gains, `wiener_oracle`, the ideal ratio mask, `psd_oracle`, expected spectra."
    )
    return [means, *seed_table.note(every, settings), *leak_labels(layout), *_remarks(settings, layout)]


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


def _evaluated(layout: Layout, set_name: str) -> bool:
    return any((layout.root / "denoised").glob(f"*/*/{set_name}/manifest.json"))
