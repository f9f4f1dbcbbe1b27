"""Reports as a table for a terminal: one row a channel."""

from __future__ import annotations

from collections.abc import Sequence

from cleansemg.recordings.report import ChannelReport

HEADINGS = ("channel", "length", "RMS", "SNR, dB", "noise", "line", "MDF, Hz", "clipped", "flat", "gaps")
LIKELY = 0.5  # kinds of noise are named from this probability on


def lines_of(reports: Sequence[ChannelReport]) -> list[str]:
    """The table's lines, headings first; '-' where nothing could be read, or nothing is there."""
    rows = [HEADINGS, *(_cells(report) for report in reports)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _cells(report: ChannelReport) -> tuple[str, ...]:
    return (
        report.name,
        _length(report.duration_s),
        "-" if report.rms is None else f"{report.rms:.3g} {report.unit}",
        _snr(report),
        _kinds(report),
        _line(report),
        "-" if report.median_frequency_hz is None else f"{report.median_frequency_hz:.0f}",
        f"{100 * report.clipped_share:.2g} %" if report.clipped_share else "-",
        f"{report.flat.count}, {report.flat.seconds:.3g} s" if report.flat.count else "-",
        f"{report.gaps.count}, {report.gaps.seconds:.3g} s" if report.gaps.count else "-",
    )


def _length(seconds: float) -> str:
    return f"{seconds / 60:.3g} min" if seconds >= 120 else f"{seconds:.3g} s"


def _snr(report: ChannelReport) -> str:
    if report.snr is None:
        return "-"
    snr = report.snr
    spread = "" if snr.low_db is None or snr.high_db is None else f" ({snr.low_db:.1f} to {snr.high_db:.1f})"
    return f"{snr.median_db:.1f}{spread}"


def _kinds(report: ChannelReport) -> str:
    if report.kinds is None:
        return "-"
    likely = sorted(((p, kind) for kind, p in report.kinds.items() if p >= LIKELY), reverse=True)
    return ", ".join(f"{kind} {100 * p:.0f} %" for p, kind in likely) or "none"


def _line(report: ChannelReport) -> str:
    line = report.line
    if not line.present or line.peak_hz is None or line.level_db is None:
        return "-"
    others = "".join(f", {k * line.mains_hz:.0f}" for k in line.harmonics[1:] if line.mains_hz)
    return f"{line.peak_hz:.2f} Hz +{line.level_db:.0f} dB{others}"
