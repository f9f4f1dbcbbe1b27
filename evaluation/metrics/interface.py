"""The interface of metrics, and their catalogue: a metric is a class with `score` and a YAML with its format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cleansemg.core import registry
from cleansemg.core.code_identity import Code, of_entry, of_modules
from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.core.fingerprint import digest_of
from cleansemg.evaluation.metrics.batch import Batch

Profile = Literal["published", "standard", "ecg_paper", "trustemg"]
PROFILES: tuple[Profile, ...] = ("published", "standard")  # of every test set
PROTOCOL_PROFILES: tuple[Profile, ...] = ("ecg_paper", "trustemg")  # of the protocols that whole recordings are cut for


Better = Literal["higher", "lower", "one"]  # one: the nearer to 1 the better, as of a gain
ARROWS: dict[Better, str] = {"higher": "↑", "lower": "↓", "one": "→ 1"}
PRINTED_FIELDS = ("display_name", "unit", "better", "table_scale", "decimals", "table_position", "profiles")


@runtime_checkable
class Metric(Protocol):
    """Scores denoised segments against clean ones; a metric has no state and draws no random numbers."""

    def score(self, batch: Batch, profile: Profile) -> NDArray[np.float64]:
        """[n] one value per segment, in the unit that the metric's YAML names."""
        ...


@dataclass(frozen=True)
class MetricInfo:
    """Name and format of a metric. A table prints `value / table_scale` with `decimals` digits."""

    key: str  # the name in results, e.g. RMSE_MNF
    entry: registry.Entry
    display_name: str
    unit: str  # of the value that `score` returns
    better: Better
    table_scale: float
    decimals: int
    table_position: int
    profiles: tuple[Profile, ...] = PROFILES  # that have this metric

    def goodness(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values in which more is better, for ranks: the same, with the other sign, or minus the distance from 1."""
        if self.better == "one":
            return -np.abs(values - 1.0)
        return values if self.better == "higher" else -values

    def build(self) -> Metric:
        """An instance of the metric's class."""
        metric: Metric = self.entry.build()
        return metric


_stored: dict[str, MetricInfo] = {}  # by class, of results that are only read


def catalogue(profile: str = "standard", custom: Sequence[str] = ()) -> dict[str, MetricInfo]:
    """Every metric of a profile, by key, in the order of the tables.

    Args:
        profile: name of the profile.
        custom: the user's metrics, `package.module:Class`; those without profiles are in `standard` and `published`.

    Raises:
        UserError: a user's metric has the key of another one.
    """
    infos = [_describe(entry) for entry in registry.entries("metrics").values()]
    for name in custom:
        info = _stored.get(name) or _describe(registry.find("metrics", name))
        if info.key in {known.key for known in infos}:
            raise UserError(f"evaluate.metrics: '{name}' has the key '{info.key}' of another metric; give it its own")
        infos.append(info)
    infos = [info for info in infos if profile in info.profiles]
    return {info.key: info for info in sorted(infos, key=lambda info: (info.table_position, info.key))}


def described(profiles: Iterable[str], custom: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Class, unit and format of each metric, by key, which results store to be readable without this code."""
    infos = {key: info for profile in profiles for key, info in catalogue(profile, custom).items()}
    return {
        key: {"class": info.entry.target, **{field: getattr(info, field) for field in PRINTED_FIELDS}}
        for key, info in infos.items()
    }


def code(profiles: Iterable[str], custom: Sequence[str] = ()) -> Code:
    """Hashes of the definitions behind the columns of some profiles: source files, YAML, class of each column."""
    files = of_modules("cleansemg.evaluation.metrics")
    for profile in profiles:
        for info in catalogue(profile, custom).values():
            files |= of_entry(info.entry)
            files[f"{profile}.{info.key}"] = digest_of(info.entry.target)
    return files


def use_stored(descriptions: Mapping[str, Mapping[str, Any]]) -> None:
    """Register a user's metrics from stored results (see `described`), so that reading results imports no class."""
    for key, about in descriptions.items():
        if set(PRINTED_FIELDS) <= set(about):
            fields = {field: about[field] for field in PRINTED_FIELDS}
            fields["profiles"] = tuple(fields["profiles"])
            target = str(about["class"])
            _stored[target] = MetricInfo(key=key, entry=registry.Entry("metrics", key, target), **fields)


def select(names: Iterable[str] | None = None, profile: str = "standard") -> list[MetricInfo]:
    """The metrics `names` (keys, registry names or `package.module:Class`); None: all of the profile.

    Raises:
        UserError: a name is unknown or repeated, or `names` is empty or a text.
    """
    if names is None:
        return list(catalogue(profile).values())
    if isinstance(names, str):
        raise UserError(f"metrics: expected a list of names, got the text '{names}'; write ['{names}']")
    infos = [_describe(registry.find("metrics", name)) for name in names]
    keys = [info.key for info in infos]
    if not keys or len(set(keys)) < len(keys):
        raise UserError(f"metrics: expected one or more different names, got {keys}")
    return infos


def check_profile(profile: str) -> Profile:
    """Check the name of a profile and return it.

    Raises:
        UserError: there is no such profile.
    """
    for known in get_args(Profile):
        if profile == known:
            return known  # type: ignore[no-any-return]
    raise UserError(f"no metric profile is called '{profile}'{did_you_mean(profile, get_args(Profile))}")


def _describe(entry: registry.Entry) -> MetricInfo:
    """Read the format of a metric from its YAML or, for a class without one, from the attributes of the class.

    Raises:
        UserError: a required key or attribute is missing, or has an invalid value.
    """
    has_yaml = bool(entry.extra)
    cls = None if has_yaml else registry.load_class(entry.target)

    def value(field: str, default: Any = None) -> Any:
        setting = entry.extra.get(field, default) if has_yaml else getattr(cls, field, default)
        if setting is None:
            where = f"configs/metrics/{entry.name}.yaml: no key" if has_yaml else f"{entry.target}: no attribute"
            raise UserError(f"{where} '{field}'")
        return setting

    better = value("better")
    if better not in ARROWS:
        raise UserError(f"metric '{entry.name}': better must be 'higher', 'lower' or 'one', got '{better}'")
    key = str(value("key"))
    return MetricInfo(
        key=key,
        entry=entry,
        display_name=str(value("display_name", key)),
        unit=str(value("unit")),
        better=better,
        table_scale=float(value("table_scale", 1.0)),
        decimals=int(value("decimals", 2)),
        table_position=int(value("table_position", 1000)),
        profiles=tuple(check_profile(name) for name in value("profiles", PROFILES)),
    )
