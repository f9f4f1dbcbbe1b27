"""Mix the fixed test set: every test segment with noise of known kinds at known SNR.

Reads the test segments and the test noise library of the run; writes test_data/combined/ and
test_data/grid/ and, beside them, the single file test_combined.npz.
"""

from cleansemg.core.commandline import stage_script
from cleansemg.evaluation import test_set

if __name__ == "__main__":
    stage_script(test_set.run, __doc__ or "")
