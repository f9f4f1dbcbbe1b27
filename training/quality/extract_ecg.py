"""Extract the noise of every part: ECG, or all kinds that the configuration names."""

from cleansemg.core.commandline import stage_script
from cleansemg.training.quality import extraction

if __name__ == "__main__":
    stage_script(extraction.extract_ecg, __doc__ or "")
