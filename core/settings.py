"""What the settings of every room share: the base of their sections, the parts of the data, the paths.

The sections lie in `settings.py` of the room that they are about; `cleansemg.settings` puts them together.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = ("train", "valid", "test")
OutOfDomain = Literal["out_of_domain"]
SplitPart = Part | OutOfDomain  # where the people of a data set go
OUT_OF_DOMAIN: OutOfDomain = "out_of_domain"  # tested on alone: nothing is fitted, calibrated or selected on it
SPLIT_PARTS: tuple[SplitPart, ...] = (*PARTS, OUT_OF_DOMAIN)
Positive = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, values don't change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    later: ClassVar[frozenset[str]] = frozenset()  # fields that came after the first results were made

    def identity(self, exclude: frozenset[str] = frozenset()) -> dict[str, Any]:
        """What decides a stage's results, for its fingerprint; a later field counts where it is not the default.

        So results made before a field existed stay valid as long as nobody uses it.
        """
        values = self.model_dump(mode="json", exclude=set(exclude))
        default = {name: field.get_default() for name, field in type(self).model_fields.items()}
        return {k: v for k, v in values.items() if k not in self.later or getattr(self, k) != default[k]}


class Paths(Section):
    """Where data lie and results go."""

    data_root: str = "${DATA_ROOT}"  # the one line that differs between machines
    output: str = "outputs"
