"""Classes of a user, named `package.module:Class`: found in the working folder, imported with errors of one line.

Everything that a configuration names is imported before the first stage runs: a slip in somebody's file is then
reported at once, and not after the stages before it.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from cleansemg.core import class_checks, registry, user_modules
from cleansemg.core.errors import UserError
from cleansemg.denoising.chain import links_of, title_of
from cleansemg.settings import Settings


def require_all(settings: Settings) -> None:
    """Import every class that a configuration names, and look every denoiser and link of a chain up.

    Raises:
        UserError: as `require`; no denoiser has a name; a metric lacks its name and format, or has another one's key.
    """
    for kind, target in user_modules.targets_in(settings):
        require(kind, target)
    for row in (*settings.evaluate.denoisers, *settings.downstream.denoisers):
        title_of(links_of(row) if isinstance(row, str) else row.links)
    if settings.evaluate.metrics:
        from cleansemg.evaluation import metrics

        metrics.catalogue(custom=settings.evaluate.metrics)


def require(kind: str, target: str) -> type[Any]:
    """Import a class of the user, from the working folder or from what is installed.

    Args:
        kind: one of `class_checks.BASES`.
        target: `package.module:Class`.

    Raises:
        UserError: its module is not there, or raises while it is imported; there is no such class in it; the class is
            not of the kind; or a denoiser has the name of one of the project.
    """
    module_name, _ = class_checks.split_target(target)
    folder, label = Path.cwd(), f"'{target}'"
    user_modules.allow([target])
    try:
        module = class_checks.import_module(target, label, folder)
    except UserError as error:
        if str(error).startswith(f"{label}: no module"):
            raise UserError(f"{error} in {folder}, nor installed; run this in the folder that holds it") from None
        raise
    _require_not_hidden(target, module_name, module)
    cls = class_checks.class_in(module, kind, target, label)
    name = getattr(cls, "name", "")
    if kind == "denoisers" and name in registry.entries("denoisers"):
        raise UserError(f"'{target}': name = '{name}' is that of a denoiser of the project; give yours another name")
    return cls


def _require_not_hidden(target: str, module_name: str, module: ModuleType) -> None:
    """A file here that is called like an installed module is never imported; say so."""
    here = Path.cwd().joinpath(*module_name.split(".")).with_suffix(".py")
    file = getattr(module, "__file__", None)
    if here.exists() and file and Path(file).resolve() != here.resolve():
        raise UserError(f"'{target}': '{module_name}' is {file}, which hides {here}; rename your file")
