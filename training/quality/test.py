"""Predict SNR and kinds of noise of the test mixtures; tables and a scatter plot."""

from cleansemg.core.commandline import stage_script
from cleansemg.training.quality import testing

if __name__ == "__main__":
    stage_script(testing.run, __doc__ or "")
