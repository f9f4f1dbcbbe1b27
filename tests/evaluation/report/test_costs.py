"""What a denoiser costs, as the report measures it."""

from __future__ import annotations

from cleansemg.denoising.chain import Link
from cleansemg.evaluation.candidates import Candidate
from cleansemg.evaluation.report import costs


def test_parameters_of_a_network_are_counted_through_its_wrapper() -> None:
    """`load` returns a denoiser for any rate around the network's."""
    cost = costs._measured(Candidate("fcn", "blind", (Link("fcn", "pretrained"),)), 1000.0, "here")
    assert cost.parameters == 137_801  # docs/costs.md; as the paper's table prints it
    assert cost.real_time_factor is not None
    chain = Candidate("two", "blind", (Link("hp"), Link("fcn", "pretrained")))
    assert costs._measured(chain, 1000.0, "here").parameters == 137_801
    assert costs._measured(Candidate("hp", "blind", (Link("hp"),)), 1000.0, "here").parameters is None
