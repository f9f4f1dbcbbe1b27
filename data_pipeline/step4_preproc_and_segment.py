"""Cut the kept trials into clean segments: band-pass, resampling, windows.

Reads the enabled data sets, the grades and the split; writes segments/data_crossDB_seg2s/PART/.
"""

from cleansemg.core.commandline import stage_script
from cleansemg.data_pipeline import segmentation

if __name__ == "__main__":
    stage_script(segmentation.run, __doc__ or "")
