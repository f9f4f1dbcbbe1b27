"""A user's own recording: how good it is, and a denoised copy of it.

from data_pipeline.signal_files import open_file
from evaluation.recordings import Order, assess_file, clean_file

with open_file("biceps.csv") as recording:
    print(assess_file(recording).reports)
    done = clean_file(recording, Order(output=Path("biceps_denoised.csv"), report=Path("report.json")))
"""

from evaluation.recordings.assessing import Assessed, assess_file, report_of
from evaluation.recordings.cleaning import Cleaned, clean_file
from evaluation.recordings.orders import Order
from evaluation.recordings.report import ChannelReport, RecordingMeter, as_json, quality_model

__all__ = [
    "Assessed",
    "ChannelReport",
    "Cleaned",
    "Order",
    "RecordingMeter",
    "as_json",
    "assess_file",
    "clean_file",
    "quality_model",
    "report_of",
]
