"""A user's own recording: how good it is, and a denoised copy of it.

from cleansemg.formats import open_file
from cleansemg.recordings import DenoiseOptions, assess_file, clean_file

with open_file("biceps.csv") as recording:
    print(assess_file(recording).reports)
    done = clean_file(recording, DenoiseOptions(output=Path("biceps_denoised.csv"), report=Path("report.json")))
"""

from cleansemg.recordings.assessment import Assessed, assess_file, report_of
from cleansemg.recordings.cleaning import Cleaned, clean_file
from cleansemg.recordings.options import DenoiseOptions
from cleansemg.recordings.report import ChannelReport, RecordingMeter, as_json, quality_model

__all__ = [
    "Assessed",
    "ChannelReport",
    "Cleaned",
    "DenoiseOptions",
    "RecordingMeter",
    "as_json",
    "assess_file",
    "clean_file",
    "quality_model",
    "report_of",
]
