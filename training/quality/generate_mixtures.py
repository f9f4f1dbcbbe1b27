"""Fix the mixtures that models are chosen by and tested on (and those of a published training set)."""

from cleansemg.core.commandline import stage_script
from cleansemg.training.quality import mixtures

if __name__ == "__main__":
    stage_script(mixtures.run, __doc__ or "")
