"""The selective scan: its ways agree, its gradients are right, its digits depend on nothing they should not."""

from __future__ import annotations

import multiprocessing
import sys
import threading
import types
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cleansemg.core.errors import UserError
from cleansemg.denoising.networks import selective_scan as scans
from cleansemg.denoising.networks import selective_scan_kernel as kernel
from cleansemg.denoising.networks.mamba import MambaBlock, stream
from cleansemg.denoising.networks.selective_scan import reference_scan, selective_scan

Tensors = list[torch.Tensor]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def arguments(n: int, L: int, d: int, N: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensors:
    """u, delta, A, B, C, D and a state, all with gradients."""
    rng = torch.Generator().manual_seed(seed)
    u, step, B, C = (torch.randn(n, L, size, generator=rng, dtype=dtype) for size in (d, d, N, N))
    delta = torch.nn.functional.softplus(step - 3)
    A = -torch.arange(1, N + 1) * (0.5 + torch.rand(d, N, generator=rng, dtype=dtype))
    D, state = torch.randn(d, generator=rng, dtype=dtype), torch.randn(n, d, N, generator=rng, dtype=dtype)
    return [tensor.requires_grad_() for tensor in (u, delta, A, B, C, D, state)]


def results(inputs: Tensors, way: str) -> Tensors:
    """y, the last state, and the gradients of a sum of both, weighted at random, by all inputs."""
    outputs = selective_scan(*inputs, way=way)
    rng = torch.Generator().manual_seed(99)
    weights = [torch.randn(output.shape, generator=rng, dtype=output.dtype) for output in outputs]
    return [*outputs, *torch.autograd.grad(outputs, inputs, weights)]


def apart(here: Tensors, there: Tensors) -> float:
    """Largest difference, of the largest value."""
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(here, there, strict=True))


def test_the_reference_is_the_recurrence() -> None:
    # golden: two samples, one channel, one state, by hand; a = exp(-0.5 ln 4) = 1/2, so h = 1, then 1/2 + 3/2 = 2
    u, delta = torch.tensor([[[2.0], [3.0]]]), torch.full((1, 2, 1), 0.5)
    A, D = torch.tensor([[-2 * np.log(2.0)]]).float(), torch.tensor([10.0])
    ones = torch.ones(1, 2, 1)
    y, state = reference_scan(u, delta, A, ones, 3 * ones, D, torch.zeros(1, 1, 1))
    assert y.flatten().tolist() == pytest.approx([3 * 1 + 20, 3 * 2 + 30])
    assert state.item() == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-13)], ids=["single", "double"]
)
@pytest.mark.parametrize("shape", [(2, 100, 300, 16), (3, 65, 9, 5), (1, 1, 1, 1), (1, 32, 128, 3)], ids=str)
def test_kernel_and_reference_agree(shape: tuple[int, ...], dtype: torch.dtype, tolerance: float) -> None:
    inputs = arguments(*shape, dtype)
    assert apart(results(inputs, "kernel"), results(inputs, "reference")) < tolerance


def test_long_memory_is_as_exact_as_the_reference() -> None:
    # states that decay by 1e-4 a sample add up thousands: a bias of the exponential near 0 would show
    u, delta, A, B, C, D, state = (tensor.detach().abs() for tensor in arguments(1, 6000, 4, 4, torch.float64))
    inputs = [u, torch.full_like(delta, 1e-3), -A / 10, B, C, D, state]
    exact, _ = selective_scan(*inputs, way="reference")
    single = [tensor.float() for tensor in inputs]
    errors = [apart([selective_scan(*single, way=way)[0]], [exact]) for way in ("kernel", "reference")]
    assert errors[0] < max(2 * errors[1], 1e-5)
    assert errors[1] < 1e-3


@pytest.mark.parametrize("way", ["kernel", "reference"])
def test_gradients_are_those_of_differences(way: str) -> None:
    inputs = arguments(2, kernel.SEGMENT + 3, 2, 2, torch.float64)
    assert torch.autograd.gradcheck(lambda *x: selective_scan(*x, way=way), inputs, fast_mode=True)
    small = arguments(2, 5, 3, 2, torch.float64)
    assert torch.autograd.gradcheck(lambda *x: selective_scan(*x, way=way), small)


def test_no_digit_depends_on_the_number_of_threads() -> None:
    inputs = arguments(3, 70, 2 * kernel.BLOCK_BACK + 5, 4)
    alone = results(inputs, "kernel")
    for n_threads in (2, 3, 7):
        torch.set_num_threads(n_threads)
        assert all(torch.equal(a, b) for a, b in zip(results(inputs, "kernel"), alone, strict=True))


def test_a_signal_does_not_depend_on_its_neighbours() -> None:
    u, delta, A, B, C, D, state = arguments(4, 70, 150, 4)
    together = selective_scan(u, delta, A, B, C, D, state)
    alone = selective_scan(u[2:3], delta[2:3], A, B[2:3], C[2:3], D, state[2:3])
    assert all(torch.equal(a[2:3], b) for a, b in zip(together, alone, strict=True))


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(1, 99), way=st.sampled_from(["kernel", "reference"]))
def test_two_pieces_give_what_one_gives(cut: int, way: str) -> None:
    u, delta, A, B, C, D, state = (tensor.detach() for tensor in arguments(2, 100, 20, 3))
    whole, end = selective_scan(u, delta, A, B, C, D, state, way=way)
    first, between = selective_scan(u[:, :cut], delta[:, :cut], A, B[:, :cut], C[:, :cut], D, state, way=way)
    second, after = selective_scan(u[:, cut:], delta[:, cut:], A, B[:, cut:], C[:, cut:], D, between, way=way)
    assert torch.equal(torch.cat([first, second], 1), whole)
    assert torch.equal(after, end)


@settings(max_examples=200)
@given(st.floats(-300, 130, width=32))
def test_the_exponential_is_exact_to_the_last_digits(x: float) -> None:
    # one sample with delta = 1 and the state 1: h = exp(A)
    one = torch.ones(1, 1, 1)
    _, h = selective_scan(0 * one, one, torch.tensor([[x * np.log(2)]]).float(), one, one, one[0, 0], one, way="kernel")
    exact = 2.0 ** float(np.float32(np.float32(x * np.log(2)) * np.float32(1 / np.log(2))))
    assert h.item() == pytest.approx(exact if x < 127 else 2.0**127, rel=2e-7 if x < 127 else 0.5, abs=1e-37)


def test_broken_numbers_stay_visible() -> None:
    for index in range(7):
        inputs = [tensor.detach().clone() for tensor in arguments(1, 40, 3, 2)]
        inputs[index].view(-1)[0] = float("nan")
        y, _ = selective_scan(*inputs, way="kernel")
        assert y[0, :, 0].isnan().any()


def test_autocast_around_it_changes_nothing_but_the_inputs_rounding() -> None:
    inputs = arguments(1, 40, 8, 4)
    short = [t.bfloat16() if i in (0, 1, 3, 4) else t for i, t in enumerate(inputs)]
    with torch.autocast("cpu", torch.bfloat16):
        under = [selective_scan(*short, way=way)[0] for way in ("kernel", "reference")]
    exact, _ = selective_scan(*(t.float() for t in short), way="reference")
    assert under[0].dtype == under[1].dtype == torch.float32
    assert apart(under, [exact, exact]) < 1e-5


def _in_process(queue: multiprocessing.SimpleQueue[float]) -> None:
    torch.set_num_threads(2)
    queue.put(selective_scan(*arguments(2, 40, 150, 2), way="kernel")[0].sum().item())


def test_works_in_a_forked_process_and_beside_other_threads() -> None:
    inputs = arguments(2, 40, 150, 2)
    torch.set_num_threads(2)
    expected = selective_scan(*inputs, way="kernel")[0].sum().item()
    queue = multiprocessing.get_context("fork").SimpleQueue()
    child = multiprocessing.get_context("fork").Process(target=_in_process, args=(queue,))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert queue.get() == expected
    found: list[float] = []
    threads = [
        threading.Thread(target=lambda: found.append(selective_scan(*inputs, way="kernel")[0].sum().item()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_the_cuda_way_carries_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    def selective_scan_fn(u, delta, A, B, C, D, return_last_state):  # type: ignore[no-untyped-def]
        """The documented interface of mamba-ssm: [n, d, L], [n, N, L], no state to start from."""
        assert return_last_state
        u, delta, B, C = (tensor.transpose(1, 2) for tensor in (u, delta, B, C))
        y, state = reference_scan(u, delta, A, B, C, D, A.new_zeros(len(u), *A.shape))
        return y.transpose(1, 2), state

    module = types.ModuleType("selective_scan_interface")
    module.selective_scan_fn = selective_scan_fn  # type: ignore[attr-defined]
    for name in ("mamba_ssm", "mamba_ssm.ops"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "mamba_ssm.ops.selective_scan_interface", module)
    inputs = arguments(2, 12, 5, 3)
    here, there = (list(scan(*inputs)) for scan in (scans.mamba_ssm_scan, reference_scan))
    assert apart(here, there) < 1e-6
    grads = [torch.autograd.grad(out[0].square().sum() + out[1].sum(), inputs) for out in (here, there)]
    assert apart(list(grads[0]), list(grads[1])) < 1e-5


@pytest.mark.parametrize(
    ("way", "message"),
    [("kernal", "is 'kernal'; did you mean 'kernel'"), ("mamba-ssm", r"cannot go the way 'mamba-ssm' with torch.float32 on cpu; it can go: kernel, reference")],
)  # fmt: skip
def test_wrong_ways_are_named(way: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        selective_scan(*arguments(1, 3, 2, 2), way=way)


@pytest.mark.parametrize("piece", [1, 2, 7, 64, 200])
def test_a_mamba_block_goes_on_where_it_was(piece: int) -> None:
    torch.manual_seed(1)
    block = MambaBlock(8, d_state=4, expand=2)
    x = torch.randn(2, 100, 8)
    with torch.inference_mode():
        whole, end = block(x)
        np.testing.assert_allclose(stream(block, x, piece), whole, atol=2e-6)
        _, state = block(x[:, :50])
        _, state = block(x[:, 50:], state)
    for a, b in zip(state, end, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)


def test_a_mamba_block_is_causal() -> None:
    torch.manual_seed(1)
    block = MambaBlock(8)
    x = torch.randn(1, 60, 8, requires_grad=True)
    block(x)[0][0, 30].sum().backward()
    assert x.grad is not None
    assert x.grad[0, :31].any(1).all()
    assert not x.grad[0, 31:].any()
