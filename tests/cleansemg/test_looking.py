"""Looking at a recording or at results runs nothing that lies beside it: a working folder full of traps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cleansemg.core import user_modules
from tests.conftest import ROOT

# What pandas, scipy, numpy, matplotlib, joblib, torch, numba, dash ... try to import, installed or not; the project's
# rooms; and some of the standard library.
TRAPS = (
    "pyarrow", "fastparquet", "cython", "Cython", "lxml", "numexpr", "uarray", "bottleneck", "tables", "xlrd", "odf",
    "pyxlsb", "python_calamine", "xlsxwriter", "bs4", "html5lib", "fsspec", "s3fs", "psutil", "lz4", "cupy", "cupyx", "jax",
    "dpctl", "mkl", "tbb", "icc_rt", "sparse", "opt_einsum", "tensorflow", "triton", "triton_kernels", "intel_extension_for_pytorch",
    "colorama", "IPython", "ipywidgets", "tqdm", "zstandard", "orjson", "simplejson", "brotli", "mamba_ssm", "defusedxml",
    "PIL", "cffi", "pycocotools", "torch_xla", "deepspeed", "wandb", "boto3", "sagemaker", "soundfile", "samplerate",
    "shellingham", "cloudpickle", "viztracer", "setproctitle", "skimage", "networkx", "sympy", "pytz", "dateutil",
    "numpy", "pandas", "scipy", "torch", "yaml", "rich", "typer", "joblib", "json", "csv", "logging", "decimal", "secrets",
    "core", "formats", "noise", "quality", "denoising", "data_pipeline", "training", "recordings", "evaluation", "downstream",
    "export", "streams", "step1_qc_raw", "settings", "utils", "sitecustomize", "usercustomize",
)  # fmt: skip
CONSOLE = (str(Path(sys.executable).with_name("cleansemg")),)
MODULE = (sys.executable, "-m", "cleansemg")
SMALL = [
    "datasets.simulated.parameters={n_subjects: 5, n_channels: 1, n_gestures: 2, n_repetitions: 1}", "noise.piece_s=12",
    "noise.kinds.ECG=[]", "noise.kinds.MOA=[]", "mix.n_kinds=[1, 2]", "mix.sets=[combined]", "mix.combined_segments=12",
    "mix.shard_size=6", "evaluate.denoisers=[identity]", "calibrate.methods=[]", "tables.bootstrap_resamples=100",
]  # fmt: skip
METHOD = """
import pandas
import my_helper
from cleansemg.denoising import Denoiser
with open({mark!r}, "a") as file:
    file.write("my_methods\\n")
class Mine(Denoiser):
    name = "mine"
    def _denoise(self, noisy, fs_hz, labels):
        return my_helper.FACTOR * noisy
"""


class Folder:
    """A working folder; `marks` are the modules of it that were imported."""

    def __init__(self, path: Path) -> None:
        self.path, self.mark = path / "user", path / "mark"
        self.path.mkdir()
        for name in TRAPS:
            code = f"open({str(self.mark)!r}, 'a').write('{name}\\n')\nraise RuntimeError('{name} was imported')\n"
            (self.path / f"{name}.py").write_text(code)
        (self.path / "my_methods.py").write_text(METHOD.format(mark=str(self.mark)))
        (self.path / "my_helper.py").write_text("FACTOR = 0.5\n")
        values = 1e-4 * np.random.default_rng(0).standard_normal(3000)
        rows = "\n".join(f"{i / 1000:.3f},{value:.9f}" for i, value in enumerate(values))
        (self.path / "rec.csv").write_text(f"time,biceps (V)\n{rows}\n")

    def marks(self) -> set[str]:
        marks = set(self.mark.read_text().split()) if self.mark.exists() else set()
        self.mark.unlink(missing_ok=True)
        return marks

    def run(self, route, *arguments, text=None, code=0):
        env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONSAFEPATH")}
        result = subprocess.run(
            [*route, *arguments], cwd=self.path, env=env, input=text, capture_output=True, text=True, check=False
        )
        assert result.returncode == code, result.stderr[-3000:]
        return result.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return Folder(tmp_path_factory.mktemp("traps"))


def test_the_traps_work(folder):
    """Otherwise the other tests could not fail."""
    folder.run((sys.executable, "-c"), "import core", code=1)
    assert folder.marks() == {"core"}


@pytest.mark.parametrize("route", [CONSOLE, MODULE], ids=["console", "module"])
def test_recordings_lists_and_checks_run_nothing(folder, route):
    assert "biceps" in folder.run(route, "quality", "rec.csv", "--report", f"{len(route)}.json")
    folder.run(route, "denoise", "rec.csv", "--output", f"{len(route)}.csv", "--plot", f"{len(route)}.png")
    assert folder.run(route, "stream", "--fs", "1000", "--denoiser", "hp", text="0.1\n0.2\n").count("\n") == 2
    assert "hp " in folder.run(route, "list", "denoisers")
    assert "all 36 checks passed" in folder.run(route, "check", "hp")
    folder.run(route, "fetch", "--help")
    assert folder.marks() == set()


def test_a_run_and_its_results_run_the_named_class_alone(folder):
    sets = [word for setting in SMALL for word in ("--set", setting)]
    stages = "qc,grade,split,segment,noise,mix,evaluate,tables"
    folder.run(
        CONSOLE, "run", "--config", "demo", "--stages", stages, "--workers", "2", "--denoiser", "my_methods:Mine", *sets
    )
    assert folder.marks() == {"my_methods"}
    assert "mine" in (folder.path / "results/demo/tables/table1.md").read_text()
    folder.run(CONSOLE, "verify", "results/demo")
    folder.run(CONSOLE, "report", "results/demo")
    assert folder.marks() == set()  # nobody named the class to these two
    folder.run(
        (sys.executable, str(ROOT / "evaluation" / "make_tables.py")),
        "--config",
        "demo",
        "--output",
        "results/demo",
        *sets,
    )
    assert folder.marks() == set()


def test_a_named_class_finds_its_own_files_and_nobody_else_does(folder):
    assert "all 12 checks passed" in folder.run(MODULE, "check", "my_methods:Mine")
    folder.run(CONSOLE, "denoise", "rec.csv", "--denoiser", "my_methods:Mine", "--output", "mine.csv")
    assert folder.marks() == {"my_methods"}


def test_the_page_runs_nothing(folder):
    server = subprocess.Popen(
        [*CONSOLE, "app", "--port", "0", "--no-browser"], cwd=folder.path, stdout=subprocess.PIPE, text=True
    )
    assert "http://127.0.0.1" in server.stdout.readline()
    server.send_signal(signal.SIGTERM)
    server.communicate(timeout=60)
    assert folder.marks() == set()


@pytest.mark.parametrize(
    ("words", "targets"),
    [
        (["denoise", "rec.csv", "--denoiser", "a.b:C"], ["a.b:C"]),
        (["check", "mine:Mine", "--weights=none"], ["mine:Mine"]),
        (["--methods=hp,a:B,emd", "--set", "title=x"], ["a:B"]),
        (["--scheduler", "tcp://h:1", "C:\\x", "a:", ":b", "1:2", "a b:c"], []),
    ],
)
def test_what_the_user_typed(words, targets):
    assert user_modules.typed_targets(words) == targets
