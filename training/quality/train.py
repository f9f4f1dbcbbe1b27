"""Fit the quality models of a configuration; steps before this one that were not run are run first."""

from cleansemg.core.commandline import stage_script
from cleansemg.training.quality import fitting

if __name__ == "__main__":
    stage_script(fitting.run, __doc__ or "")
