"""The training recipe of a network: its values, their sources, and their limits.

Precedence: command line > `train.overrides.MODEL` > `train.recipe` > for fine-tuning, some values of the pretrained
weights > the YAML of the model > the defaults here.
The defaults are the benchmark's common recipe (docs/training.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from cleansemg.core.errors import UserError, did_you_mean

Layer = tuple[str, Mapping[str, Any]]  # source of the values (for errors), the values
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class _Values(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    later: ClassVar[frozenset[str]] = frozenset()  # fields added after the first networks were fitted

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out fields of `later` that have their default value, so that old fingerprints stay valid."""
        values: dict[str, Any] = handler(self)
        default = {name: field.get_default() for name, field in type(self).model_fields.items()}
        return {k: v for k, v in values.items() if k not in self.later or getattr(self, k) != default[k]}


class Schedule(_Values):
    """Schedule of the learning rate.

    plateau: multiply by `factor` after more than `patience` consecutive epochs without a better validation loss.
    steps: multiply by `factor` after each number of finished epochs in `milestones`.
    cosine: half a cosine over all epochs, from the learning rate down to `floor` times it; during the first
        `warmup_epochs`, a straight line from `warmup_from` times the learning rate to the cosine at the end of the
        warm-up.
    """

    later = frozenset({"floor", "warmup_epochs", "warmup_from"})

    kind: Literal["none", "plateau", "steps", "cosine"] = "plateau"
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    patience: Annotated[int, Field(ge=0)] = 5
    milestones: tuple[Count, ...] = ()
    floor: Annotated[float, Field(ge=0, le=1)] = 0.0
    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    warmup_from: Annotated[float, Field(ge=0, le=1)] = 0.0

    @model_validator(mode="after")
    def _milestones_rise(self) -> Schedule:
        if self.kind == "steps" and not self.milestones:
            raise ValueError("milestones: the schedule 'steps' needs at least one")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("milestones: must rise")
        if self.kind != "cosine" and (self.floor or self.warmup_epochs or self.warmup_from):
            raise ValueError(f"floor, warmup_epochs and warmup_from belong to the schedule 'cosine', not '{self.kind}'")
        return self


class Recipe(_Values):
    """All settings of the training of one network, except network and data."""

    later = frozenset({"momentum"})

    loss: Literal["l1", "l2", "snr", "network"] = "l1"  # see training/objective.py
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    learning_rate: Positive = 1e-3
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.999)  # of Adam
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0  # of SGD
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    batch_size: Count = 64  # over all processes
    epochs: Count = 150
    patience: Count | None = 20  # epochs without a better validation loss before training stops; None: never stop early
    clip_norm: Positive | None = 10.0  # of the gradient over all parameters; None: no clipping
    schedule: Schedule = Schedule()
    normalise_clip: bool = True  # clip noisy and clean to [-1, 1] after scaling
    precision: Literal["float32", "bf16"] = "float32"  # of the computation; weights stay float32

    @field_validator("loss", mode="before")
    @classmethod
    def _as_older_weights_call_it(cls, value: Any) -> Any:
        """Accept `own`, the name in older pretrained weights for the loss `network`."""
        return "network" if value == "own" else value


def resolve(layers: Sequence[Layer]) -> Recipe:
    """Merge the layers and check the result; later layers override earlier ones.

    Mappings (`schedule`) merge key by key.

    Raises:
        UserError: an unknown key or an invalid value; the message names its layer.
    """
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for source, values in layers:
        merged = _merge(merged, values, source, origin, ())
    try:
        return Recipe.model_validate(merged)
    except ValidationError as error:
        raise UserError(_explain(error, origin)) from None


def parse_assignments(texts: Sequence[str]) -> dict[str, Any]:
    """Parse the values of --recipe, such as `learning_rate=1e-3` or `schedule.kind=none`; values are YAML.

    Raises:
        UserError: a text is not key=value, its value is not YAML, or a key is both a value and a section.
    """
    tree: dict[str, Any] = {}
    for text in texts:
        dotted, equals, value = text.partition("=")
        keys = dotted.strip().split(".")
        if not equals or not all(keys):
            raise UserError(f"--recipe {text}: expected key=value, e.g. learning_rate=0.001 or schedule.kind=none")
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"--recipe {text}: the value is not YAML") from None
        node = tree
        for key in keys[:-1]:
            child = node.setdefault(key, {})
            if not isinstance(child, dict):
                raise UserError(f"--recipe {text}: '{key}' is a value, not a section")
            node = child
        node[keys[-1]] = parsed
    return tree


def describe(recipe: Recipe) -> str:
    """Format all values of the recipe in one line."""
    parts = [f"{key}={_plain(getattr(recipe, key))}" for key in Recipe.model_fields if key != "schedule"]
    parts += [f"schedule.{key}={_plain(getattr(recipe.schedule, key))}" for key in Schedule.model_fields]
    return " ".join(parts)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _merge(
    base: Mapping[str, Any], over: Mapping[str, Any], source: str, origin: dict[str, str], path: tuple[str, ...]
) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        where = (*path, str(key))
        if isinstance(value, Mapping):
            old = merged.get(key)
            merged[key] = _merge(old if isinstance(old, Mapping) else {}, value, source, origin, where)
        else:
            merged[key] = _number(value)
        origin[".".join(where)] = source
    return merged


def _number(value: Any) -> Any:
    """Convert texts such as 1e-3, which YAML does not read as a number, to a number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _explain(error: ValidationError, origin: Mapping[str, str]) -> str:
    first = error.errors()[0]
    location = [str(part) for part in first["loc"]]
    where = ".".join(location)
    source = next((origin[".".join(location[:n])] for n in range(len(location), 0, -1)
                   if ".".join(location[:n]) in origin), "the recipe")  # fmt: skip
    if first["type"] == "extra_forbidden":
        fields = Schedule.model_fields if location[0] == "schedule" else Recipe.model_fields
        return f"{source}: unknown recipe key '{where}'{did_you_mean(location[-1], fields)}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{source}: recipe {where}: {message}, got {first.get('input')!r}"
