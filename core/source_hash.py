"""One source file: a hash of what it does, and the names that it imports. Nothing is imported or run.

The hash is that of its syntax tree without docstrings and positions, so comments, docstrings and formatting do not
count. A file named `settings.py` counts without the fields of its classes: their values are in every fingerprint.

Parsing takes about 1 ms per kB, so what is known about a file's bytes is kept in ~/.cache/cleansemg/code.json.
"""

from __future__ import annotations

import ast
import atexit
import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cleansemg.core.npz import atomic_write

log = logging.getLogger(__name__)

CACHE = Path("~/.cache/cleansemg/code.json")
CACHED_FILES = 1500
FORMAT = 1  # of the hash; it rises when the same source is to give another one
SETTINGS_FILE = "settings.py"
NO_MEANING = frozenset({"ctx", "kind", "type_comment"})  # fields of a node that say nothing that others do not say
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

Import = tuple[int, str, str]  # level (dots), module, and the name imported from it ("" for `import module`)


@dataclass(frozen=True)
class SourceFile:
    """What is known about one source file.

    Attributes:
        sha256: of its meaning.
        imports: all of them, those inside functions, too; texts such as "cleansemg.denoising.hp:HighPass" count as one.
        reexports: the names that a file of imports alone passes on, each with its import; None for other files.
    """

    sha256: str
    imports: tuple[Import, ...]
    reexports: dict[str, Import] | None


def read(path: Path) -> SourceFile:
    """Read one source file.

    Raises:
        SyntaxError: it is not Python of this version.
    """
    state = path.stat()
    return _read(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=CACHED_FILES)
def _read(path: Path, changed_ns: int, size: int) -> SourceFile:
    content = path.read_bytes()
    is_settings = path.name == SETTINGS_FILE
    key = hashlib.sha256(f"{FORMAT} {is_settings}\n".encode() + content).hexdigest()[:32]
    cache = _Cache.of_user()
    known = cache.files.pop(key, None)
    if known is None:
        known = _describe(ast.parse(content, str(path)), is_settings)
        cache.is_new = True
    cache.files[key] = known  # the last used come last
    return known


def _describe(tree: ast.Module, is_settings: bool) -> SourceFile:
    imports: set[Import] = set()
    _collect(tree, imports)
    if is_settings:
        _drop_fields(tree)
    parts: list[str] = []
    _write(tree, parts)
    digest = hashlib.sha256(" ".join(parts).encode()).hexdigest()[:32]
    return SourceFile(digest, tuple(sorted(imports)), _reexports(tree))


def _write(node: Any, parts: list[str]) -> None:
    """A tree as words: a node is its type, its fields that are not empty, and a bracket."""
    if isinstance(node, ast.AST):
        parts.append(type(node).__name__)
        for name in node._fields:
            value: Any = getattr(node, name, None)
            if name == "body" and isinstance(node, DOCUMENTED):
                value = without_docstring(value)
            if value is None or value == [] or name in NO_MEANING:
                continue
            parts.append(name)
            _write(value, parts)
        parts.append(")")
    elif isinstance(node, list):
        parts.append("[")
        for entry in node:
            _write(entry, parts)
        parts.append("]")
    else:
        parts.append(repr(node))


def without_docstring(body: list[Any]) -> list[Any]:
    """The statements of a module, class or function after its docstring."""
    first = body[0] if body else None
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return body[1:] if is_text else body


def _drop_fields(tree: ast.Module) -> None:
    """Take the fields out of all classes, and classes that hold nothing else."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            node.body = [entry for entry in without_docstring(node.body) if not isinstance(entry, ast.AnnAssign)]
    tree.body = [node for node in tree.body if not (isinstance(node, ast.ClassDef) and not node.body)]


def _collect(node: ast.AST, imports: set[Import]) -> None:
    """All imports below a node, but for those that only type checkers see."""
    for child in _executed(node):
        if isinstance(child, ast.Import):
            imports |= {(0, alias.name, "") for alias in child.names}
        elif isinstance(child, ast.ImportFrom):
            imports |= {(child.level, child.module or "", alias.name) for alias in child.names}
        elif isinstance(child, ast.Constant) and isinstance(child.value, str):
            module, _, name = child.value.partition(":")
            if "." in module and all(part.isidentifier() for part in [*module.split("."), name or "_"]):
                imports.add((0, module, name))
        else:
            _collect(child, imports)


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.If) and "TYPE_CHECKING" in {getattr(node.test, "id", ""), getattr(node.test, "attr", "")}:
        yield from node.orelse
        return
    for name, value in ast.iter_fields(node):
        entries = value if isinstance(value, list) else [value]
        if name == "body" and isinstance(node, DOCUMENTED):
            entries = without_docstring(entries)
        yield from (entry for entry in entries if isinstance(entry, ast.AST))


def _reexports(tree: ast.Module) -> dict[str, Import] | None:
    passed_on: dict[str, Import] = {}
    for node in without_docstring(tree.body):
        if isinstance(node, ast.ImportFrom):
            passed_on |= {a.asname or a.name: (node.level, node.module or "", a.name) for a in node.names}
        elif isinstance(node, ast.Import):
            passed_on |= {a.asname: (0, a.name, "") for a in node.names if a.asname}
        elif not (isinstance(node, ast.Assign) and [getattr(t, "id", "") for t in node.targets] == ["__all__"]):
            return None
    return passed_on


class _Cache:
    """What is known about files by their bytes, read once a process and written at its end."""

    _instance: _Cache | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: dict[str, SourceFile] = {}
        self.is_new = False

    @classmethod
    def of_user(cls) -> _Cache:
        if cls._instance is None:
            cls._instance = cls(CACHE.expanduser())
            cls._instance.load()
            atexit.register(cls._instance.save)
        return cls._instance

    def load(self) -> None:
        """Read what earlier processes wrote; a damaged file is as good as none."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            self.files = {str(key): _of_json(entry) for key, entry in content.items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.debug("%s: not used (%s)", self.path, error)

    def save(self) -> None:
        """Write what is new; a home that cannot be written costs the next process a second, no more."""
        if not self.is_new:
            return
        last = dict(list(self.files.items())[-CACHED_FILES:])
        text = json.dumps({key: astuple(file) for key, file in last.items()}, separators=(",", ":"))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(self.path, text.encode())
        except OSError as error:
            log.debug("%s: not written (%s)", self.path, error)


def _of_json(entry: Any) -> SourceFile:
    digest, imports, reexports = entry
    passed_on = None if reexports is None else {str(name): _import(source) for name, source in reexports.items()}
    return SourceFile(str(digest), tuple(map(_import, imports)), passed_on)


def _import(entry: Any) -> Import:
    level, module, name = entry
    return int(level), str(module), str(name)
