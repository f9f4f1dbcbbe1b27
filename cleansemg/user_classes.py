"""Classes of a user's own, named `package.module:Class`: made importable, and imported with errors of one line.

Everything that a configuration names is looked at before the first stage runs: a slip in somebody's file is then said
at once, and not after the stages before it.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cleansemg.core import registry
from cleansemg.core.errors import UserError, did_you_mean, raised_at
from cleansemg.core.settings import DenoiserRow, Settings

BASES = {
    "denoisers": "cleansemg.denoising:Denoiser",
    "noises": "cleansemg.noise.base:NoiseSource",
    "datasets": "cleansemg.data_pipeline.recording:RecordingReader",
    "tasks": "cleansemg.downstream.common.task:Task",
    "metrics": "cleansemg.evaluation.metrics:Metric",
}
WHAT_IT_NEEDS = {"metrics": "give it a method score(self, batch, profile)"}
PROJECT = Path(__file__).resolve().parent.parent


def make_importable() -> None:
    """Let `package.module:Class` name files of the working folder, as `python -m` does.

    Last on the path, and behind the project itself: a user's folder called `noise` hides none of ours.
    """
    for folder in (str(PROJECT), str(Path.cwd())):
        if folder not in sys.path:
            sys.path.append(folder)


def is_own(name: str) -> bool:
    """Whether a name is a class's, not an entry's of `configs/`."""
    return ":" in name


def named_in(settings: Settings) -> Iterator[tuple[str, str]]:
    """Kind and name of all classes outside `configs/` that a configuration names."""
    rows = [*settings.evaluate.denoisers, *settings.downstream.denoisers]
    named: list[tuple[str, str]] = [("denoisers", r.name if isinstance(r, DenoiserRow) else r) for r in rows]
    named += [("denoisers", name) for name in (*settings.train.models, *settings.calibrate.methods)]
    named += [("noises", source.source) for sources in settings.noise.kinds.values() for source in sources]
    named += [("datasets", name) for name in settings.enabled_datasets]
    named += [("metrics", name) for name in settings.evaluate.metrics]
    named += [("tasks", settings.downstream.task)] if settings.downstream.task else []
    yield from dict.fromkeys((kind, name) for kind, name in named if is_own(name))


def require_all(settings: Settings) -> None:
    """Import every class that a configuration names.

    Raises:
        UserError: as `require`; a metric does not say how it is called and printed, or has another one's key.
    """
    for kind, name in named_in(settings):
        require(kind, name)
    if settings.evaluate.metrics:
        from cleansemg.evaluation import metrics

        metrics.catalogue(custom=settings.evaluate.metrics)


def require(kind: str, target: str) -> type[Any]:
    """Import a class of one's own.

    Args:
        kind: one of `BASES`.
        target: `package.module:Class`.

    Raises:
        UserError: its module is not found, or raises while it is imported; there is no such class in it; the class is
            not of the kind; or a denoiser goes by the name of one that the project has.
    """
    module_name, colon, class_name = target.partition(":")
    if not colon or not module_name or not class_name:
        raise UserError(f"'{target}': expected package.module:Class")
    module = _import(target, module_name)
    if not hasattr(module, class_name):
        own = [
            name for name, value in vars(module).items() if inspect.isclass(value) and value.__module__ == module_name
        ]
        raise UserError(f"'{target}': {_file(module)} has no '{class_name}'{did_you_mean(class_name, own)}")
    cls: Any = getattr(module, class_name)
    base_module, _, base_name = BASES[kind].partition(":")
    base = getattr(importlib.import_module(base_module), base_name)
    if not (inspect.isclass(cls) and issubclass(cls, base)):
        how = WHAT_IT_NEEDS.get(kind, f"derive it from {base_module}.{base_name}")
        raise UserError(f"'{target}' is not a {kind[:-1]}: {how}")
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        raise UserError(f"'{target}': {_file(module)}: class {class_name} does not implement {missing}")
    own_name = getattr(cls, "name", "")
    if kind == "denoisers" and own_name in registry.entries("denoisers"):
        raise UserError(
            f"'{target}': name = '{own_name}' is that of a denoiser of the project; give yours another name"
        )
    return cls


def _import(target: str, module_name: str) -> Any:
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        absent = error.name or module_name
        if module_name == absent or module_name.startswith(f"{absent}."):
            raise UserError(
                f"'{target}': no module '{absent}' in {Path.cwd()}, nor installed; run this in the folder that holds it"
            ) from None
        raise UserError(f"'{target}': cannot import '{absent}', which is not installed{_here(error)}") from error
    except SyntaxError as error:
        raise UserError(f"'{target}': {error.filename}, line {error.lineno}: {error.msg}") from error
    except (Exception, SystemExit) as error:  # whatever a user's file does when it is run
        raise UserError(f"'{target}': importing it raises {type(error).__name__}: {error}{_here(error)}") from error
    _require_not_hidden(target, module_name, module)
    return module


def _require_not_hidden(target: str, module_name: str, module: Any) -> None:
    """A file here that is called like an installed module is never seen; say so."""
    here = Path.cwd().joinpath(*module_name.split(".")).with_suffix(".py")
    if here.exists() and getattr(module, "__file__", None) and Path(module.__file__).resolve() != here.resolve():
        raise UserError(f"'{target}': '{module_name}' is {module.__file__}, which hides {here}; rename your file")


def _here(error: BaseException) -> str:
    return raised_at(error, Path.cwd())


def _file(module: Any) -> str:
    return str(getattr(module, "__file__", None) or module.__name__)
