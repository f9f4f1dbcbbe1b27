"""The verifier is a second opinion: it must not import what it checks."""

from __future__ import annotations

import ast
import subprocess
import sys

from tests.conftest import ROOT

VERIFICATION = ROOT / "evaluation" / "verification"
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
    files = list(VERIFICATION.rglob("*.py"))
    assert len(files) > 8
    for path in files:
        for name in imported(path):
            if name.partition(".")[0] == "cleansemg":
                assert any(f"{name}.".startswith(f"{one}.") for one in ADMITTED), f"{path.name} imports {name}"


def test_it_loads_without_what_it_checks():
    code = "import sys, cleansemg.evaluation.verification; print([m for m in sys.modules if m in ('torch', 'scipy', 'numba', 'cleansemg.core.stage', 'cleansemg.core.artifact', 'cleansemg.core.seeding')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
