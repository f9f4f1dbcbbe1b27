import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest

from cleansemg import stages
from cleansemg.core.errors import UserError
from tests.conftest import ROOT
from tests.processes import python
from tests.vocabulary import ROOMS


def cleansemg(*arguments):
    return python("-m", "cleansemg", *arguments)


def test_help_teaches_and_imports_nothing_heavy():
    code = (
        "import sys, cleansemg.__main__; print(*(m for m in ('torch', 'scipy', 'numba', 'pandas') if m in sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == ""
    result = cleansemg("--help")
    assert result.returncode == 0
    assert "cleansemg run --config demo" in result.stdout


@pytest.mark.parametrize("kind", ["denoisers", "noises", "datasets", "metrics"])
def test_list(kind):
    result = cleansemg("list", kind)
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) >= 5
    assert all(len(line.split(maxsplit=1)) == 2 for line in result.stdout.splitlines())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "denoiser"], "error: cannot list 'denoiser'; did you mean 'denoisers'?"),
        (["run", "--config", "configs/demos.yaml"], "error: configs/demos.yaml: no such configuration; did you mean 'demo'?"),
        (["run", "--config", "configs/demo.yaml", "--set", "mix.snr=3"], "error: configs/demo.yaml: unknown key 'mix.snr'; did you mean 'snr_db'?"),
        (["run", "--config", "configs/demo.yaml", "--stages", "mixx"], "error: --stages: no stage is called 'mixx'; did you mean 'mix'?"),
        (["run", "--config", "configs/config.yaml", "--stages", "qc"], "error: configs/config.yaml: paths.data_root needs ${DATA_ROOT}, which is not set"),
        (["fetch", "opn"], "error: cannot fetch 'opn'; did you mean 'open'?"),
        (["run"], "error: Missing option '--config'."),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_and_exit_code_2(arguments, message, monkeypatch):
    monkeypatch.delenv("DATA_ROOT", raising=False)
    result = cleansemg(*arguments)
    assert result.returncode == 2
    assert result.stderr.startswith(message)
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_stages_run_in_the_order_of_the_pipeline():
    assert stages.parse("all") == list(stages.STAGES)
    assert stages.parse("tables, qc") == ["qc", "tables"]
    with pytest.raises(UserError, match="nothing chosen"):
        stages.parse(" , ")
    assert len(stages.functions(stages.parse("all"))) == 10


SCRIPTS = [
    "data_pipeline/step1_qc_raw.py", "data_pipeline/step2_quality_filter.py", "data_pipeline/step3_subject_split.py",
    "data_pipeline/step4_preproc_and_segment.py", "noise/noise_generator.py", "evaluation/generate_test_data.py",
    "training/train_classical.py", "training/train_neural.py", "evaluation/evaluate_classical.py", "evaluation/evaluate_neural.py",
    "evaluation/make_tables.py",
]  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_stage_script_has_its_own_help(script):
    result = python(script, "--help")
    assert result.returncode == 0, result.stderr
    assert "--config" in result.stdout
    assert len(result.stdout.splitlines()) > 12


def test_nothing_beside_a_script_hides_a_module_that_it_imports():
    """Python looks first in a script's own folder: a package `statistics` there would stand before the standard one."""
    foreign = {*sys.stdlib_module_names, *packages_distributions()} - {"__init__", "__main__"}
    scripts = [path for room in ROOMS for path in (ROOT / room).rglob("*.py") if '"__main__"' in path.read_text()]
    assert len(scripts) > len(SCRIPTS)
    folders = {path.parent for path in [*scripts, *(ROOT / "benchmarks").glob("*.py")]}
    beside = [
        path.relative_to(ROOT)
        for folder in folders
        for path in folder.iterdir()
        if path.suffix in ("", ".py") and path.stem in foreign
    ]
    assert beside == []
