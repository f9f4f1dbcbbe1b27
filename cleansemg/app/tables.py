"""One channel's quality before and after, as a table of the page."""

from __future__ import annotations

from typing import Any

from cleansemg.recordings import ChannelReport
from cleansemg.recordings.summary_table import LIKELY

NOTHING = "–"


def quality_rows(report: ChannelReport) -> list[tuple[str, str]]:
    """Names of the measures with their values as a person reads them."""
    return [
        ("Predicted SNR", _snr(report)),
        ("Kinds of noise", _kinds(report)),
        ("Power line", _line(report)),
        ("RMS", NOTHING if report.rms is None else f"{report.rms:.3g} {report.unit}"),
        ("Median frequency", _hz(report.median_frequency_hz)),
        ("Mean frequency", _hz(report.mean_frequency_hz)),
        ("Clipped samples", f"{100 * report.clipped_share:.2g} %" if report.clipped_share else "none"),
        ("Flat parts", f"{report.flat.count} ({report.flat.seconds:.3g} s)" if report.flat.count else "none"),
        ("Gaps", f"{report.gaps.count} ({report.gaps.seconds:.3g} s)" if report.gaps.count else "none"),
    ]


def quality_table(before: ChannelReport, after: ChannelReport | None) -> Any:
    """The table."""
    from dash import html

    rows = quality_rows(before)
    values = [[value] for _, value in rows]
    if after is not None:
        for cells, (_, value) in zip(values, quality_rows(after), strict=True):
            cells.append(value)
    headings = ["", "before"] + ([] if after is None else ["after"])
    return html.Table(
        [
            html.Thead(html.Tr([html.Th(text, scope="col") for text in headings])),
            html.Tbody(
                [
                    html.Tr([html.Th(name, scope="row"), *(html.Td(cell) for cell in cells)])
                    for (name, _), cells in zip(rows, values, strict=True)
                ]
            ),
        ],
        className="quality",
        id="quality-table",
    )


def length_text(seconds: float) -> str:
    """A duration as a person says it."""
    return f"{seconds / 60:.4g} min" if seconds >= 120 else f"{seconds:.3g} s"


def _snr(report: ChannelReport) -> str:
    snr = report.snr
    if snr is None:
        return NOTHING
    spread = "" if snr.low_db is None or snr.high_db is None else f" ({snr.low_db:.1f} to {snr.high_db:.1f})"
    return f"{snr.median_db:.1f} dB{spread}"


def _kinds(report: ChannelReport) -> str:
    if report.kinds is None:
        return NOTHING
    likely = sorted(((p, kind) for kind, p in report.kinds.items() if p >= LIKELY), reverse=True)
    return ", ".join(f"{kind} {100 * p:.0f} %" for p, kind in likely) or "none"


def _line(report: ChannelReport) -> str:
    line = report.line
    if not line.present or line.peak_hz is None or line.level_db is None:
        return "none found" if line.mains_hz is not None else NOTHING
    more = len(line.harmonics) - 1
    others = f", {more} harmonic{'s' if more > 1 else ''}" if more else ""
    return f"{line.peak_hz:.2f} Hz, +{line.level_db:.0f} dB{others}"


def _hz(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0f} Hz"
