"""A finished run of seven people from two databases, one denoiser of which fails and one has a hostile name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cleansemg.core import artifact, dsp
from cleansemg.core.errors import ItemError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.data_pipeline.segmentation import SCHEMA as SEGMENTS
from cleansemg.data_pipeline.settings import Dataset
from cleansemg.denoising import Denoiser
from cleansemg.evaluation.settings import Evaluate
from cleansemg.settings import Settings
from tests.evaluation.conftest import small_settings

LOUD_V = 3e-4
HOSTILE = "<script>document.title='owned'<"
NAMES = {"first": HOSTILE, "second": 'a $x_1$ & "b"'}  # what somebody has written into the manifests of these rows
DENOISERS = (
    "identity", "zero", "wiener_oracle", "hp", "ts", "wavelet", "line_interpolation",
    "tests.evaluation.report.conftest:Refuses",
    {"name": "hp", "label": "first", "track": "blind", "parameters": {"cutoff_hz": 60.0}},
    {"name": "hp", "label": "second", "track": "blind", "parameters": {"cutoff_hz": 90.0}, "sets": ["combined"]},
)  # fmt: skip


def settings_of(denoisers=DENOISERS) -> Settings:
    return small_settings(grid_segments=7).model_copy(
        update={
            "title": "a run for <b>tests</b>",
            "evaluate": Evaluate.model_validate({"denoisers": list(denoisers)}),
            "datasets": {"first": Dataset(), "second": Dataset()},
        }
    )


def write_two_databases(folder: Path, n_subjects=7, per_subject=2, length=2000) -> None:
    """Band-limited noise in bursts, as the segment stage would leave it."""
    shards = []
    for number in range(n_subjects):
        rng = np.random.default_rng(number)
        envelope = 0.1 + np.clip(np.sin(np.linspace(0, 3 * np.pi, length) + number), 0, 1)
        raw = envelope * rng.normal(0, 1e-5 * (1 + rng.random((per_subject, 1)) * 9), (per_subject, length))
        n = np.arange(per_subject)
        database, subject = ("first", "second")[number % 2], str(number // 2 + 1)
        text = np.array(["E1"] * per_subject)
        columns = {
            "signal": dsp.band_pass(raw, 20, 450, 1000).astype(np.float32),
            "segment_id": np.array([f"{database}_S{subject}_E1_T000_C00_W{i:03d}" for i in n]),
            "database": np.array([database] * per_subject), "subject": np.array([subject] * per_subject),
            "exercise": text, "channel_name": text, "trial": 0 * n, "channel": 0 * n, "window": n, "label": n % 3,
            "repetition": 0 * n, "start_sample": n * length, "grade": np.array(["A"] * per_subject),
            "fs_native_hz": np.full(per_subject, 1000.0),
        }  # fmt: skip
        shards.append(artifact.write_shard(folder, f"{database}_s{subject}", columns, "by hand"))
    artifact.write_manifest(
        folder, artifact.Manifest(SEGMENTS.name, SEGMENTS.version, "by hand", 0, {}, tuple(shards), 0)
    )


def make_run(root: Path, settings: Settings) -> Layout:
    from cleansemg.evaluation import evaluating, tables, test_set
    from cleansemg.evaluation.scoring import SCHEMA
    from cleansemg.noise.library import build_libraries

    layout = Layout(root)
    build_libraries(settings, layout, RunOptions())
    write_two_databases(layout.segments("test"))
    test_set.run(settings, layout, RunOptions())
    evaluating.run(settings, layout, RunOptions())
    for label, name in NAMES.items():
        for path in layout.root.glob(f"denoised/{label}/*/*/manifest.json"):
            manifest = artifact.read_manifest(path.parent, SCHEMA)
            artifact.write_manifest(path.parent, replace(manifest, info={**manifest.info, "denoiser": name}))
    tables.run(settings, layout, RunOptions())
    return layout


class Refuses(Denoiser):
    """Refuses loud signals."""

    name = "refuses"

    def _denoise(self, noisy, fs_hz, labels):
        if (np.abs(noisy).max(axis=1) > LOUD_V).any():
            raise ItemError("too loud for <i>me</i>")
        return noisy * 0.9


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Layout:
    return make_run(tmp_path_factory.mktemp("report") / "run", settings_of())


TASK_ROWS = """input,accuracy_percent,accuracy_low,accuracy_high,f1_percent,f1_low,f1_high,over_noisy_percent,over_noisy_low,over_noisy_high,n_examples,n_people,n_failed
clean,90.5,85.25,95,88,80,93,20,15,26,120,6,0
noisy,70.5,61,80,66,58,77,0,0,0,120,6,0
<img src=x onerror=alert(1)>,75.5,68,84,,,,5,2,9,110,6,10
"""
TASK_TEXT = """## gesture, lda: what it makes of each input

| input | accuracy % |
| ----- | ---------: |
| clean |       90.0 |

Brackets: 95 % interval.

Simulated <b>recordings</b>.
"""
TASK_PAIRS = """a,b,difference,difference_low,difference_high,effect,p,p_holm,n_people,n_examples
noisy,hp,-5,-9,-2,-1,0.03125,0.03125,6,110
"""


@pytest.fixture
def task(tmp_path) -> Path:
    folder = tmp_path / "gesture"
    (folder / "tables").mkdir(parents=True)
    (folder / "tables" / "gesture_lda.csv").write_text(TASK_ROWS)
    (folder / "tables" / "gesture_lda_paired.csv").write_text(TASK_PAIRS)
    (folder / "tables" / "gesture_lda.md").write_text(TASK_TEXT)
    (folder / "tables" / "gait_loss.csv").write_text("epoch,loss\n1,0.5\n")
    return folder


@pytest.fixture(scope="session")
def page(finished) -> Path:
    """The report of that run; costs are measured once."""
    from cleansemg.evaluation.report import make_report

    return make_report(finished.root, finished.root / "out" / "report.html", tasks=()).path
