"""Reports results from other code, YAML or weights than the present ones.

A manifest lists the source files behind a folder, each with a hash (docs/architecture.md, "Results know the code that
made them"). The hashes are recomputed here independently, from that page's rules. Results from other code are not
wrong, so they get a separate line and are no failure.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from cleansemg.core import npz
from cleansemg.evaluation.verification.findings import Finding
from cleansemg.evaluation.verification.folders import Folder, Results

PACKAGE = "cleansemg"
ROOT = Path(__file__).parents[3]  # the folder that holds the package
DECISIVE = {"class", "parameters", "kind", "key", "profiles"}  # keys of a YAML that decide results
WEIGHTS = {"weights", "quality weights"}  # hashes of a file's bytes, wherever it lies
DIGITS = 32


def check(results: Results) -> Finding:
    """Finding `code`: compares the recorded hashes of every folder with the present files."""
    finding = Finding("code")
    weights = _weights_at_hand(results)
    compared: set[str] = set()
    absent: set[str] = set()
    unknown = []
    for folder in results.folders:
        if not folder.code:
            unknown.append(folder.name)
        changes = []
        for name, digest in folder.code.items():
            if name in WEIGHTS:
                compared.add(name)
                changes += [] if digest in weights else [f"its {name} {digest[:12]}... are not here"]
                continue
            path = _path(name)
            if path is None:
                absent |= {name} if name.endswith((".py", ".yaml")) else set()
                continue
            compared.add(name)
            if not path.is_file():
                changes.append(f"{name} is gone")
            elif _hash(path, path.stat().st_mtime_ns) != digest:
                changes.append(f"{name} changed since")
        if changes:
            more = f", and {len(changes) - 3} more" if len(changes) > 3 else ""
            finding.stale.append(f"{_row(folder)}: made by other code: {', '.join(changes[:3])}{more}")
    if compared and not finding.stale:
        finding.summary = f"{len(results.folders)} folders were made by the code at hand ({len(compared)} files)"
    if unknown:
        finding.notes.append(f"{len(unknown)} folders do not say which code made them: {', '.join(unknown[:3])}")
    if absent:
        finding.notes.append(f"{', '.join(sorted(absent)[:3])}: not on Python's path, so not compared")
    return finding


def _row(folder: Folder) -> str:
    """A readable name of a folder's contents."""
    info = folder.info
    if folder.schema == "denoised" and {"denoiser", "track", "set"} <= set(info):
        return f"{info['denoiser']} {info['track']} on {info['set']}"
    return folder.name


def _path(name: str) -> Path | None:
    """The path of a source file; None where it is unknown (a user's file not on Python's path) or is no file."""
    if not name.endswith((".py", ".yaml")):
        return None
    if name.partition("/")[0] == PACKAGE:
        return ROOT / name
    folders = [Path(entry or ".") for entry in sys.path]
    return next((folder / name for folder in [*folders, Path.cwd()] if (folder / name).is_file()), None)


def _weights_at_hand(results: Results) -> set[str]:
    files = [path for room in ("denoising", "quality") for path in (ROOT / PACKAGE / room).rglob("*.safetensors")]
    files += [path for ending in ("*.safetensors", "*.pth", "*.pt") for path in results.root.rglob(ending)]
    return {npz.sha256(path) for path in files}


@cache
def _hash(path: Path, changed_ns: int) -> str:
    """The hash of a file's meaning, by the rules of that page; "" where it cannot be parsed."""
    try:
        text = path.read_text(encoding="utf-8")
        meaning = _of_yaml(yaml.safe_load(text)) if path.suffix == ".yaml" else _of_python(text, path.name)
    except (SyntaxError, ValueError, yaml.YAMLError):
        return ""
    return hashlib.sha256(meaning.encode()).hexdigest()[:DIGITS]


def _of_yaml(content: Any) -> str:
    """The decisive keys as JSON; a missing `parameters` counts as an empty one."""
    decisive = {key: value for key, value in content.items() if key in DECISIVE}
    decisive["parameters"] = decisive.get("parameters") or {}
    return json.dumps(decisive, sort_keys=True, separators=(",", ":"), default=str)


def _of_python(text: str, file_name: str) -> str:
    """A module's syntax tree, without docstrings, as words; in settings.py, without the fields of classes."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                del node.body[0]
            if file_name == "settings.py" and isinstance(node, ast.ClassDef):
                node.body = [line for line in node.body if not isinstance(line, ast.AnnAssign)]
    if file_name == "settings.py":
        tree.body = [line for line in tree.body if not isinstance(line, ast.ClassDef) or line.body]
    return " ".join(_words(tree))


def _words(value: Any) -> list[str]:
    """The words of a node: its type, name and value of each non-empty field, then `)`; lists are in brackets."""
    if isinstance(value, list):
        return ["[", *(word for entry in value for word in _words(entry)), "]"]
    if not isinstance(value, ast.AST):
        return [repr(value)]
    words = [type(value).__name__]
    for name, field in ast.iter_fields(value):
        if name not in {"ctx", "kind", "type_comment"} and field not in (None, []):
            words += [name, *_words(field)]
    return [*words, ")"]
