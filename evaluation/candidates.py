"""Resolves the denoisers that a configuration evaluates, with their tracks, weights and parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cleansemg import denoising
from cleansemg.core import npz
from cleansemg.core.code_identity import of_entry, of_modules
from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.core.layout import Layout
from cleansemg.core.registry import Entry, find, load_class
from cleansemg.denoising import loading
from cleansemg.denoising.chain import Link, common_tracks, title, title_of
from cleansemg.evaluation.seed_rows import rows_of_seeds, trained_weights
from cleansemg.evaluation.settings import DenoiserRow
from cleansemg.quality import models

if TYPE_CHECKING:
    from cleansemg.settings import Settings

Family = Literal["classical", "neural"]
AUTO = "auto"


@dataclass(frozen=True)
class Candidate:
    """One row of a table: a denoiser, ready to be built in any process.

    Attributes:
        label: name of the row and of its folder.
        track: "blind", "oracle" (kinds of noise are given), "auto" (the quality network predicts them) or "published"
            (given, and treated as in the published baselines).
        links: the denoiser, or those of a chain in order, each as `denoising.load` takes it, with the weights of a
            network ("pretrained", "open" or a file) and the parameters over those of its YAML.
        sets: names of the test sets to run it on; None: all.
        identity: what decides its output: class, parameters, hashes of weights.
        settings: what is asked for: the name, and `parameters`.
        code: what the name resolves to: hashes of source files, YAML and weights, for the stage's fingerprint.
    """

    label: str
    track: str
    links: tuple[Link, ...]
    sets: tuple[str, ...] | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)

    def build(self) -> denoising.Denoiser:
        """The denoiser; raises UserError as `denoising.load` does."""
        return denoising.load([vars(link) for link in self.links])


def family(entry: Entry) -> Family:
    """The family of a denoiser: "neural" if its YAML says how it is trained or its class has a network."""
    if "training" in entry.extra or hasattr(load_class(entry.target), "network"):
        return "neural"
    return "classical"


def family_of(entries: Sequence[Entry]) -> Family:
    """A chain is neural if one of its links is."""
    return "neural" if any(family(entry) == "neural" for entry in entries) else "classical"


def candidates(
    settings: Settings,
    layout: Layout,
    *,
    only_family: Family | None = None,
    names: Sequence[str | DenoiserRow] | None = None,
    weights: str | Path | None = None,
    parameters: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
) -> list[Candidate]:
    """The rows to evaluate.

    Args:
        settings: `evaluate.denoisers` is used where `names` is None.
        layout: networks use the weights trained in this run where they exist, else the pretrained ones.
        only_family: only classical or only neural ones; None: both.
        names: use these denoisers instead (names, aliases, package.module:Class), as the configuration has them.
        weights: weights of the one named network, in place of the row's; as for `denoising.load`.
        parameters: by denoiser and track; they replace those of the YAML, and the row's parameters replace them.

    Raises:
        UserError: a name is unknown, a denoiser does not have the track, weights do not exist, or two rows have the
            same label and track.
    """
    configured = [DenoiserRow(name=row) if isinstance(row, str) else row for row in settings.evaluate.denoisers]
    rows = configured if names is None else [row for name in names for row in _rows_of(name, configured)]
    selected: list[Candidate] = []
    for row in rows if weights else _with_seeds(rows, settings, layout):
        entries = [find("denoisers", link.name) for link in row.links]
        if only_family and family_of(entries) != only_family:
            continue
        links = _with_weights(row, entries, weights, settings, layout)
        for track in _tracks(entries, row, settings):
            merged = [
                Link(
                    link.name if ":" in link.name else entry.name,
                    link.weights,
                    {**_calibrated(parameters or {}, entry.name, track), **link.parameters},
                )
                for link, entry in zip(links, entries, strict=True)
            ]
            selected.append(replace(_candidate(row, track, entries, merged), sets=_sets(entries, row, track, settings)))
    keys = [(c.label, c.track) for c in selected]
    for key in keys:
        if keys.count(key) > 1:
            raise UserError(f"evaluate.denoisers: '{key[0]}' ({key[1]}) twice; give each row its own label")
    return selected


def _with_seeds(rows: Sequence[DenoiserRow], settings: Settings, layout: Layout) -> list[DenoiserRow]:
    """The rows, and those of further training seeds; a chain has the networks of the first seed alone."""
    return [one for row in rows for one in _seeds_of(row, settings, layout)]


def _seeds_of(row: DenoiserRow, settings: Settings, layout: Layout) -> Sequence[DenoiserRow]:
    links = row.links
    return [row] if len(links) > 1 else rows_of_seeds(row, find("denoisers", links[0].name), settings, layout)


def _candidate(row: DenoiserRow, track: str, entries: Sequence[Entry], links: Sequence[Link]) -> Candidate:
    """One row on one track, with what decides its output."""
    identities: list[dict[str, Any]] = []
    asked: list[dict[str, Any]] = []
    code = of_modules(loading.__name__)
    for number, (entry, link) in enumerate(zip(entries, links, strict=True), 1):
        identity: dict[str, Any] = {"class": entry.target, "parameters": {**entry.parameters, **link.parameters}}
        code |= of_entry(entry)
        if link.weights is not None:
            key = "weights" if len(links) == 1 else f"weights of link {number}"
            code[key] = identity["weights"] = npz.sha256(loading.weights_file(entry, link.weights))
            if loading.has_small_weights(entry, link.weights, link.parameters):
                identity["form"] = loading.SMALL
        identities.append(identity)
        asked.append({"name": link.name, "parameters": dict(link.parameters)})
    whole: dict[str, Any] = identities[0] if len(links) == 1 else {"chain": identities}
    if track == AUTO or any(load_class(entry.target).uses_quality_network for entry in entries):
        code |= of_modules("cleansemg.quality")
        code["quality weights"] = whole["labels"] = npz.sha256(models.pretrained_weights())
    wanted = asked[0] if len(links) == 1 else {"chain": asked}
    return Candidate(row.title, track, tuple(links), row.sets, whole, wanted, code)


def _calibrated(parameters: Mapping[tuple[str, str], Mapping[str, Any]], name: str, track: str) -> Mapping[str, Any]:
    """What a calibration, or a file of parameters, has for a denoiser on a track.

    Oracle and auto have the rules of the blind track, so its winners; a file may name others for oracle.
    """
    for one in {AUTO: ("oracle", "blind"), "oracle": ("oracle", "blind")}.get(track, (track,)):
        if (name, one) in parameters:
            return parameters[name, one]
    return {}


def _rows_of(name: str | DenoiserRow, configured: Sequence[DenoiserRow]) -> list[DenoiserRow]:
    """The configuration's rows of one denoiser or chain; a row with only the name where there are none."""
    if isinstance(name, DenoiserRow):
        return [name]
    canonical = title(name)
    return [row for row in configured if title_of(row.links) == canonical] or [DenoiserRow(name=name)]


def _tracks(entries: Sequence[Entry], row: DenoiserRow, settings: Settings) -> tuple[str, ...]:
    """The track that the row names; else those of `evaluate.tracks` that the denoiser has; else all but auto.

    Raises:
        UserError: the denoiser does not have the track that the row names, or the links of a chain have none in common.
    """
    tracks = common_tracks([load_class(entry.target).tracks for entry in entries])
    if not tracks:
        raise UserError(f"evaluate.denoisers: the links of '{row.name}' have no track in common")
    without_auto = tracks
    if {"blind", "oracle"} <= set(tracks):  # one that needs more than the kinds has no blind track
        tracks = (*tracks, AUTO)
    if row.track is None:
        wanted = settings.evaluate.tracks
        return without_auto if wanted is None else tuple(track for track in tracks if track in wanted)
    if row.track not in tracks:
        raise UserError(f"evaluate.denoisers: '{row.name}' has no {row.track} track{did_you_mean(row.track, tracks)}")
    return (row.track,)


def _sets(entries: Sequence[Entry], row: DenoiserRow, track: str, settings: Settings) -> tuple[str, ...] | None:
    """The test sets of a row: its own, else all; on other tracks than blind without those that are for blind ones."""
    blind_only = settings.evaluate.blind_only
    has_blind = "blind" in common_tracks([load_class(entry.target).tracks for entry in entries])
    if row.sets is not None or track == "blind" or not has_blind or not blind_only:
        return row.sets
    return tuple(name for name in settings.mix.sets if name not in blind_only)


def _with_weights(
    row: DenoiserRow, entries: Sequence[Entry], weights: str | Path | None, settings: Settings, layout: Layout
) -> list[Link]:
    """The links of a row with what `load` takes as weights: their own, the row's, this run's, or the pretrained ones.

    Raises:
        UserError: weights for a classical method; one file for several networks; no such file.
    """
    asked = weights or row.weights
    neural = [family(entry) == "neural" for entry in entries]
    if asked and sum(neural) > 1 and asked not in (loading.PRETRAINED, loading.OPEN):
        raise UserError(f"evaluate.denoisers: one file of weights for the networks of '{row.name}'; give each its own")
    alone = len(entries) == 1
    return [
        Link(
            link.name,
            _weights(entry, link.weights or (asked if is_neural or alone else None), settings, layout),
            link.parameters,
        )
        for link, entry, is_neural in zip(row.links, entries, neural, strict=True)
    ]


def _weights(entry: Entry, weights: str | Path | None, settings: Settings, layout: Layout) -> str | Path | None:
    """The weights for `load`: the requested ones, else those trained in this run, else the pretrained ones.

    Raises:
        UserError: weights are given to a classical method, or the file does not exist.
    """
    if family(entry) == "classical":
        if weights:
            raise UserError(f"denoiser '{entry.name}' has no network, so no weights; got weights={str(weights)!r}")
        return None
    if not weights:
        return trained_weights(entry, settings, layout) or loading.PRETRAINED
    if not loading.weights_file(entry, weights).exists():
        raise UserError(
            f"{weights}: no weights of '{entry.name}' there; name a file, '{loading.PRETRAINED}' or '{loading.OPEN}'"
        )
    return weights
