"""The number of segments in a stretch of a recording."""

from __future__ import annotations

from cleansemg.core import dsp
from cleansemg.data_pipeline.settings import Segment


def n_windows(n_samples: int, fs_hz: float, segment: Segment) -> int:
    """Number of whole windows after resampling; the tail is dropped.

    Args:
        n_samples: length of the stretch, in samples at the native rate.
        fs_hz: the native rate in hertz.
        segment: the settings.

    >>> n_windows(9999, 2000.0, Segment()), n_windows(3999, 2000.0, Segment()), n_windows(3998, 2000.0, Segment())
    (2, 1, 0)
    """
    return dsp.resampled_length(n_samples, fs_hz, segment.fs_hz) // segment.window_samples
