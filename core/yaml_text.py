"""YAML from a user's file to plain values: nothing is constructed, and a few bytes cannot grow to gigabytes.

PyYAML's safe loader builds plain values only, but it shares what `*alias` names: whoever then walks through the values
sees every share anew. So what a text unfolds to is counted here, once, and bounded.
"""

from __future__ import annotations

from typing import Any

import yaml

MOST_VALUES = 1_000_000  # that a text unfolds to
MOST_DEPTH = 100


def load(text: str) -> Any:
    """The value of a YAML text.

    Raises:
        yaml.YAMLError: not YAML, nested too deeply, or unfolding to too much.
    """
    try:
        value = yaml.safe_load(text)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError) as error:
        # a date with month 99, a number of no base, a key that is a list
        raise yaml.YAMLError(f"a value that cannot be read ({error})") from None
    except RecursionError:
        raise yaml.YAMLError("nested too deeply") from None
    sizes: dict[int, int] = {}
    if _size(value, 0, sizes, set()) > MOST_VALUES:
        raise yaml.YAMLError(f"its aliases unfold to more than {MOST_VALUES} values")
    return value


def problem(error: Exception) -> str:
    """What is wrong with a text, in one line."""
    text = getattr(error, "problem", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0][:300]


def _size(value: Any, depth: int, sizes: dict[int, int], above: set[int]) -> int:
    """How many values there are in a value, each share counted; `sizes` remembers those counted before."""
    if not isinstance(value, dict | list | tuple | set):
        return 1
    identity = id(value)
    if identity in sizes:
        return sizes[identity]
    if identity in above:
        raise yaml.YAMLError("a value that holds itself")
    if depth > MOST_DEPTH:
        raise yaml.YAMLError("nested too deeply")
    above.add(identity)
    parts = [*value.keys(), *value.values()] if isinstance(value, dict) else list(value)
    sizes[identity] = 1 + sum(_size(part, depth + 1, sizes, above) for part in parts)
    above.discard(identity)
    return sizes[identity]
