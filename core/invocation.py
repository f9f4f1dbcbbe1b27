"""The options that this run was started with, so that errors can name the whole command to run next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

_options: list[str] = []


def remember(config: Path, output: Path | None, overrides: Sequence[str]) -> None:
    """Remember the configuration, the folder of results and the settings that were given on the command line."""
    _options[:] = ["--config", str(config)]
    if output is not None:
        _options.extend(["--output", str(output)])
    for override in overrides:
        _options.extend(["--set", override])


def command(step: str) -> str:
    """A command with the options of this run; without any where Python code called the stages.

    >>> remember(Path("demo"), Path("my results"), ["seed=3"])
    >>> command("cleansemg run --stages mix")
    "cleansemg run --stages mix --config demo --output 'my results' --set seed=3"
    """
    return shlex.join([*shlex.split(step), *_options])
