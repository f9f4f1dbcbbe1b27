"""Extract clean surface EMG: quality control, grading, split by subject, and segments of every part."""

from cleansemg.core.commandline import stage_script
from cleansemg.training.quality import extraction

if __name__ == "__main__":
    stage_script(extraction.extract_semg, __doc__ or "")
