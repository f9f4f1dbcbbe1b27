"""The denoiser of a recording, with everything that is needed to build the same one again."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cleansemg.core.npz import sha256
from cleansemg.core.registry import find, load_class
from cleansemg.denoising import Denoiser, load
from cleansemg.denoising.chain import SEPARATOR, Chain, ChainLike, Link, links_of
from cleansemg.denoising.loading import DEFAULT_DENOISER, OPEN, PRETRAINED, is_neural, weights_file, with_weights
from cleansemg.denoising.resampled import native

if TYPE_CHECKING:
    from cleansemg.quality.models import Predictor


@dataclass(frozen=True)
class ResolvedDenoiser:
    """A denoiser, ready to run.

    Attributes:
        denoiser: as `denoising.load` builds it.
        title: its name, with the weights where it has some.
        description: name, class, parameters and hash of the weights, for the sidecar.
    """

    denoiser: Denoiser
    title: str
    description: Mapping[str, Any]


def choose(
    name: ChainLike | None = None, weights: str | Path | None = None, parameters: Mapping[str, Any] | None = None
) -> ResolvedDenoiser:
    """Build a denoiser, or a chain.

    Args:
        name: of a denoiser, `package.module:Class`, or a chain as `denoising.load` takes it; None:
            `cleansemg.denoising.loading.DEFAULT_DENOISER`.
        weights: pretrained, open or a file; None: those of the default for the default, else pretrained.
        parameters: over those of its YAML and its weights; of a chain as LINK.PARAMETER.

    Raises:
        UserError: as `denoising.load`.
    """
    links = links_of(DEFAULT_DENOISER[0] if name is None else name, parameters)
    if weights is None:
        default = find("denoisers", DEFAULT_DENOISER[0]).name
        links = tuple(
            replace(link, weights=DEFAULT_DENOISER[1])
            if link.weights is None and find("denoisers", link.name).name == default
            else link
            for link in links
        )
    links = with_weights(links, PRETRAINED if weights is None else weights)
    denoiser = load([vars(link) for link in links])
    built = denoiser.links if isinstance(denoiser, Chain) else (denoiser,)
    about = [_described(link, one) for link, one in zip(links, built, strict=True)]
    title = SEPARATOR.join(title for title, _ in about)
    descriptions = [description for _, description in about]
    if len(about) == 1:
        return ResolvedDenoiser(denoiser, title, descriptions[0])
    return ResolvedDenoiser(denoiser, title, {"name": denoiser.name, "chain": descriptions})


def _described(link: Link, denoiser: Denoiser) -> tuple[str, dict[str, Any]]:
    """Title and description of one denoiser that was built from a link with its weights."""
    entry = find("denoisers", link.name)
    saved: dict[str, Any] = {}
    files = None
    title = entry.name
    if is_neural(type(native(denoiser))) and link.weights is not None:
        from cleansemg.core import weight_files

        path = weights_file(entry, link.weights)
        saved = {
            **weight_files.read(path)[1].get("parameters", {}),
            "centre": getattr(native(denoiser), "centre", None),
        }
        source = str(link.weights) if link.weights in {PRETRAINED, OPEN} else "file"
        files = {"source": source, "name": path.name, "sha256": sha256(path)}
        title = f"{entry.name} ({source if source != 'file' else path.name})"
    known = {**_defaults(load_class(entry.target)), **entry.parameters, **saved, **link.parameters}
    return title, {"name": entry.name, "class": entry.target, "parameters": _plain(known), "weights": files}


def try_out(denoiser: Denoiser, fs_hz: float) -> None:
    """Denoise a moment of silence: what does not fit this rate is refused before the work, not in the middle of it.

    Raises:
        InputError, UserError: as `Denoiser.denoise`.
    """
    denoiser.denoise(np.zeros((1, denoiser.shortest(fs_hz))), fs_hz)


def describe_model(model: Predictor | None) -> dict[str, Any] | None:
    """Name and hash of the quality network, for sidecars and reports."""
    return None if model is None else {"name": model.name, "sha256": model.sha256}


def _defaults(cls: type) -> dict[str, Any]:
    parameters = inspect.signature(cls).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _plain(value: Any) -> Any:
    """As JSON can hold it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
