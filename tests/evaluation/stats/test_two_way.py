"""Two-way intervals of all rows of a table at once."""

import numpy as np
import pytest

from cleansemg.core.errors import ArtifactError
from cleansemg.evaluation import metrics
from cleansemg.evaluation.stats.intervals import two_way_interval
from cleansemg.evaluation.stats.two_way import two_way_limits
from tests.evaluation.stats.test_comparisons import SETTINGS, some

RECORDS = np.array([f"ECG:{100 + i % 7}+MOA:{'em' if i % 2 else 'ma'}" for i in range(48)])


def test_each_row_has_its_own_interval_in_the_unit_of_the_tables():
    every = some(3)
    found = two_way_limits(every, "standard", ["SNRimp", "RMSE"], RECORDS, SETTINGS)
    scale = metrics.catalogue("standard")["RMSE"].table_scale
    assert set(found) == {(f"d{i}", "blind") for i in range(3)}
    for scores in every:
        values = scores.of("standard", ["SNRimp"])
        _, low, high = two_way_interval(values, scores.subject, RECORDS, 0.95, 300, SETTINGS.seed)
        row = found[scores.label, "blind"]
        assert [row["SNRimp_two_way_low"], row["SNRimp_two_way_high"]] == pytest.approx([low[0], high[0]], rel=1e-12)
        assert row["RMSE_two_way_low"] == pytest.approx(low[0] / scale, rel=1e-12)  # made of the same numbers here


def test_other_mixtures_are_refused_and_nothing_has_no_limits():
    with pytest.raises(ArtifactError, match="has other mixtures than d0"):
        two_way_limits(some(2), "standard", ["SNRimp"], RECORDS[:-1], SETTINGS)
    assert two_way_limits([], "standard", ["SNRimp"], RECORDS, SETTINGS) == {}
    assert two_way_limits(some(1), "standard", [], RECORDS, SETTINGS) == {}
