"""The selective scan compiled for CPUs, forward and backward; symbols as in `selective_scan.py`.

Why it is fast:
- Channels are independent. A block of channels is processed through all samples while its states stay in the cache. The
  innermost loops run over the channels of the block, which are neighbours in memory, so the loops vectorise, including
  the exponential.
- Blocks and signals are distributed over threads. The kernel releases Python's lock (GIL), so plain threads suffice: no
  thread pool remains that a forked process would inherit, and two threads may scan at the same time.
- The forward pass saves only the state of every `SEGMENT`-th sample. The backward pass visits the segments from the
  last to the first and recomputes the states in between, so the memory grows with the length no faster than that of u.

Backward, with a_t = exp(delta_t A), g_t the gradient of the loss with respect to h_t, and dy_t that to y_t:

    g_t      = C_t dy_t + a_{t+1} g_{t+1}
    dC_t     = sum over d of dy_t h_t           dB_t = sum over d of g_t delta_t u_t
    du_t     = delta_t (g_t B_t) + D dy_t       dA   = sum over t of g_t a_t h_{t-1} delta_t
    ddelta_t = u_t (g_t B_t) + sum over N of g_t a_t h_{t-1} A

Sums over channels are computed for each block and added in the order of the blocks; sums over signals are added in the
order of the signals. The result therefore does not depend on the number of threads, to the last digit.
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

BLOCK = 128  # channels per block; small enough to distribute a single signal over several threads
BLOCK_BACK = 256  # the same for the backward pass, where each block and state has two sums, so fewer blocks are faster
SEGMENT = 32  # samples between saved states
RANGES_PER_THREAD = 4  # several, so that one delayed thread does not delay the others
COMPILATION_S = 20

# Sums may be reordered, so they can vectorise; NaN, infinities and division still follow IEEE 754.
REORDERED_SUMS = {"reassoc", "contract", "nsz"}

LN_2 = math.log(2.0)
LOG2_E = 1.0 / LN_2
LEAST, MOST = np.float32(-125), np.float32(127)  # exponents of normal numbers in single precision
ROUNDER = np.float32(1.5 * 2**23)  # added to a number, it leaves the nearest integer in the lowest bits
# 2^f for |f| <= 1/2 with an error of 1e-8: 1 + f times the polynomial that equals (2^f - 1) / f at the six Chebyshev
# nodes. Near f = 0 the error is smaller still, which matters because states decay by factors near 1.
P0 = np.float32(1.0)
P1 = np.float32(0.693147188)
P2 = np.float32(0.240226508)
P3 = np.float32(0.0555035711)
P4 = np.float32(0.00961808256)
P5 = np.float32(0.00133908634)
P6 = np.float32(0.000154531629)


def _exp2(x: float) -> float:
    """2^x: a polynomial that vectorises in single precision, the exponential of the library in double precision."""
    return math.exp(x * LN_2)


# reordering is off here, because it would remove the rounding step
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
    """`selective_scan` for CPU tensors of one dtype, float32 or float64; returns y and the last state."""

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
    """[m, ...] -> [...]: the sum over m, always added in the same order."""
    total = parts[0].clone()
    for part in parts[1:]:
        total += part
    return total


def _run(kernel: Any, n_items: int, tensors: Sequence[Tensor]) -> None:
    """Call `kernel` for all items, with as many threads as torch uses."""
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
    """Forward pass of the items `first` to `stop` - 1; an item is one block of channels of one signal.

    Args: rate = A / ln 2, [N, d]; start, end [n, N, d]; saved [n, segments, N, d], with 0 segments to save no state.
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
    """One sample of one block of w channels: updates h [N, w], writes y [w]; into [w] is a work array."""
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
    """Backward pass of the items `first` to `stop` - 1; an item is one block of channels of one signal.

    Args: g [n, N, d], on input the gradient with respect to the last state, on output that to the start state; dA
    [n, N, d] and dD [n, d], one part for each signal; dB, dC [blocks, n, L, N], one part for each block.
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
    """Recompute one sample of one block: writes its decays a and the state after it, [N, w]; into is a work array."""
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
    """Backward step of one sample of a block: updates g, dA [N, w], dD [w]; into, by_B, by_rate [w] are work arrays."""
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
