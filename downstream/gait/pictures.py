"""Figure of a section of a recording with the gait states detected in it."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.npz import atomic_write
from cleansemg.data_pipeline.readers.gait_states import NONE, STATES
from cleansemg.data_pipeline.recording import Recording

COLOURS = ("#ffffff", "#cfe3f3", "#f9d9a8", "#cdebd3", "#f3c7c7")  # none, stand, start, walk, stop
POINTS = 4000  # more points do not improve the plot


def states(recording: Recording, switches: NDArray[np.float64], path: Path, muscle: int = 0) -> None:
    """Draw both footswitches and one muscle over the states, as a PNG file.

    Args:
        recording: has one label for each sample, see `LongWalkingReader`.
        switches: [2, T] footswitch signals, V.
        path: the file to write.
        muscle: index of the channel.

    Raises:
        ValueError: the recording has no labels of samples.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    if recording.label is None:
        raise ValueError(f"{recording.subject}: no label a sample")
    label = recording.label
    n_samples = len(label)
    seconds = np.arange(n_samples) / recording.fs_hz
    figure = Figure(figsize=(8.0, 4.2), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(3, 1, sharex=True)
    tracks = [(switches[0, :n_samples], "left foot, V"), (switches[1, :n_samples], "right foot, V"),
              (1e6 * recording.signal[muscle], f"{recording.channels[muscle]}, uV")]  # fmt: skip
    edges = [0, *(np.flatnonzero(np.diff(label)) + 1).tolist(), n_samples - 1]
    step = max(1, n_samples // POINTS)
    for axis, (track, name) in zip(axes, tracks, strict=True):
        for begin, end in itertools.pairwise(edges):
            axis.axvspan(seconds[begin], seconds[end], color=COLOURS[label[begin]], lw=0)
        axis.plot(seconds[::step], track[::step], color="#333333", lw=0.6)
        axis.set_ylabel(name, fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("seconds")
    names = ("no label", *STATES)
    there = [number for number in range(NONE, len(names)) if (label == number).any()]
    handles = [Patch(facecolor=COLOURS[number], edgecolor="#999999", label=names[number]) for number in there]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    atomic_write(path, buffer.getvalue())
