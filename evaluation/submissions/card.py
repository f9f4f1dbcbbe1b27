"""The card of a submission: who made what, from which data, under which licence."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cleansemg.core import yaml_text
from cleansemg.core.errors import UserError, did_you_mean

FILL_IN = "FILL IN"


def _filled(text: str) -> str:
    if FILL_IN in text or not text.strip():
        raise ValueError("fill it in")
    return text.strip()


def _web_address(text: str) -> str:
    if not text.startswith(("https://", "http://")):
        raise ValueError("expected an address that begins with https://")
    return text


Text = Annotated[str, Field(max_length=2000), AfterValidator(_filled)]
WebAddress = Annotated[str, Field(max_length=500), AfterValidator(_web_address)]


class Card(BaseModel):
    """What a result says of its method.

    Attributes:
        method: in a few sentences: what it does.
        authors: names.
        contact: where questions go.
        licence: of the method's code, or "not released".
        training_data: what it was fitted to, or "none".
        saw_test_people: whether recordings of people of the test set were used to fit or choose anything.
        hardware: what it ran on.
        date: when it was run.
        code, paper: addresses, where there are some.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Text
    authors: Annotated[tuple[Text, ...], Field(min_length=1)]
    contact: Text
    licence: Text
    training_data: Text
    saw_test_people: bool
    hardware: Text
    date: dt.date
    code: WebAddress | None = None
    paper: WebAddress | None = None


TEMPLATE = f"""\
# The card of a submission: `cleansemg score` checks it and puts it into the result file, which is public.
method: {FILL_IN}  # in a few sentences, what it does
authors: [{FILL_IN}]
contact: {FILL_IN}  # an address for questions
licence: {FILL_IN}  # of the code; or: not released
training_data: {FILL_IN}  # what it was fitted to; or: none
saw_test_people: {FILL_IN}  # true or false: were recordings of people of the test set used to fit or choose anything?
hardware: {FILL_IN}  # what it ran on
date: {FILL_IN}  # YYYY-MM-DD
# code: https://...  # where there is one
# paper: https://...
"""


def read_card(path: Path) -> Card:
    """A card from its YAML.

    Raises:
        UserError: no such file, not YAML, a field that is missing, unknown, or not filled in.
    """
    try:
        content = yaml_text.load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML ({yaml_text.problem(error)})") from None
    return card_from(content, str(path))


def card_from(content: object, where: str) -> Card:
    """A card from a mapping; `where` begins the error."""
    if not isinstance(content, dict):
        raise UserError(f"{where}: a card is a mapping with {', '.join(Card.model_fields)}")
    try:
        return Card.model_validate(content)
    except ValidationError as error:
        problems = error.errors()
        first = next((one for one in problems if one["type"] == "extra_forbidden"), problems[0])
        field = ".".join(str(part) for part in first["loc"])
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        if first["type"] == "extra_forbidden":
            raise UserError(f"{where}: unknown field '{field}'{did_you_mean(field, list(Card.model_fields))}") from None
        if first["type"] == "missing":
            raise UserError(f"{where}: has no field '{field}', which a card needs{more}") from None
        message = first["msg"].removeprefix("Value error, ")
        raise UserError(f"{where}: {field}: {message}, got {str(first['input'])[:80]!r}{more}") from None
