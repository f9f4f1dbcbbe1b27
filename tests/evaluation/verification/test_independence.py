"""The verifier is a second opinion: it must not import what it checks."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib

from tests.conftest import ROOT

OWN = ROOT / "evaluation" / "verification"
ADMITTED = ("cleansemg.core.npz", "cleansemg.core.errors", "cleansemg.evaluation.verification")


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, path
            for name in node.names:
                yield f"{node.module}.{name.name}"


def test_only_reading_npz_is_shared():
    files = list(OWN.rglob("*.py"))
    assert len(files) > 8
    for path in files:
        for name in imported(path):
            if name.partition(".")[0] == "cleansemg":
                assert any(f"{name}.".startswith(f"{one}.") for one in ADMITTED), f"{path.name} imports {name}"


def test_the_contract_knows_every_module_of_the_ground_floor():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    own = next(
        c
        for c in contracts
        if c["type"] == "forbidden" and c["source_modules"] == ["cleansemg.evaluation.verification"]
    )
    modules = {f"cleansemg.core.{path.stem}" for path in (ROOT / "core").glob("*.py")} - {"cleansemg.core.__init__"}
    assert modules - set(own["forbidden_modules"]) == {"cleansemg.core.npz", "cleansemg.core.errors"}


def test_it_loads_without_what_it_checks():
    code = "import sys, cleansemg.evaluation.verification; print([m for m in sys.modules if m in ('torch', 'scipy', 'numba', 'cleansemg.core.stage', 'cleansemg.core.artifact', 'cleansemg.core.seeding')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
