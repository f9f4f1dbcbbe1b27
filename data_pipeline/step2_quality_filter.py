"""Grade every trial and channel, and say what is kept and why the rest is not.

Reads the quality measures of the enabled data sets; writes preprocessed/grades/, with grades.csv and
grades_summary.csv to look at.
"""

from cleansemg.core.commandline import stage_script
from cleansemg.data_pipeline import grading

if __name__ == "__main__":
    stage_script(grading.run, __doc__ or "")
