"""One module goes by one name: nothing imports or names a room of the package as if it were a package of its own."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT
from tests.vocabulary import ROOMS

BARE = tuple(room for room in ROOMS if room != "cleansemg")
TARGET = re.compile(rf"(?<![\w./-])(?:{'|'.join(BARE)})(?:\.\w+)*:[A-Z_a-z]\w+")
STATEMENT = re.compile(
    rf"(?:^|[;\"'`>]\s*)(?:from|import) (?:{'|'.join(BARE)})(?:\.\w+)*(?: import \w|$|;)", re.MULTILINE
)


def tree(*suffixes: str) -> Iterator[Path]:
    for top in (*ROOMS, "configs", "scripts", "tests", "docs", "benchmarks"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in suffixes and "cleansemg" not in path.relative_to(ROOT).parts[1:-1]:
                yield path
    yield from (path for path in sorted(ROOT.glob("*")) if path.suffix in suffixes)


def bare_imports(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.append(str(node.module))
    return [name for name in names if name.partition(".")[0] in BARE]


def test_no_code_imports_a_room_by_its_bare_name():
    assert {str(path): bare_imports(path) for path in tree(".py") if bare_imports(path)} == {}


def test_no_setting_text_or_page_names_one():
    """Names of classes in YAML, in texts of the code, and statements in pages and in code that tests write."""
    wrong = {}
    for path in tree(".py", ".yaml", ".md", ".sh", ".toml"):
        if path != Path(__file__):
            text = path.read_text(encoding="utf-8")
            matches = [*TARGET.findall(text), *STATEMENT.findall(text)]
            if matches:
                wrong[str(path.relative_to(ROOT))] = matches
    assert wrong == {}


def test_the_patterns_find_what_they_are_for():
    assert TARGET.search("class: denoising.hp:HighPass")
    assert not TARGET.search("class: cleansemg.denoising.hp:HighPass")
    assert STATEMENT.search("from denoising import load")
    assert STATEMENT.search("x = 'import noise; y'")
    assert not STATEMENT.search("from cleansemg.denoising import load")
