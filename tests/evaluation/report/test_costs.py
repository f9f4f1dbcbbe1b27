"""What a denoiser costs, as the report measures it."""

from __future__ import annotations

from cleansemg.evaluation.candidates import Candidate
from cleansemg.evaluation.report import costs


def test_parameters_of_a_network_are_counted_through_its_wrapper() -> None:
    """`load` returns a denoiser for any rate around the network's."""
    cost = costs._measured(Candidate("fcn", "blind", (Link("fcn", "pretrained"),)), 1000.0, "here")
    assert cost.parameters == 137_801  # docs/costs.md; as the paper's table prints it
    assert cost.real_time_factor is not None
    assert costs._measured(Candidate("hp", "hp", "blind"), 1000.0, "here").parameters is None
