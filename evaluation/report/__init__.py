"""One self-contained page about a finished run: `make_report`, behind `cleansemg report`."""

from cleansemg.evaluation.report.page import make_report

__all__ = ["make_report"]
