"""The first two steps: clean surface EMG and noise, made by the stages of the benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleansemg.core.layout import Layout
from cleansemg.core.stage import Report, RunOptions

if TYPE_CHECKING:
    from cleansemg.settings import Settings


def extract_semg(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Clean segments of every part: quality control, grading, split, segmentation.

    Raises:
        UserError: as those stages do; a data set that is missing, a subject that the split does not know.
    """
    from cleansemg.data_pipeline import grading, qc, segmentation, subject_split

    reports = [stage(settings, layout, options) for stage in (qc.run, grading.run, subject_split.run, segmentation.run)]
    lines = [f"{report.stage}: {line}" for report in reports for line in report.lines]
    return Report("extract_semg", tuple(lines), sum(report.n_failures for report in reports))


def extract_ecg(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Noise of every part: ECG alone in the published protocol, all kinds of `noise.kinds` in general.

    Raises:
        UserError: as the noise stage does.
    """
    from cleansemg.noise import library

    report = library.build_libraries(settings, layout, options)
    return Report("extract_ecg", report.lines, report.n_failures)
