"""Give every subject to train, valid or test.

Reads the grades; writes segments/split.yaml.
"""

from cleansemg.core.commandline import stage_script
from cleansemg.data_pipeline import subject_split

if __name__ == "__main__":
    stage_script(subject_split.run, __doc__ or "")
