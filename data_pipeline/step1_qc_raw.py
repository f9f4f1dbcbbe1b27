"""Measure the quality of every trial and channel of the raw recordings.

Reads the enabled data sets; writes preprocessed/DATABASE/, with logs/qc_index.csv to look at.
"""

from cleansemg.core.commandline import stage_script
from cleansemg.data_pipeline import qc

if __name__ == "__main__":
    stage_script(qc.run, __doc__ or "")
