"""Names that a stranger could not guess: what docs/glossary.md replaces, looked for in every name of the product.

`python -m tests.vocabulary ROOM ...` lists what is left in some rooms, `python -m tests.vocabulary` in all.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
ROOMS = (
    "core", "formats", "noise", "quality", "denoising", "data_pipeline", "training", "recordings", "evaluation",
    "downstream", "cleansemg",
)  # fmt: skip


def replaced_words(glossary: Path = ROOT / "docs" / "glossary.md") -> tuple[str, ...]:
    """The left column of the glossary's last table: a word (or two) of a name."""
    table = glossary.read_text(encoding="utf-8").partition("\n| not | but |\n")[2]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")]
    return tuple(word.strip() for cell in cells for word in cell.split(","))


REPLACED = replaced_words()


def words_of(name: str) -> list[str]:
    """The words of a name, lower case: `_HighPass_hz` -> high, pass, hz."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+", name)]


def replaced_in(name: str) -> list[str]:
    """Which words of the left column a name has."""
    joined = "_".join(["", *words_of(name), ""])
    return [word for word in REPLACED if f"_{word}_" in joined]


def python_names(path: Path) -> Iterator[tuple[int, str]]:
    """Line and name of all that a module defines: classes, functions, arguments, variables, attributes, imports as."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield 0, node.asname
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("--"):
            yield node.lineno, node.value.partition(" ")[0]


def yaml_names(path: Path) -> Iterator[tuple[int, str]]:
    """Keys and one-word values of a YAML file."""
    for token in yaml.scan(path.read_text(encoding="utf-8")):
        if isinstance(token, yaml.ScalarToken) and re.fullmatch(r"[a-z_]+", token.value):
            yield token.start_mark.line + 1, token.value


def left_over(rooms: tuple[str, ...] = (*ROOMS, "configs")) -> list[str]:
    """Every name that still has a word of the left column, as `file:line: name (word)`."""
    lines = []
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*")):
            if path.suffix not in (".py", ".yaml") or "__pycache__" in path.parts:
                continue
            shown = path.relative_to(ROOT)
            names = python_names(path) if path.suffix == ".py" else yaml_names(path)
            lines += [f"{shown}: {word} (file name)" for word in replaced_in(path.stem)]
            lines += [f"{shown}:{at}: {name} ({', '.join(bad)})" for at, name in names if (bad := replaced_in(name))]
    return lines


if __name__ == "__main__":
    print("\n".join(left_over(tuple(sys.argv[1:]) or (*ROOMS, "configs"))))
