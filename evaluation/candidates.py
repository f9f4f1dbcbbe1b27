"""Resolves the denoisers that a configuration evaluates, with their tracks, weights and parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cleansemg import denoising
from cleansemg.core import npz
from cleansemg.core.code_identity import of_entry, of_modules
from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.core.layout import Layout
from cleansemg.core.registry import Entry, find, load_class
from cleansemg.denoising import loading
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
        name: the name for `denoising.load`.
        track: "blind", "oracle", or "auto": the oracle track with the kinds of noise that the quality network predicts.
        weights: for a network "pretrained", "open" or a file; None for a classical method.
        parameters: replace those of the denoiser's YAML.
        sets: names of the test sets to run it on; None: all.
        identity: what decides its output: class, parameters, hashes of weights.
        settings: the configured name and `parameters`.
        code: hashes of the source files, YAML and weights that the name resolves to, for the stage's fingerprint.
    """

    label: str
    name: str
    track: str
    weights: str | Path | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    sets: tuple[str, ...] | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)

    def build(self) -> denoising.Denoiser:
        """Build the denoiser.

        Raises:
            UserError: as for `denoising.load`.
        """
        if self.weights is not None:
            return denoising.load(self.name, weights=self.weights, **self.parameters)
        return denoising.load(self.name, **self.parameters)


def family(entry: Entry) -> Family:
    """The family of a denoiser: "neural" if its YAML says how it is trained or its class has a network."""
    if "training" in entry.extra or hasattr(load_class(entry.target), "network"):
        return "neural"
    return "classical"


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
        entry = find("denoisers", row.name)
        if only_family and family(entry) != only_family:
            continue
        source = _weights(entry, weights or row.weights, settings, layout)
        for track in _tracks(entry, row, settings):
            calibrated_as = "oracle" if track == AUTO else track  # parameters for given kinds, whoever names them
            merged = {**(parameters or {}).get((entry.name, calibrated_as), {}), **row.parameters}
            identity: dict[str, Any] = {"class": entry.target, "parameters": {**entry.parameters, **merged}}
            code = {**of_modules(loading.__name__), **of_entry(entry)}
            if source is not None:
                code["weights"] = identity["weights"] = npz.sha256(loading.weights_file(entry, source))
            if track == AUTO or load_class(entry.target).uses_quality_network:
                code |= of_modules("cleansemg.quality")
                code["quality weights"] = identity["labels"] = npz.sha256(models.pretrained_weights())
            name = row.name if ":" in row.name else entry.name
            asked = {"name": name, "parameters": merged}
            label = row.label or entry.name
            selected.append(Candidate(label, name, track, source, merged, row.sets, identity, asked, code))
    keys = [(c.label, c.track) for c in selected]
    for key in keys:
        if keys.count(key) > 1:
            raise UserError(f"evaluate.denoisers: '{key[0]}' ({key[1]}) twice; give each row its own label")
    return selected


def _with_seeds(rows: Sequence[DenoiserRow], settings: Settings, layout: Layout) -> list[DenoiserRow]:
    """The rows, and those of further training seeds."""
    return [one for row in rows for one in rows_of_seeds(row, find("denoisers", row.name), settings, layout)]


def _rows_of(name: str | DenoiserRow, configured: Sequence[DenoiserRow]) -> list[DenoiserRow]:
    """The configuration's rows of one denoiser; a row with only the name where there are none."""
    if isinstance(name, DenoiserRow):
        return [name]
    canonical = find("denoisers", name).name
    return [row for row in configured if find("denoisers", row.name).name == canonical] or [DenoiserRow(name=name)]


def _tracks(entry: Entry, row: DenoiserRow, settings: Settings) -> tuple[str, ...]:
    """The track that the row names; else those of `evaluate.tracks` that the denoiser has; else all but auto.

    Raises:
        UserError: the denoiser does not have the row's track.
    """
    tracks: tuple[str, ...] = load_class(entry.target).tracks
    without_auto = tracks
    if {"blind", "oracle"} <= set(tracks):  # one that needs more than the kinds has no blind track
        tracks = (*tracks, AUTO)
    if row.track is None:
        wanted = settings.evaluate.tracks
        return without_auto if wanted is None else tuple(track for track in tracks if track in wanted)
    if row.track not in tracks:
        raise UserError(f"evaluate.denoisers: '{row.name}' has no {row.track} track{did_you_mean(row.track, tracks)}")
    return (row.track,)


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
