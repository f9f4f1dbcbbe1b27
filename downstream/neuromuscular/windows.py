"""Cut a stream of one channel into windows of one class."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from cleansemg.core.errors import ItemError
from cleansemg.downstream.common.task import Examples, Int64, Stream

LABELS = {"control": 1, "myopathy": 2, "neuropathy": 3}  # labels in the data sets of this task


def cut(stream: Stream, classes: Sequence[str], window: int, hop: int) -> Examples:
    """Cut windows with a constant label of one of the classes; each is scaled to zero mean and unit variance.

    Args:
        stream: a stream of one channel.
        classes: names of `LABELS`, in the order of the classes; other classes yield no windows.
        window: length of a window, samples.
        hop: step from window to window, samples.

    Returns:
        Examples with x [n, 1, window], float32; a constant window is all 0.

    Raises:
        ItemError: several channels, a sample that is not finite, an unknown label, or no section of a class as long as
            a window.
    """
    if len(stream.channels) != 1:
        names = ", ".join(stream.channels)
        raise ItemError(f"{stream.key}: {len(stream.channels)} channels ({names}), one is needed; "
                        f"choose it with datasets.{stream.database}.parameters.channels")  # fmt: skip
    signal = stream.signal[0]
    if not np.isfinite(signal).all():
        at = int(np.flatnonzero(~np.isfinite(signal))[0])
        raise ItemError(f"{stream.key}: sample {at} of {len(signal)} is not a number; mend or remove the recording")
    unknown = sorted(set(np.unique(stream.label).tolist()) - {0, *LABELS.values()})
    if unknown:
        raise ItemError(f"{stream.key}: label {unknown[0]}; this task has {_names()} and 0 for none")
    y_of = {LABELS[name]: y for y, name in enumerate(classes)}
    start = starts(stream.label, sorted(y_of), window, hop)
    wanted = np.isin(stream.label, list(y_of))
    if wanted.any() and not len(start):
        raise ItemError(
            f"{stream.key}: no stretch of a class is as long as a window ({window} samples, "
            f"{window / stream.fs_hz:g} s); the recording has {len(signal)} samples, {wanted.sum()} of them labelled; "
            "lower downstream.parameters.window_samples or remove the recording"
        )
    x = signal[start[:, None] + np.arange(window)].astype(np.float64)  # [n, window]
    x -= x.mean(axis=1, keepdims=True)
    spread = x.std(axis=1, keepdims=True)
    x = np.divide(x, spread, out=np.zeros_like(x), where=spread > 0)
    n = len(start)
    return Examples(
        x=x[:, None].astype(np.float32),
        y=np.array([y_of[int(label)] for label in stream.label[start]], np.int64),
        person=np.full(n, stream.person),
        stream=np.full(n, stream.key),
        start=start,
        repetition=stream.repetition[start],
    )


def starts(label: Int64, wanted: Sequence[int], window: int, hop: int) -> Int64:
    """First samples of the windows in runs of a wanted label; the first window of a run starts at its beginning.

    >>> starts(np.array([0, 1, 1, 1, 1, 1, 2, 2]), [1, 2], 2, 2).tolist()
    [1, 3, 6]
    """
    edge = np.concatenate([[0], np.flatnonzero(np.diff(label)) + 1, [len(label)]])
    causes = [
        np.arange(first, stop - window + 1, hop)
        for first, stop in itertools.pairwise(edge.tolist())
        if stop > first and label[first] in wanted
    ]
    return np.concatenate([np.empty(0, np.int64), *causes]).astype(np.int64)


def _names() -> str:
    return ", ".join(f"{number} {name}" for name, number in LABELS.items())
