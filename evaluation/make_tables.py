"""Make Table 1 and its companions from what the denoisers reached.

Writes tables/table1.csv, .md, .tex, the SNR by number of kinds table, the table by kind of noise, and a
picture of SNR improvement over SNR.
"""

from cleansemg.core.commandline import stage_script
from cleansemg.evaluation import tables

if __name__ == "__main__":
    stage_script(tables.run, __doc__ or "")
