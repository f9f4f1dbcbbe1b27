"""Make the noise libraries of a configuration: one for train, one for valid, one for test.

    python noise/noise_generator.py --config configs/demo.yaml --output outputs/demo

Reads the section `noise`: for each kind of noise one source or several, entries of
configs/noises/. A piece of noise is 200 s long (`noise.piece_s`), at the rate of the segments
(`segment.fs_hz`), band-passed (`noise.band_hz`). No recording, and no draw, serves two parts.

Writes noise/sEMG_noise_train, _valid and _test below the output folder: npz shards, a manifest, and
failures.csv with the records that could not be used. Next: evaluation/generate_test_data.py.
"""

from cleansemg.core.commandline import stage_script
from cleansemg.noise.library import build_libraries

if __name__ == "__main__":
    stage_script(build_libraries, __doc__ or "")
