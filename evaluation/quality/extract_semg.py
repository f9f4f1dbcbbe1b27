"""Extract clean surface EMG: quality control, grading, split by subject, and segments of every part."""

from core.commandline import stage_script
from evaluation.quality import extraction

if __name__ == "__main__":
    stage_script(extraction.extract_semg, __doc__ or "")
