"""Which code made a result: the source files behind a class or a stage, each with a hash of what it does.

Files are found by following imports through the source, those inside functions, too, in this project and in the
folder tree of a user's class; nothing is imported. Third-party libraries are left out: manifests name their versions.
So is `INFRASTRUCTURE`, which hands results on but makes none: an edit there throws nothing away.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from importlib.machinery import PathFinder
from pathlib import Path

from cleansemg.core import registry, source_hash, user_modules
from cleansemg.core.errors import UserError
from cleansemg.core.fingerprint import digest_of
from cleansemg.core.registry import Entry

Code = dict[str, str]  # file, from the folder that holds `cleansemg` or the user's package -> hash

PROJECT = "cleansemg"
PACKAGE = Path(__file__).parent.parent  # not resolved: rooms may be links
# What prints, runs, finds, reads and writes results. Whatever else is imported counts.
INFRASTRUCTURE = frozenset(
    {PROJECT, f"{PROJECT}.core", f"{PROJECT}.settings"} | {
        f"{PROJECT}.core.{name}"
        for name in (
            "artifact", "class_checks", "cluster", "code_identity", "commandline", "config", "console", "errors",
            "execution", "fingerprint", "layout", "npz", "plugins", "registry", "rendering", "revision", "source_hash",
            "stage", "threads", "user_modules", "yaml_text",
        )
    }
)  # fmt: skip
# Keys of a YAML in configs/KINDs/ that decide results; the others say how something is printed, fitted or downloaded.
DECISIVE_KEYS = ("class", "parameters", "kind", "key", "profiles")


def of_modules(*names: str, without: Collection[str] = ()) -> Code:
    """The files of some modules, and of all that these import.

    Args:
        names: `cleansemg.room.module`, or modules of a user's own.
        without: modules and packages that are not followed, beside `INFRASTRUCTURE`.

    Raises:
        UserError: a module has no source file, or one that is not Python.
    """
    return dict(_of_modules(tuple(names), frozenset(without)))


@lru_cache(maxsize=256)
def _of_modules(names: tuple[str, ...], without: frozenset[str]) -> Code:
    walk = _Walk(names, without)
    for name in names:
        walk.add(name)
    return dict(sorted(walk.code.items()))


def of_class(target: str, without: Collection[str] = ()) -> Code:
    """The files behind `package.module:Class`; raises UserError as `of_modules`."""
    return of_modules(target.partition(":")[0], without=without)


def of_entry(entry: Entry, without: Collection[str] = ()) -> Code:
    """The files behind what a registry's entry names, and what its YAML decides; raises UserError as `of_modules`."""
    code = of_class(entry.target, without)
    if entry.name in registry.entries(entry.kind):
        content = {"class": entry.target, "parameters": entry.parameters, **entry.extra}
        decisive = {key: content[key] for key in DECISIVE_KEYS if key in content}
        code[f"{PROJECT}/configs/{entry.kind}/{entry.name}.yaml"] = digest_of(decisive)
    return code


def outdated(code: Mapping[str, str]) -> list[str]:
    """The source files of a result whose meaning is another one now, or that are gone.

    Files of a user's own that are not on the path cannot be compared and are left out.
    """
    names = []
    for name, digest in code.items():
        top = name.partition("/")[0].removesuffix(".py")
        root = PACKAGE.parent if top == PROJECT else _folder_of(top)
        if not name.endswith(".py") or root is None:
            continue
        path = root / name
        if not path.exists() or source_hash.read(path).sha256 != digest:
            names.append(name)
    return names


class _Walk:
    """The files that imports lead to, from some modules on."""

    def __init__(self, names: Iterable[str], without: frozenset[str]) -> None:
        self.code: Code = {}
        self._without = without
        self._roots = {PROJECT: PACKAGE.parent}  # top-level name -> folder that holds it
        self._folders: list[Path] = []  # of users, where every file counts that is imported
        self._done: set[tuple[str, str]] = set()
        for name in names:
            self._add_root(name)

    def _add_root(self, name: str) -> None:
        top = name.partition(".")[0]
        if top in self._roots:
            return
        folder = _folder_of(top)
        if folder is None:
            raise UserError(f"'{name}': no source file of '{top}' on Python's path, so its code cannot be told apart")
        self._roots[top] = folder
        if not {"site-packages", "dist-packages"} & set(folder.parts):  # there, others' packages lie beside it
            self._folders.append(folder)

    def add(self, module: str) -> None:
        """Follow one module.

        Raises:
            UserError: it has no source file, or a file on the way is not Python.
        """
        if self._file(module) is None:
            raise UserError(f"'{module}': no source file there, so its code cannot be told apart")
        waiting = [(module, "")]
        while waiting:
            entry = waiting.pop()
            if entry not in self._done:
                self._done.add(entry)
                waiting += self._visit(*entry)

    def _visit(self, module: str, name: str) -> list[tuple[str, str]]:
        """Count a module, unless it only passes the name on; what is to be visited because of it."""
        path = self._file(module)
        if path is None or self._is_left_out(module):
            return []
        file = _read(path)
        is_package = path.name == "__init__.py"
        if name and file.reexports is not None and name in file.reexports:
            return self._resolve(file.reexports[name], module, is_package)
        if name:
            return [(module, "")]
        self._count(module, path, file.sha256)
        parts = module.split(".")
        for n in range(1, len(parts)):  # packages around it run, too; what these import is followed where it is used
            parent = ".".join(parts[:n])
            around = None if self._is_left_out(parent) else self._file(parent)
            if around is not None and _read(around).reexports is None:
                self._count(parent, around, _read(around).sha256)
        return [entry for one in file.imports for entry in self._resolve(one, module, is_package)]

    def _is_left_out(self, module: str) -> bool:
        return module in INFRASTRUCTURE or any(f"{module}.".startswith(f"{package}.") for package in self._without)

    def _count(self, module: str, path: Path, sha256: str) -> None:
        root = path.parents[module.count(".") + (path.name == "__init__.py")]
        self.code[path.relative_to(root).as_posix()] = sha256

    def _resolve(self, entry: source_hash.Import, module: str, is_package: bool) -> list[tuple[str, str]]:
        """The module that an import of `module` leads to, and the name taken from it."""
        level, base, name = entry
        if level:
            parts = module.split(".")
            parts = parts[: len(parts) - level + is_package]
            base = ".".join([*parts, base] if base else parts)
        if not name or name == "*":
            while base and self._file(base) is None:
                base = base.rpartition(".")[0]
            return [(base, "")] if base else []
        if self._file(f"{base}.{name}") is not None:
            return [(f"{base}.{name}", "")]
        return [(base, name)]

    def _file(self, module: str) -> Path | None:
        top = module.partition(".")[0]
        if top in sys.stdlib_module_names or not module:
            return None
        if top in self._roots:
            return _source(self._roots[top], module)
        folders = [] if self._folders and _is_installed(top, tuple(self._folders)) else self._folders
        return next((path for path in (_source(folder, module) for folder in folders) if path is not None), None)


@lru_cache(maxsize=1024)
def _is_installed(top: str, folders: tuple[Path, ...]) -> bool:
    """Whether Python takes a module from somewhere else than a user's folder, where a file may have its name, too."""
    elsewhere = [entry for entry in sys.path if Path(entry or ".").resolve() not in folders]
    return PathFinder.find_spec(top, elsewhere) is not None


@lru_cache(maxsize=4096)
def _source(folder: Path, module: str) -> Path | None:
    path = folder.joinpath(*module.split("."))
    files = (path / "__init__.py", path.parent / f"{path.name}.py")
    return next((file for file in files if file.is_file()), None)


def _folder_of(top: str) -> Path | None:
    """The folder that holds a top-level module or package: of the one imported, or the first on Python's path."""
    module = sys.modules.get(top)
    file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    if file is not None:
        path = Path(file)
        return path.parent.parent if path.name == "__init__.py" else path.parent
    for entry in [*user_modules.folders().values(), *sys.path]:
        folder = Path(entry or ".").absolute()
        if (folder / f"{top}.py").is_file() or (folder / top).is_dir():
            return folder
    return None


def _read(path: Path) -> source_hash.SourceFile:
    try:
        return source_hash.read(path)
    except SyntaxError as error:
        raise UserError(f"{path}, line {error.lineno}: {error.msg}") from error
