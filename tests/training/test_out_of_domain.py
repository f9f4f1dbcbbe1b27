"""Nothing is fitted, calibrated or selected on the people of the out-of-domain test."""

from __future__ import annotations

import json

import numpy as np
from safetensors.numpy import load_file

from cleansemg.core.layout import Layout
from cleansemg.core.settings import OUT_OF_DOMAIN
from tests.pipeline_runs import SMALL, run

ELSEWHERE = (
    "datasets.elsewhere={class: simulated, part: out_of_domain, "
    "parameters: {n_subjects: 2, n_channels: 2, n_gestures: 1, n_repetitions: 1, seed: 7}}"
)


def test_fitting_and_calibration_do_not_read_its_segments(tmp_path):
    """With the folder emptied of everything readable, the same weights and parameters come out as without the people."""
    settings = [*SMALL, "train.models=[fcn]"]
    fitted = []
    for name, more in (("without", []), ("with", [ELSEWHERE])):
        folder = tmp_path / name
        run(folder, "--stages", "qc,grade,split,segment,noise", settings=[*settings, *more])
        segments = Layout(folder).segments(OUT_OF_DOMAIN)
        if more:
            assert list(segments.glob("*.npz"))
            for path in segments.iterdir():
                path.write_bytes(b"nobody reads this")
        run(folder, "--stages", "calibrate,train", settings=[*settings, *more])
        calibrated = json.loads((Layout(folder).weights_classical / "tradition_params.json").read_text())["methods"]
        fitted.append((load_file(Layout(folder).weights("fcn") / "best.safetensors"), calibrated))
    for key, values in fitted[0][0].items():
        np.testing.assert_array_equal(values, fitted[1][0][key])
    assert fitted[0][1] == fitted[1][1]
