"""Denoisers one after the other: `line_interpolation+vmd` takes out the power line, and then does what `vmd` does.

Each link gets the output of the one before it. A signal processing method that removes one kind of noise all but
perfectly leaves the next link a signal that is nearer to what that was made for or fitted to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError, did_you_mean
from cleansemg.core.registry import find
from cleansemg.denoising.base import Denoiser, FloatArray
from cleansemg.denoising.causal import CausalDenoiser
from cleansemg.noise.labels import NoiseLabels

SEPARATOR = "+"
LINK_KEYS = ("name", "weights", "parameters")

LinkLike = str | Mapping[str, Any]
ChainLike = str | Sequence[LinkLike]


@dataclass(frozen=True)
class Link:
    """One denoiser of a chain.

    Attributes:
        name: what `denoising.load` takes for one denoiser.
        weights: of a network; None where the chain says nothing, so that those of the call count.
        parameters: over those of the denoiser's YAML.
    """

    name: str
    weights: str | Path | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


def links_of(chain: ChainLike, parameters: Mapping[str, Any] | None = None) -> tuple[Link, ...]:
    """The links of a chain; a denoiser alone is a chain of one.

    Args:
        chain: names with "+" between them, or a sequence whose items are names or mappings with `name` and, where
            wanted, `weights` and `parameters`.
        parameters: of one denoiser by their names; of several as LINK.PARAMETER, over those in `chain`.

    Raises:
        UserError: no link, an empty name, a chain in a chain, an unknown key, or a parameter of no link.

    >>> [link.name for link in links_of("line_interpolation+vmd")]
    ['line_interpolation', 'vmd']
    >>> links_of(["line_interpolation", "vmd"], {"vmd.k": 5})[1].parameters
    {'k': 5}
    """
    if isinstance(chain, str):
        links = [Link(name.strip()) for name in chain.split(SEPARATOR)]
    else:
        links = [_link(item) for item in chain]
    if not links:
        raise UserError("a chain without links; name at least one denoiser, as in [line_interpolation, vmd]")
    if not all(link.name for link in links):
        raise UserError(f"chain {chain!r}: a link without a name; write it as line_interpolation+vmd")
    return _with_parameters(links, parameters or {})


def _link(item: LinkLike) -> Link:
    if isinstance(item, str):
        item = {"name": item}
    if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
        raise UserError(f"chain: a link is {item!r}; a link is the name of a denoiser, or a mapping with a name")
    if "chain" in item or SEPARATOR in item["name"]:
        raise UserError(f"chain: the link {item['name']!r} is a chain itself; name its links one by one")
    for key in item:
        if key not in LINK_KEYS:
            raise UserError(f"chain: link '{item['name']}': unknown key '{key}'{did_you_mean(str(key), LINK_KEYS)}")
    return Link(item["name"].strip(), item.get("weights"), dict(item.get("parameters") or {}))


def _with_parameters(links: Sequence[Link], parameters: Mapping[str, Any]) -> tuple[Link, ...]:
    if len(links) == 1:
        return (Link(links[0].name, links[0].weights, {**links[0].parameters, **parameters}),)
    added: list[dict[str, Any]] = [{} for _ in links]
    for key, value in parameters.items():
        owner, _, name = key.rpartition(".")
        numbers = [i for i, link in enumerate(links) if owner in (link.name, find("denoisers", link.name).name)]
        if not owner or not numbers:
            example = f"{links[0].name}.{name}"
            raise UserError(f"parameter '{key}' belongs to no link of {title_of(links)}; write LINK.NAME, as {example}")
        for number in numbers:
            added[number][name] = value
    return tuple(
        Link(link.name, link.weights, {**link.parameters, **more}) for link, more in zip(links, added, strict=True)
    )


def is_chain(name: str) -> bool:
    """Whether a name stands for several denoisers.

    >>> is_chain("hp"), is_chain("line_interpolation+hp")
    (False, True)
    """
    return SEPARATOR in name


def title_of(links: Sequence[Link]) -> str:
    """What a chain is called: the names of its links, as the registry has them; a folder can have that name.

    Raises:
        UserError: a link that no denoiser is called.
    """
    return SEPARATOR.join(find("denoisers", link.name).name for link in links)


def title(name: str) -> str:
    """What results of a denoiser or a chain are called, for a name, an alias, or several with "+" between them.

    Raises:
        UserError: a name that no denoiser has.

    >>> title("spectral_interpolation+HP")
    'line_interpolation+hp'
    """
    return title_of(links_of(name))


class Chain(Denoiser):
    """Several denoisers as one. It has the tracks that all its links have, and each gets the labels.

    Attributes:
        links: the denoisers, in order, each for any rate.
    """

    def __init__(self, links: Sequence[Denoiser]) -> None:
        """Join denoisers.

        Args:
            links: at least one, each for any rate (`resampled.with_resampling`).

        Raises:
            UserError: no link, or no track that all links have.
        """
        if not links:
            raise UserError("a chain without links; name at least one denoiser, as in [line_interpolation, vmd]")
        self.links = tuple(links)
        self.name = SEPARATOR.join(link.name for link in links)
        self.tracks = common_tracks([link.tracks for link in links])
        if not self.tracks:
            listed = "; ".join(f"{link.name}: {', '.join(link.tracks)}" for link in links)
            raise UserError(f"chain {self.name}: its links have no track in common ({listed})")
        self.needs_labels = any(link.needs_labels for link in links)
        lowest = [link.lowest_hz for link in links if link.lowest_hz is not None]
        self.lowest_hz = max(lowest, default=None)
        self.min_samples = max(link.min_samples for link in links)
        self.sign_equivariant = all(link.sign_equivariant for link in links)
        self.scale_tolerance = sum(link.scale_tolerance for link in links)
        self.uses_quality_network = any(link.uses_quality_network for link in links)

    def shortest(self, fs_hz: float) -> int:
        """How many samples a signal has at least: as many as the most demanding link needs.

        Raises:
            InputError: a rate that a link refuses.
        """
        return max(link.shortest(fs_hz) for link in self.links)

    def causal(self, fs_hz: float, n_channels: int) -> CausalDenoiser | None:
        """The causal forms of the links, one after the other; None where one has none."""
        forms = [link.causal(fs_hz, n_channels) for link in self.links]
        whole = [form for form in forms if form is not None]
        return CausalChain(fs_hz, n_channels, whole) if len(whole) == len(forms) else None

    def _denoise(self, noisy: NDArray[np.float64], fs_hz: float, labels: NoiseLabels | None) -> FloatArray:
        estimate: FloatArray = noisy
        for link in self.links:
            estimate = link.denoise(estimate, fs_hz, labels)
        return estimate


class CausalChain(CausalDenoiser):
    """Causal denoisers one after the other; group delays add up."""

    def __init__(self, fs_hz: float, n_channels: int, links: Sequence[CausalDenoiser]) -> None:
        """Join causal forms that were made for this rate and number of channels."""
        super().__init__(fs_hz, n_channels)
        self.links = tuple(links)
        self.delay_s = sum(link.delay_s for link in links)
        self._starting = [True] * self.n_channels

    def _start(self, channel: int, first: float) -> None:
        self._starting[channel] = True  # a later link starts with the first output of the one before

    def _run(self, channel: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
        for link in self.links:
            if self._starting[channel]:
                link._start(channel, float(x[0]))
            x = link._run(channel, x)
        self._starting[channel] = False
        return x


def common_tracks(tracks: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Those that all have, in the order of the first."""
    return tuple(track for track in tracks[0] if all(track in others for others in tracks))
