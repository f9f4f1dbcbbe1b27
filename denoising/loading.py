"""Builds a denoiser by name: `load("hp")`, a network with its weights, or a class of the user."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cleansemg.core.errors import UserError
from cleansemg.core.registry import Entry, find, load_class
from cleansemg.denoising.base import Denoiser
from cleansemg.denoising.chain import Chain, ChainLike, Link, links_of, title_of
from cleansemg.denoising.resampled import with_resampling

if TYPE_CHECKING:
    from cleansemg.denoising.neural import NeuralDenoiser

PRETRAINED = "pretrained"
SMALL = "small"  # form of a network
OPEN = "open"  # the pretrained weights, fine-tuned on the training people of the open recordings
WEIGHTS_FOLDER = Path(__file__).resolve().parent / "weights"

# The method and weights for a recording where the user names none. It has the largest SNR improvement in the project's
# table on open recordings (README), on other people than those that it was trained on.
DEFAULT_DENOISER: tuple[str, str] = ("msemg", OPEN)


def load(name: ChainLike, weights: str | Path | None = PRETRAINED, **parameters: Any) -> Denoiser:
    """Build a denoiser that works at any sampling rate from 200 Hz, or a chain of several (`chain.Chain`).

    A denoiser that is made for one rate, as networks are, is returned as `resampled.Resampled`: signals at other rates
    are resampled to it and the output is resampled back, without what lies above its Nyquist frequency. `load_network`
    returns a network without resampling.

    Args:
        name: name of a YAML file in configs/denoisers/, one of its aliases, or `package.module:Class`. Of a chain:
            names with "+" between them, or a sequence of names or of mappings with `name`, `weights` and `parameters`.
        weights: weights of a network: "pretrained": those that come with the project; "open": the same, fine-tuned on
            the open recordings; None: a fresh network (drawn from torch's generator); or a file of this project
            (.safetensors) or a checkpoint (.pth, .pt). A classical method has none. In a chain, they are those of
            the networks whose link names none; a file can only be that of one.
        parameters: replace those saved with the weights, which replace those of the YAML. In a chain, their names are
            LINK.PARAMETER: `**{"vmd.k": 5}`.

    Raises:
        UserError: the name or a parameter is unknown; the weights are absent, broken, of another network, or
            given to a classical method; or the links make no chain.
    """
    links = with_weights(links_of(name, parameters), weights)
    denoisers = [with_resampling(_load(link.name, link.weights, dict(link.parameters))) for link in links]
    return denoisers[0] if len(denoisers) == 1 else Chain(denoisers)


def with_weights(links: Sequence[Link], weights: str | Path | None) -> tuple[Link, ...]:
    """The links of a chain with weights for those that name none: the networks.

    Raises:
        UserError: weights other than the default, and no network without any; or one file for several networks.
    """
    if len(links) == 1:
        only = links[0]
        return (only if only.weights is not None else Link(only.name, weights, only.parameters),)
    networks = [i for i, link in enumerate(links) if is_neural(load_class(find("denoisers", link.name).target))]
    without = [i for i in networks if links[i].weights is None]
    if weights not in (PRETRAINED, None) and not without:
        raise UserError(f"chain {title_of(links)}: no link needs weights; got weights={str(weights)!r}")
    if weights not in (PRETRAINED, OPEN, None) and len(without) > 1:
        raise UserError(f"chain {title_of(links)}: one file of weights for several networks; give each its own")
    return tuple(
        Link(link.name, weights if i in without else link.weights or PRETRAINED, link.parameters)
        for i, link in enumerate(links)
    )


def load_network(name: str, weights: str | Path | None = PRETRAINED, **parameters: Any) -> NeuralDenoiser:
    """Build a network's denoiser without resampling, to train or to inspect the network (`.network`).

    Raises:
        UserError: as for `load`; or the denoiser has no network.
    """
    denoiser = _load(name, weights, parameters)
    if not is_neural(type(denoiser)):
        raise UserError(f"denoiser '{denoiser.name}' has no network")
    return cast("NeuralDenoiser", denoiser)


def _load(name: str, weights: str | Path | None, parameters: dict[str, Any]) -> Denoiser:
    entry = find("denoisers", name)
    cls = load_class(entry.target)
    if not (inspect.isclass(cls) and issubclass(cls, Denoiser)):
        raise UserError(f"'{entry.target}' is not a denoiser: derive it from cleansemg.denoising.Denoiser")
    if not is_neural(cls):
        if weights not in (PRETRAINED, None):
            raise UserError(f"denoiser '{entry.name}' has no network, so no weights; got weights={str(weights)!r}")
        return _build(entry, parameters)
    if weights is None:
        return _build(entry, parameters)
    return _with_weights(entry, weights_file(entry, weights), parameters)


def small_form(name: str) -> dict[str, Any]:
    """Parameters of a network's small form for CPUs (`small` in its YAML); {} where it has none."""
    small: dict[str, Any] = find("denoisers", name).extra.get("small") or {}
    return dict(small)


def is_small(entry: Entry, parameters: Mapping[str, Any]) -> bool:
    """Whether a network with these parameters is the small form of its YAML."""
    small: dict[str, Any] = entry.extra.get("small") or {}
    return bool(small) and all(key in parameters and parameters[key] == value for key, value in small.items())


def display_name(label: str, small: bool) -> str:
    """What a row or a model is called where people read it: `msemg (small)` for the small form of a network.

    The label itself stays the key in files and the name of folders.

    >>> display_name("msemg", True), display_name("fcn", False)
    ('msemg (small)', 'fcn')
    """
    return f"{label} ({SMALL})" if small else label


def has_small_weights(entry: Entry, weights: str | Path, parameters: Mapping[str, Any]) -> bool:
    """Whether `load` with these weights and parameters builds the small form of a network.

    Raises:
        UserError: as for `weights_file`, or the file is broken.
    """
    from cleansemg.core import weight_files

    saved = weight_files.read_info(weights_file(entry, weights)).get("parameters", {})
    return is_small(entry, {**entry.parameters, **saved, **parameters})


def is_neural(cls: type[Denoiser]) -> bool:
    """Whether a denoiser's class has a network."""
    return hasattr(cls, "network")


def weights_file(entry: Entry, weights: str | Path) -> Path:
    """The file that the argument `weights` of `load` means.

    Raises:
        UserError: the weights "pretrained" or "open" do not exist for this network.
    """
    if weights == PRETRAINED:
        return pretrained_weights(entry)
    if weights == OPEN:
        return open_weights(entry)
    return Path(weights)


def pretrained_weights(entry: Entry) -> Path:
    """The file of the weights that come with the project.

    Raises:
        UserError: there are none for this network; the message tells how to train it.
    """
    from cleansemg.core import weight_files

    path = WEIGHTS_FOLDER / f"{entry.name}.safetensors"
    if not path.exists():
        weight_files.require_some(WEIGHTS_FOLDER)
        raise UserError(
            f"denoiser '{entry.name}' comes without weights; train it: "
            f"cleansemg run --config demo --set train.models=[{entry.name}], then give its file as weights "
            "(None gives a fresh network)"
        )
    return path


def open_weights(entry: Entry) -> Path:
    """The file of the weights that were fine-tuned on the open recordings.

    Raises:
        UserError: there are none for this network; the message names the networks that have them.
    """
    folder = WEIGHTS_FOLDER / OPEN
    path = folder / f"{entry.name}.safetensors"
    if not path.exists():
        there = ", ".join(sorted(file.stem for file in folder.glob("*.safetensors"))) or "none"
        raise UserError(
            f"denoiser '{entry.name}' comes without weights fine-tuned on open recordings (those that do: {there}); "
            "take weights=pretrained, or make them: cleansemg run --config configs/open.yaml"
        )
    return path


def _with_weights(entry: Entry, path: Path, parameters: dict[str, Any]) -> Denoiser:
    from cleansemg.core import weight_files

    state, info = weight_files.read(path)
    owner = info.get("denoiser", entry.name)
    if owner != entry.name:
        raise UserError(f"{path}: weights of '{owner}', not of '{entry.name}'")
    saved = info.get("parameters", {})
    if not info:
        from cleansemg.denoising.neural import PUBLISHED_SCALING

        published = load_class(entry.target).from_published(state)
        if published is not None:
            saved, state = {**PUBLISHED_SCALING, **published[0]}, published[1]
    denoiser = _build(entry, {**saved, **parameters})
    weight_files.fit_into(denoiser.network, state, str(path))  # type: ignore[attr-defined]
    return denoiser


def _build(entry: Entry, parameters: dict[str, Any]) -> Denoiser:
    denoiser: Denoiser = entry.build(**parameters)
    return denoiser
