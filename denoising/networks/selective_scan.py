"""The selective scan, the recurrence of Mamba: one interface with three implementations of the same computation.

Source: Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", 2023, algorithm 2. With
n signals, L samples, d channels and N states per channel:

    u      input            [n, L, d]        A  decay, negative       [d, N]
    delta  step, positive   [n, L, d]        B  into the state        [n, L, N]
    h      state            [n, d, N]        C  out of the state      [n, L, N]
    y      output           [n, L, d]        D  past the state        [d]

    h_t = exp(delta_t A) h_{t-1} + delta_t B_t u_t
    y_t = C_t h_t + D u_t

The implementations (argument `way`): `mamba-ssm` (the CUDA kernel of that package, if it is installed), `kernel`
(numba, for CPUs, see `selective_scan_kernel.py`) and `reference` (a loop in torch, for every device).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import cache

import torch

from cleansemg.core.errors import UserError, did_you_mean

Tensor = torch.Tensor
Scan = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]

TINY_STEP = 2.0**-60  # exp(TINY_STEP * A) rounds to 1, and a product with a power of two is exact


def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    state: Tensor | None = None,
    way: str = "auto",
) -> tuple[Tensor, Tensor]:
    """Run the recurrence over L samples.

    Args:
        u: [n, L, d].
        delta: [n, L, d], positive.
        A: [d, N], negative. The scan computes in the dtype of A, float32 or float64, even if autocast reduces the
            precision of the other arguments.
        B: [n, L, N].
        C: [n, L, N].
        D: [d].
        state: [n, d, N] state after the previous piece; None: zeros.
        way: the name of an implementation, or "auto": mamba-ssm on CUDA if it is installed, the kernel on a CPU,
            otherwise the reference.

    Returns:
        y [n, L, d], in the dtype of A, and the state after the last sample [n, d, N].

    Raises:
        UserError: an unknown implementation, or one that does not support these tensors.
    """
    if state is None:
        state = A.new_zeros(len(u), *A.shape)
    with torch.autocast(u.device.type, enabled=False):
        u, delta, B, C, D, state = (tensor.to(A.dtype) for tensor in (u, delta, B, C, D, state))
        return _scan(way, A)(u, delta, A, B, C, D, state)


def _scan(way: str, A: Tensor) -> Scan:
    available = ways(A)
    if way == "auto":
        way = available[0]
    if way not in WAYS:
        raise UserError(f"way of the selective scan is '{way}'{did_you_mean(way, ('auto', *WAYS))}")
    if way not in available:
        raise UserError(
            f"the selective scan cannot go the way '{way}' with {A.dtype} on {A.device.type}; "
            f"it can go: {', '.join(available)}"
        )
    return WAYS[way]


def ways(A: Tensor) -> tuple[str, ...]:
    """Names of the implementations that support the dtype and device of A, the fastest first."""
    fast = []
    if A.is_cuda and A.dtype == torch.float32 and _has_mamba_ssm():
        fast.append("mamba-ssm")
    if A.device.type == "cpu" and A.dtype in (torch.float32, torch.float64):
        fast.append("kernel")
    return (*fast, "reference")


@cache
def _has_mamba_ssm() -> bool:
    return importlib.util.find_spec("mamba_ssm") is not None


def reference_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Run the recurrence sample by sample, as in the equations; differentiable by torch."""
    outputs = []
    # unbind: with indexing, the gradient of every sample would be a tensor as long as the signal
    for u_t, delta_t, B_t, C_t in zip(*(tensor.unbind(1) for tensor in (u, delta, B, C)), strict=True):
        decay = torch.exp(delta_t[:, :, None] * A)  # [n, d, N]
        state = decay * state + (delta_t * u_t)[:, :, None] * B_t[:, None, :]
        outputs.append((state * C_t[:, None, :]).sum(2))  # [n, d]
    return torch.stack(outputs, 1) + D * u, state


def kernel_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Run the compiled kernel with as many threads as torch uses."""
    from cleansemg.denoising.networks.selective_scan_kernel import KernelScan

    result: tuple[Tensor, Tensor] = KernelScan.apply(u, delta, A, B, C, D, state)  # type: ignore[no-untyped-call]
    return result


def mamba_ssm_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Run the CUDA kernel of mamba-ssm.

    That kernel starts from a zero state. To start from `state`, N samples are inserted before the first one. Each sets
    one of the N states: B selects the state, and the steps are so small that no state decays.
    """
    from mamba_ssm.ops.selective_scan_interface import selective_scan_fn  # type: ignore[import-not-found]

    n, _, d = u.shape
    N = A.shape[1]
    u = torch.cat([state.transpose(1, 2) / TINY_STEP, u], 1)  # [n, N + L, d]
    delta = torch.cat([delta.new_full((n, N, d), TINY_STEP), delta], 1)
    B = torch.cat([torch.eye(N, dtype=B.dtype, device=B.device).expand(n, N, N), B], 1)
    C = torch.cat([C.new_zeros(n, N, N), C], 1)
    u, delta, B, C = (tensor.transpose(1, 2).contiguous() for tensor in (u, delta, B, C))  # [n, d or N, N + L]
    y, state = selective_scan_fn(u, delta, A, B, C, D, return_last_state=True)
    return y[:, :, N:].transpose(1, 2), state


WAYS: dict[str, Scan] = {"mamba-ssm": mamba_ssm_scan, "kernel": kernel_scan, "reference": reference_scan}
