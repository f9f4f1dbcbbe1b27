"""The errors a user can cause, told apart from the errors of the program."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable
from pathlib import Path


class UserError(Exception):
    """Something the user can mend: what was wrong, where, and what to do, in one line.

    The command line prints the message alone and exits with code 2.
    """


class InputError(UserError, ValueError):
    """A signal that a method refuses: wrong shape, not finite, too short, of another rate."""


class ArtifactError(UserError):
    """A stage's folder is missing, incomplete, altered, or belongs to another configuration."""


class ItemError(Exception):
    """One item among many cannot be processed; a stage records it in `failures.csv` and goes on."""


class DamagedFileError(ItemError):
    """A file whose bytes are not what its format wants; another copy may be whole."""


def one_line(error: BaseException) -> str:
    """The first line of an error's text, or its type where it says nothing; some of zipfile quote half the file."""
    lines = str(error).splitlines()
    return lines[0][:200] if lines and lines[0].strip() else type(error).__name__


def raised_at(error: BaseException, folder: Path) -> str:
    """Where in the files of a folder an error was raised, as ` (my_file.py, line 12)`; "" where in none of them."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(folder) and "site-packages" not in path.parts:
            return f" ({path.name}, line {frame.lineno})"
    return ""


def did_you_mean(word: str, choices: Iterable[object]) -> str:
    """`; did you mean 'x'?` or the list of what there is."""
    names = [str(choice) for choice in choices]
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else f"; there are: {', '.join(names) or 'none'}"
