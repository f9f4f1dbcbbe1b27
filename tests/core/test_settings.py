"""What a section's identity holds, and the rules between settings."""

from __future__ import annotations

import ast

import pytest
from pydantic import ValidationError

from cleansemg.data_pipeline.settings import Activity, Grade, Segment, Split
from cleansemg.evaluation.settings import Mix
from tests.conftest import ROOT
from tests.vocabulary import ROOMS


def test_a_later_field_counts_only_where_it_is_used():
    """Fingerprints of results that were made before a field existed stay as they were."""
    assert set(Segment().identity()) == {"band_hz", "fs_hz", "window_s"}
    assert set(Grade(rule="thresholds").identity()) == set(Grade().identity())
    used = Segment(cut="recordings", activity=Activity(min_fraction=0.2))
    assert used.identity()["activity"] == {"min_fraction": 0.2, "min_contrast": 0.01}
    assert used.identity()["cut"] == "recordings"
    assert "resampling" not in used.identity()
    assert set(Split(valid_fraction=0.3).identity(frozenset({"file"}))) == {
        "rule", "test_databases", "valid_fraction", "test_fraction",
    }  # fmt: skip


def test_every_later_field_is_a_field():
    for section in (Grade, Mix, Segment, Split):
        assert section.later <= set(section.model_fields)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"draws": 3}, "draws above 1 need mix.files"),
        ({"files": {"ECG": 0}}, r"sets: \[grid\]"),
        ({"files": {"ECG": -1}, "sets": ["grid"]}, "greater than or equal to 0"),
    ],
)
def test_draws_of_noise_files_fit_the_grid(values, message):
    with pytest.raises(ValidationError, match=message):
        Mix.model_validate(values)


def imports_of_all_settings(tree):
    """Imports of the whole `Settings` that run, so those outside `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom | ast.Import) and "cleansemg.settings" in ast.unparse(node):
            yield node
        yield from imports_of_all_settings(node)


def test_rooms_name_all_settings_in_annotations_alone():
    """import-linter ignores this import, since it goes up; it may not run."""
    paths = [path for room in ROOMS if room != "cleansemg" for path in (ROOT / room).rglob("*.py")]
    assert len(paths) > 250
    assert [str(path) for path in paths if any(imports_of_all_settings(ast.parse(path.read_text())))] == []
    assert any(imports_of_all_settings(ast.parse("def f():\n    from cleansemg.settings import Settings")))
