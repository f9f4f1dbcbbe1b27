"""The selective scan compiled for CPUs, forward and backward; symbols as in `selective_scan.py`.

What makes it fast:
- Channels do not touch each other. A block of them is taken through all samples with its states in a near cache, and
  the innermost loops run over the block's channels, neighbours in memory: they vectorise, the exponential included.
- Blocks and signals are shared out to threads. The kernel holds no lock of Python's, so plain threads do: no pool is
  left behind that a forked process would inherit, and two threads may scan at the same time.
- The forward pass keeps the state every `SEGMENT` samples alone. The backward pass takes the segments from the last to
  the first and computes the states between once more: memory grows with the length as that of u does.

Backward, with g_t the gradient of the loss by h_t, a_t = exp(delta_t A) and dy_t that by y_t:

    g_t      = C_t dy_t + a_{t+1} g_{t+1}
    dC_t     = sum over d of dy_t h_t           dB_t = sum over d of g_t delta_t u_t
    du_t     = delta_t (g_t B_t) + D dy_t       dA   = sum over t of g_t a_t h_{t-1} delta_t
    ddelta_t = u_t (g_t B_t) + sum over N of g_t a_t h_{t-1} A

Sums over channels are formed block by block and added in the order of the blocks, sums over signals in that of the
signals: no digit depends on the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numba import njit, types
from numba.extending import overload
from torch.autograd.function import once_differentiable

from cleansemg.denoising.compilation import announce

Array = np.ndarray[Any, Any]
Tensor = torch.Tensor

BLOCK = 128  # channels taken together; less for a single signal to be shared out
BLOCK_BACK = 256  # the same backward, where each block and state adds up two sums: fewer are faster
SEGMENT = 32  # samples between saved states
RANGES_PER_THREAD = 4  # so that a thread that is held up does not hold up the others
COMPILATION_S = 20

# Sums may be reordered, which lets them vectorise; NaN, infinities and division stay as IEEE 754 has them.
REORDERED_SUMS = {"reassoc", "contract", "nsz"}

LN_2 = math.log(2.0)
LOG2_E = 1.0 / LN_2
LEAST, MOST = np.float32(-125), np.float32(127)  # exponents of normal numbers in single precision
ROUNDER = np.float32(1.5 * 2**23)  # added to a number, it leaves the nearest integer in the lowest bits
# 2^f for |f| <= 1/2 to 1e-8: 1 + f times the polynomial that meets (2^f - 1) / f in the six Chebyshev nodes. Near
# f = 0 it is better still, which counts: states decay by factors near 1.
P0 = np.float32(1.0)
P1 = np.float32(0.693147188)
P2 = np.float32(0.240226508)
P3 = np.float32(0.0555035711)
P4 = np.float32(0.00961808256)
P5 = np.float32(0.00133908634)
P6 = np.float32(0.000154531629)


def _exp2(x: float) -> float:
    """2^x: of single precision a polynomial that vectorises, of double precision the library's exponential."""
    return math.exp(x * LN_2)


# no reordering here, which would undo the rounding
@overload(_exp2, strict=False, jit_options={"fastmath": {"contract"}})
def _typed_exp2(x: Any) -> Callable[[Any], Any]:
    if x != types.float32:
        return lambda x: math.exp(x * LN_2)

    def single(x: Any) -> Any:
        y = min(max(x, LEAST), MOST)
        rounded = np.float32(y + ROUNDER)
        f = y - (rounded - ROUNDER)
        power = np.float32(P0 + f * (P1 + f * (P2 + f * (P3 + f * (P4 + f * (P5 + f * P6))))))
        exponent = np.int32(rounded.view(np.int32) << np.int32(23))
        return np.int32(power.view(np.int32) + exponent).view(np.float32)

    return single


class KernelScan(torch.autograd.Function):
    """`selective_scan` for CPU tensors of one type, float32 or float64: -> y, state after the last sample."""

    @staticmethod
    def forward(
        ctx: Any, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, start: Tensor
    ) -> tuple[Tensor, Tensor]:
        n, L, d = u.shape
        u, delta, B, C, D = (tensor.contiguous() for tensor in (u, delta, B, C, D))
        rate = (A.t() * LOG2_E).contiguous()  # [N, d]
        start = start.transpose(1, 2).contiguous()  # [n, N, d]
        segments = -(-L // SEGMENT) if any(ctx.needs_input_grad) else 0
        saved = u.new_empty(n, segments, *rate.shape)
        y, end = torch.empty_like(u), torch.empty_like(start)
        _run(scan, n * -(-d // BLOCK), [u, delta, rate, B, C, D, start, y, end, saved])
        ctx.save_for_backward(u, delta, rate, B, C, D, saved)
        return y, end.transpose(1, 2)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        u, delta, rate, B, C, D, saved = ctx.saved_tensors
        n, L, d = u.shape
        N = len(rate)
        n_blocks = -(-d // BLOCK_BACK)
        dy = gradients[0].contiguous()
        g = gradients[1].transpose(1, 2).clone(memory_format=torch.contiguous_format)  # [n, N, d]
        du, ddelta, dA, dD = torch.empty_like(u), torch.empty_like(u), u.new_empty(n, N, d), u.new_empty(n, d)
        dB, dC = u.new_empty(n_blocks, n, L, N), u.new_empty(n_blocks, n, L, N)
        _run(scan_back, n * n_blocks, [u, delta, rate, B, C, D, saved, dy, g, du, ddelta, dA, dB, dC, dD])
        return du, ddelta, _in_order(dA).t(), _in_order(dB), _in_order(dC), _in_order(dD), g.transpose(1, 2)


def _in_order(parts: Tensor) -> Tensor:
    """[m, ...] -> [...]: the sum, always added in the same order."""
    total = parts[0].clone()
    for part in parts[1:]:
        total += part
    return total


def _run(kernel: Any, n_items: int, tensors: Sequence[Tensor]) -> None:
    """Call `kernel` for all items, on as many threads as torch has."""
    announce(kernel, COMPILATION_S)
    arrays = [tensor.detach().numpy() for tensor in tensors]
    n_threads = min(torch.get_num_threads(), n_items)
    if n_threads == 1:
        kernel(*arrays, 0, n_items)
        return
    step = -(-n_items // (n_threads * RANGES_PER_THREAD))
    with ThreadPoolExecutor(n_threads) as pool:
        for _ in pool.map(lambda first: kernel(*arrays, first, min(first + step, n_items)), range(0, n_items, step)):
            pass


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED_SUMS)
def scan(
    u: Array, delta: Array, rate: Array, B: Array, C: Array, D: Array, start: Array, y: Array, end: Array, saved: Array,
    first: int, stop: int,
) -> None:  # fmt: skip
    """Forward, for the items `first` to `stop`; an item is a signal and a block of channels.

    Args: rate = A / ln 2, [N, d]; start, end [n, N, d]; saved [n, segments, N, d], no segments to save none.
    """
    _, L, d = u.shape
    n_blocks = (d + BLOCK - 1) // BLOCK
    for item in range(first, stop):
        i, block = divmod(item, n_blocks)
        low, high = block * BLOCK, min((block + 1) * BLOCK, d)
        h, rate_w, D_w = start[i, :, low:high].copy(), rate[:, low:high].copy(), D[low:high].copy()
        into = np.empty_like(D_w)
        for t in range(L):
            if saved.shape[1] > 0 and t % SEGMENT == 0:
                saved[i, t // SEGMENT, :, low:high] = h
            u_t, delta_t, y_t = u[i, t, low:high], delta[i, t, low:high], y[i, t, low:high]
            _step(u_t, delta_t, rate_w, B[i, t], C[i, t], D_w, h, y_t, into)
        end[i, :, low:high] = h


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED_SUMS)
def _step(u: Array, delta: Array, rate: Array, B: Array, C: Array, D: Array, h: Array, y: Array, into: Array) -> None:
    """One sample of one block of w channels: renews h [N, w], writes y [w]; into [w] is scratch."""
    for c in range(u.size):
        y[c] = D[c] * u[c]
        into[c] = delta[c] * u[c]
    for k in range(B.size):
        b, out, h_k, rate_k = B[k], C[k], h[k], rate[k]
        for c in range(u.size):
            state = _exp2(delta[c] * rate_k[c]) * h_k[c] + into[c] * b
            h_k[c] = state
            y[c] += out * state


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED_SUMS)
def scan_back(
    u: Array, delta: Array, rate: Array, B: Array, C: Array, D: Array, saved: Array, dy: Array, g: Array,
    du: Array, ddelta: Array, dA: Array, dB: Array, dC: Array, dD: Array, first: int, stop: int,
) -> None:  # fmt: skip
    """Backward, for the items `first` to `stop`.

    Args: g [n, N, d], the gradient by the last state, becomes that by the first; dA [n, N, d] and dD [n, d], a signal
    each; dB, dC [blocks, n, L, N], a block each.
    """
    _, L, d = u.shape
    N = len(rate)
    n_blocks = (d + BLOCK_BACK - 1) // BLOCK_BACK
    for item in range(first, stop):
        i, block = divmod(item, n_blocks)
        low, high = block * BLOCK_BACK, min((block + 1) * BLOCK_BACK, d)
        g_w, rate_w, D_w = g[i, :, low:high].copy(), rate[:, low:high].copy(), D[low:high].copy()
        dA_w, dD_w = np.zeros_like(g_w), np.zeros_like(D_w)
        h, a = np.empty((SEGMENT + 1, N, high - low), u.dtype), np.empty((SEGMENT, N, high - low), u.dtype)
        scratch = np.empty((3, high - low), u.dtype)
        for segment in range((L - 1) // SEGMENT, -1, -1):
            begin = segment * SEGMENT
            length = min(SEGMENT, L - begin)
            h[0] = saved[i, segment, :, low:high]
            for j in range(length):
                t = begin + j
                _again(u[i, t, low:high], delta[i, t, low:high], rate_w, B[i, t], h[j], a[j], h[j + 1], scratch[0])
            for j in range(length - 1, -1, -1):
                t = begin + j
                _step_back(
                    u[i, t, low:high], delta[i, t, low:high], rate_w, B[i, t], C[i, t], D_w, h[j], a[j], h[j + 1],
                    dy[i, t, low:high], g_w, du[i, t, low:high], ddelta[i, t, low:high], dA_w, dB[block, i, t],
                    dC[block, i, t], dD_w, scratch[0], scratch[1], scratch[2],
                )  # fmt: skip
        g[i, :, low:high] = g_w
        dA[i, :, low:high] = dA_w
        dD[i, low:high] = dD_w


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED_SUMS)
def _again(u: Array, delta: Array, rate: Array, B: Array, before: Array, a: Array, after: Array, into: Array) -> None:
    """One sample of one block once more, with its decays: writes a and the state after it, [N, w]; into is scratch."""
    for c in range(u.size):
        into[c] = delta[c] * u[c]
    for k in range(B.size):
        b, rate_k, before_k, a_k, after_k = B[k], rate[k], before[k], a[k], after[k]
        for c in range(u.size):
            decay = _exp2(delta[c] * rate_k[c])
            a_k[c] = decay
            after_k[c] = decay * before_k[c] + into[c] * b


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED_SUMS)
def _step_back(
    u: Array, delta: Array, rate: Array, B: Array, C: Array, D: Array, before: Array, a: Array, after: Array, dy: Array,
    g: Array, du: Array, ddelta: Array, dA: Array, dB: Array, dC: Array, dD: Array, into: Array, by_B: Array,
    by_rate: Array,
) -> None:  # fmt: skip
    """One sample of one block backwards: renews g and dA [N, w]; into, by_B and by_rate [w] are scratch."""
    for c in range(u.size):
        into[c] = delta[c] * u[c]
        by_B[c] = 0
        by_rate[c] = 0
        dD[c] += dy[c] * u[c]
    for k in range(B.size):
        b, out, rate_k, before_k, a_k, after_k, g_k, dA_k = B[k], C[k], rate[k], before[k], a[k], after[k], g[k], dA[k]
        sum_B = sum_C = u.dtype.type(0)
        for c in range(u.size):
            here = g_k[c] + out * dy[c]
            sum_C += dy[c] * after_k[c]
            sum_B += here * into[c]
            by_B[c] += here * b
            earlier = here * a_k[c]
            g_k[c] = earlier
            by_decay = earlier * before_k[c]
            by_rate[c] += by_decay * rate_k[c]
            dA_k[c] += by_decay * delta[c]
        dB[k] = sum_B
        dC[k] = sum_C
    for c in range(u.size):
        ddelta[c] = u[c] * by_B[c] + by_rate[c] * u.dtype.type(LN_2)
        du[c] = delta[c] * by_B[c] + D[c] * dy[c]
