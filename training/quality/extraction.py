"""The first two steps: clean surface EMG and noise, from the stages of the benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleansemg.core.layout import Layout
from cleansemg.core.stage import Report, RunOptions

if TYPE_CHECKING:
    from cleansemg.settings import Settings


def extract_semg(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Make the clean segments of every part: quality control, grading, split, segmentation.

    Raises:
        UserError: as those stages do, e.g. for a missing data set or a subject that is not in the split.
    """
    from cleansemg.data_pipeline import grading, qc, segmentation, subject_split

    reports = [stage(settings, layout, options) for stage in (qc.run, grading.run, subject_split.run, segmentation.run)]
    lines = [f"{report.stage}: {line}" for report in reports for line in report.lines]
    return Report("extract_semg", tuple(lines), sum(report.n_failures for report in reports))


def extract_ecg(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Make the noise of every part: all kinds of `noise.kinds`; in the published protocol, only ECG.

    Raises:
        UserError: as the noise stage does.
    """
    from cleansemg.noise import library

    report = library.build_libraries(settings, layout, options)
    return Report("extract_ecg", report.lines, report.n_failures)
