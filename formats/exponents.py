"""Numbers that no parser should see: on an exponent of ten digits, pandas 2.3 reads outside its memory and crashes."""

from __future__ import annotations

import re

DIGITS = 10  # of an exponent: from here on it overflows 32 bits; float64 needs 3
EXPONENT = re.compile(rf"[eE][+-]?[0-9]{{{DIGITS}}}")  # the part that is fast to search for
# at the beginning of a field: the digits of a hash, which may look alike, seldom are there
NUMBER = re.compile(r"(?<![0-9A-Za-z_.])[+-]?[0-9.]+" + EXPONENT.pattern)


def absurd_in_text(text: str) -> str:
    """The beginning of the first number whose exponent has ten digits or more; "" where there is none.

    >>> absurd_in_text("1.5,0.001e4000552647"), absurd_in_text("1e-308,2E+5,face0001231231,ab1e4000552647")
    ('0.001e4000552647', '')
    """
    match = NUMBER.search(text) if EXPONENT.search(text) else None
    return match[0] if match else ""
