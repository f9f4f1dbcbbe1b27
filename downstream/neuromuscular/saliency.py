"""Attribution of a network's answer to samples: three methods (captum), drawn over the waveform."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cleansemg.core.npz import atomic_write
from cleansemg.core.seeding import generator
from cleansemg.downstream.common.task import Examples, Float32, Int64
from cleansemg.downstream.neuromuscular.networks import ConvNet, OnImages

STEPS = 64  # of the integral in integrated gradients
PER_CLASS = 2
SMOOTH = 15  # length in samples of the moving average that smooths a map before drawing
METHODS = ("saliency", "integrated gradients", "Grad-CAM")
SIGNED = "integrated gradients"
COLOURS = {True: "coolwarm", False: "viridis_r"}


@dataclass(frozen=True)
class Shown:
    """A window with its title and its attribution maps."""

    waveform: NDArray[np.float64]  # [L]
    title: str
    maps: dict[str, NDArray[np.float64]]  # method -> [L]


def attributions(network: ConvNet | OnImages, x: Float32, y: Int64) -> dict[str, NDArray[np.float64]]:
    """Attribute the logit of a class to the samples of a window.

    saliency: |d logit / d x| (Simonyan et al. 2014). integrated gradients: signed, with silence as the baseline; their
    sum is the difference of the logit from that of silence (Sundararajan et al. 2017). Grad-CAM: of the last block, not
    negative, averaged over frequency and interpolated to the samples (Selvaraju et al. 2017).

    Args:
        network: a fitted network.
        x: [n, 1, L] windows.
        y: [n] classes whose logits are attributed.

    Returns:
        Method -> [n, L], in the order of `METHODS`.
    """
    from captum.attr import IntegratedGradients, LayerGradCam, Saliency

    network.eval()
    inputs = torch.from_numpy(np.array(x, np.float32)).requires_grad_()
    target = torch.from_numpy(np.array(y, np.int64))
    gradient = Saliency(network).attribute(inputs, target=target)  # [n, 1, L]
    integral = IntegratedGradients(network).attribute(
        inputs, torch.zeros_like(inputs), target=target, n_steps=STEPS, internal_batch_size=256
    )  # [n, 1, L]
    maps = LayerGradCam(network, network.body).attribute(inputs, target=target, relu_attributions=True)
    if maps.dim() == 4:
        maps = maps.mean(dim=2)  # [n, 1, F', T'] -> [n, 1, T']
    stretched = torch.nn.functional.interpolate(maps, size=inputs.shape[-1], mode="linear", align_corners=False)
    maps = (gradient, integral, stretched)
    return {name: one.detach()[:, 0].double().numpy() for name, one in zip(METHODS, maps, strict=True)}


def choose(examples: Examples, seed: int, classes: Sequence[str], per_class: int = PER_CLASS) -> Int64:
    """Select `per_class` windows of each class, from different people as far as possible; returns their rows."""
    selected: list[int] = []
    for y in range(len(classes)):
        rows = generator(seed, "downstream", "saliency", classes[y]).permutation(np.flatnonzero(examples.y == y))
        _, first = np.unique(examples.person[rows], return_index=True)
        rest = np.setdiff1d(np.arange(len(rows)), first)
        selected += rows[np.concatenate([np.sort(first), rest])][:per_class].tolist()
    return np.array(selected, np.int64)


def explain(network: ConvNet | OnImages, examples: Examples, classes: Sequence[str]) -> list[Shown]:
    """Compute the attributions of each window for the class that the network predicts."""
    with torch.no_grad():
        chance = torch.softmax(network.eval()(torch.from_numpy(np.array(examples.x, np.float32))), dim=1).numpy()
    answer = chance.argmax(axis=1)
    maps = attributions(network, examples.x, answer)
    return [
        Shown(
            waveform=examples.x[i, 0].astype(np.float64),
            title=f"{classes[examples.y[i]]} ({examples.person[i]}), answer: {classes[answer[i]]} "
            f"{100 * chance[i, answer[i]]:.0f} %",
            maps={name: values[i] for name, values in maps.items()},
        )
        for i in range(len(examples))
    ]


def draw(path: Path, shown: Sequence[Shown], fs_hz: float, title: str) -> None:
    """Draw one row for each window and one column for each method: the waveform, coloured by attribution.

    Colours of saliency and Grad-CAM range from little to much, those of integrated gradients from against the answer
    (blue) to for it (red). Colours are scaled to the 99th percentile of each panel.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15.0, 1.75 * len(shown) + 0.9), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(shown), len(METHODS), sharex=True, sharey="row", squeeze=False)
    for row, window in enumerate(shown):
        for column, (method, values) in enumerate(window.maps.items()):
            axes = panels[row, column]
            _colour(axes, window.waveform, values, fs_hz, signed=method == SIGNED)
            if column == 0:
                axes.set_title(window.title, fontsize=9, loc="left")
                axes.set_ylabel("standard\ndeviations", fontsize=8)
            if row == 0:
                axes.text(0.5, 1.22, method, transform=axes.transAxes, ha="center", fontsize=11, fontweight="bold")
            if row == len(shown) - 1:
                axes.set_xlabel("time (s)")
                ends = ("against", "for the answer") if method == SIGNED else ("little", "much")
                _key(figure, panels[:, column], ends, signed=method == SIGNED)
    figure.suptitle(title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, buffer.getvalue())


def _key(figure: Any, panels: Any, ends: tuple[str, str], signed: bool) -> None:
    from matplotlib.cm import ScalarMappable

    scale = ScalarMappable(cmap=COLOURS[signed])
    bar = figure.colorbar(scale, ax=list(panels), location="bottom", shrink=0.4, aspect=40, ticks=[0, 1])
    bar.ax.set_xticklabels(ends, fontsize=8)


def _colour(axes: Any, waveform: NDArray[np.float64], values: NDArray[np.float64], fs_hz: float, signed: bool) -> None:
    from matplotlib.collections import LineCollection

    time_s = np.arange(len(waveform)) / fs_hz
    smooth = np.convolve(values, np.full(SMOOTH, 1 / SMOOTH), mode="same")
    top = max(float(np.quantile(np.abs(smooth), 0.99)), np.finfo(float).tiny)
    points = np.column_stack([time_s, waveform])
    segments = list(np.stack([points[:-1], points[1:]], axis=1))  # [L - 1, 2, 2]
    line = LineCollection(segments, cmap=COLOURS[signed], linewidths=0.9)
    line.set_array(smooth[:-1])
    line.set_clim(-top if signed else 0.0, top)
    axes.add_collection(line)
    axes.set_xlim(0, time_s[-1])
    reach = 1.05 * max(float(np.abs(waveform).max()), 1e-12)
    axes.set_ylim(-reach, reach)
    axes.spines[["top", "right"]].set_visible(False)
