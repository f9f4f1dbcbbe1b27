"""Measure the quality of every trial and channel of the raw recordings.

Reads the enabled data sets; writes preprocessed/DATABASE/, with logs/qc_index.csv to look at.
"""

from core.commandline import stage_script
from data_pipeline import qc

if __name__ == "__main__":
    stage_script(qc.run, __doc__ or "")
