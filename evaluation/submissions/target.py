"""Which test set a command is about: a frozen one by its name, a folder of results, or a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cleansemg.core import config as configuration
from cleansemg.core.artifact import MANIFEST, Artifact
from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.core.layout import Layout
from cleansemg.evaluation import frozen
from cleansemg.evaluation.frozen import FrozenSets, SetDigest
from cleansemg.evaluation.test_set import SCHEMA

HEADLINE_SET = "grid"  # every SNR and number of kinds equally often


@dataclass(frozen=True)
class Target:
    """The test sets of a run.

    Attributes:
        results: the run's folder.
        sets: its test sets by name, each with its hashes.
        frozen: the frozen test set that these are, None where they are none.
    """

    results: Path
    sets: Mapping[str, SetDigest]
    frozen: FrozenSets | None

    @property
    def root(self) -> str:
        """One SHA-256 over the hashes of all sets, that of the frozen test set where they are one."""
        if self.frozen is not None:
            return self.frozen.root
        return frozen.root_of({name: digest.sha256 for name, digest in self.sets.items()})

    @property
    def name(self) -> str:
        """The frozen test set's name, or that of the folder."""
        return self.results.resolve().name if self.frozen is None else self.frozen.name

    def artifact(self, set_name: str) -> Artifact:
        """One test set; raises UserError where there is none of that name."""
        if set_name not in self.sets:
            raise UserError(
                f"--set {set_name}: {self.results} has no such set{did_you_mean(set_name, list(self.sets))}"
            )
        return Artifact.open(Layout(self.results).test_data(set_name), SCHEMA)

    def default_set(self) -> str:
        """The set of the headline where the run has it, else its first."""
        return HEADLINE_SET if HEADLINE_SET in self.sets else next(iter(self.sets))


def open_target(text: str) -> Target:
    """The test sets that a text names, hashed.

    Args:
        text: the name of a frozen test set (open-v1), a folder of results, or a configuration.

    Raises:
        UserError: none of these; no test set there; one that is called frozen and is not.
    """
    expected = None
    if (Path(text) / "test_data").is_dir():
        results = Path(text)
    elif frozen.NAME.fullmatch(text):
        expected = frozen.load(text)
        results = _output_of(Path(expected.configuration))
    elif Path(text).is_dir():
        raise UserError(f"{text}: holds no test set (no folder test_data); make it: {SCHEMA.command}")
    else:
        results = _output_of(Path(text))
    sets = {one.folder.name: frozen.digest_of_set(one) for one in artifacts(results)}
    if expected is not None:
        for name, digest in sets.items():
            difference = frozen.difference_of(expected, name, digest)
            if difference and name in expected.sets:
                raise UserError(f"{results}: its set '{name}' is not that of {expected.name}: {difference}")
        return Target(results, {name: digest for name, digest in sets.items() if name in expected.sets}, expected)
    return Target(results, sets, _frozen_as(sets))


def artifacts(results: Path) -> list[Artifact]:
    """The finished test sets of a run, by name; raises UserError where there is none."""
    folders = sorted(path.parent for path in (results / "test_data").glob(f"*/{MANIFEST}"))
    if not folders:
        raise UserError(f"{results}: holds no finished test set; make it: {SCHEMA.command}")
    return [Artifact.open(folder, SCHEMA) for folder in folders]


def _output_of(config: Path) -> Path:
    settings = configuration.load(config)
    return configuration.require_path(settings.paths.output, "paths.output", settings)


def _frozen_as(sets: Mapping[str, SetDigest]) -> FrozenSets | None:
    """The frozen test set that some sets are."""
    for name in frozen.names():
        known = frozen.load(name)
        if sets and all(known.sets.get(key) == digest for key, digest in sets.items()):
            return known
    return None
