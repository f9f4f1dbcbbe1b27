"""Extract the noise of every part: ECG, or all kinds that the configuration names."""

from core.commandline import stage_script
from evaluation.quality import extraction

if __name__ == "__main__":
    stage_script(extraction.extract_ecg, __doc__ or "")
