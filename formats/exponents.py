"""Numbers that no parser should see: on an exponent of ten digits, pandas 2.3 reads outside its memory and crashes."""

from __future__ import annotations

import re
from pathlib import Path

DIGITS = 10  # of an exponent: from here on it overflows 32 bits; float64 needs 3
LONGEST = 64  # characters of such a number that may lie in the block before
BLOCK_BYTES = 1 << 22
# at the beginning of a field: the digits of a hash, which may look alike, seldom are there
IN_BYTES = re.compile(rb"(?<![0-9A-Za-z_.])[+-]?[0-9.]+[eE][+-]?[0-9]{%d}" % DIGITS)
IN_TEXT = re.compile(IN_BYTES.pattern.decode())


def absurd_in_text(text: str) -> str:
    """The beginning of the first number whose exponent has ten digits or more; "" where there is none.

    >>> absurd_in_text("1.5,0.001e4000552647"), absurd_in_text("1e-308,2E+5,face0001231231,ab1e4000552647")
    ('0.001e4000552647', '')
    """
    found = IN_TEXT.search(text)
    return found[0] if found else ""


def absurd_in_file(path: Path) -> str:
    """The same for a file, read in blocks."""
    kept = b""
    with open(path, "rb") as file:
        while block := file.read(BLOCK_BYTES):
            found = IN_BYTES.search(kept + block)
            if found:
                return found[0].decode()
            kept = (kept + block)[-LONGEST:]
    return ""
