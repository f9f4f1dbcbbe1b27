"""What a section's identity holds, and the rules between settings."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from cleansemg.core.settings import Activity, Grade, Mix, Segment, Split


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
