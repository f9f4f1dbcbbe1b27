"""Classes from outside the project: imported, and checked to be of their kind, with errors of one line."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

from cleansemg.core.errors import UserError, did_you_mean, raised_at

BASES = {
    "denoisers": "cleansemg.denoising:Denoiser",
    "noises": "cleansemg.noise.base:NoiseSource",
    "datasets": "cleansemg.data_pipeline.recording:RecordingReader",
    "tasks": "cleansemg.downstream.common.task:Task",
    "metrics": "cleansemg.evaluation.metrics:Metric",
}
HINTS = {"metrics": "give it a method score(self, batch, profile)"}


def split_target(target: str) -> tuple[str, str]:
    """Module and class of `package.module:Class`; raises UserError where it is none."""
    module_name, colon, class_name = target.partition(":")
    if not colon or not module_name or not class_name:
        raise UserError(f"'{target}': expected package.module:Class")
    return module_name, class_name


def import_module(target: str, label: str, folder: Path) -> ModuleType:
    """Import the module of `package.module:Class`, whatever it does when it is run.

    Args:
        target: the class.
        label: what names it in errors.
        folder: where the user's files lie; an error in one of them says its line.

    Raises:
        UserError: it is not there, or raises.
    """
    module_name, _ = split_target(target)
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        absent = error.name or module_name
        if module_name == absent or module_name.startswith(f"{absent}."):
            raise UserError(f"{label}: no module '{absent}'") from None
        raise UserError(
            f"{label}: cannot import '{absent}', which is not installed{raised_at(error, folder)}"
        ) from error
    except SyntaxError as error:
        raise UserError(f"{label}: {error.filename}, line {error.lineno}: {error.msg}") from error
    except (Exception, SystemExit) as error:  # whatever somebody's file does when it is run
        where = raised_at(error, folder)
        raise UserError(f"{label}: importing it raises {type(error).__name__}: {error}{where}") from error


def class_in(module: ModuleType, kind: str, target: str, label: str) -> type[Any]:
    """The class of a module that `target` names.

    Args:
        module: imported.
        kind: one of `BASES`.
        target: `package.module:Class`.
        label: what names it in errors.

    Raises:
        UserError: it is not there, is not of the kind, or leaves methods out.
    """
    module_name, class_name = split_target(target)
    if not hasattr(module, class_name):
        classes = [n for n, value in vars(module).items() if inspect.isclass(value) and value.__module__ == module_name]
        raise UserError(f"{label}: {file_of(module)} has no '{class_name}'{did_you_mean(class_name, classes)}")
    cls: Any = getattr(module, class_name)
    base_module, _, base_name = BASES[kind].partition(":")
    base = getattr(importlib.import_module(base_module), base_name)
    if not (inspect.isclass(cls) and issubclass(cls, base)):
        hint = HINTS.get(kind, f"derive it from {base_module}.{base_name}")
        raise UserError(f"{label} is not a {kind[:-1]}: {hint}")
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        raise UserError(f"{label}: {file_of(module)}: class {class_name} does not implement {missing}")
    return cls


def file_of(module: ModuleType) -> str:
    """The file of a module, or its name where it has none."""
    return str(getattr(module, "__file__", None) or module.__name__)
