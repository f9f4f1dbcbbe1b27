"""Fit the quality models of a configuration; steps before this one that were not run are run first."""

from core.commandline import stage_script
from evaluation.quality import fitting

if __name__ == "__main__":
    stage_script(fitting.run, __doc__ or "")
