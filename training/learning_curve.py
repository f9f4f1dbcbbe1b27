"""Learning curves: how well a network denoises validation mixtures, against the mixtures that it has seen.

A validation loss does not compare networks: each has its own. So after every epoch, and before the first, the network
denoises the same validation mixtures, and its mean improvements of SNR and of SI-SDR (Le Roux et al., "SDR - half-baked
or well done?", ICASSP 2019) are noted. Nothing is selected by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cleansemg.core.npz import atomic_write
from cleansemg.training.batches import Batch
from cleansemg.training.checkpoint import CurvePoint

HEADER = "mixtures,SNRimp,SI_SDRimp,used"
LEAST_SHARE = 2.0**-48  # of an energy: the rounding of float32

Scorer = Callable[[nn.Module], tuple[float, float]]


def snr_improvement_db(clean: torch.Tensor, noisy: torch.Tensor, estimate: torch.Tensor) -> torch.Tensor:
    """Error energy of the noisy over that of the estimated signal, dB: three tensors [n, L] -> [n] float64.

    >>> clean = torch.tensor([[1.0, -1.0, 1.0, -1.0]])
    >>> snr_improvement_db(clean, 2 * clean, 1.1 * clean).round(decimals=3)
    tensor([20.], dtype=torch.float64)
    """
    c = clean.double()
    least = LEAST_SHARE * c.square().sum(dim=1)
    before, after = ((x.double() - c).square().sum(dim=1).maximum(least) for x in (noisy, estimate))
    return 10 * (before / after).log10()


def si_sdr_db(clean: torch.Tensor, estimate: torch.Tensor) -> torch.Tensor:
    """Scale-invariant signal-to-distortion ratio (equation 3 of the paper), dB: [n, L], [n, L] -> [n] float64.

    Both energies count as at least 2^-48 of the estimate's; of a silent estimate it is -144.49 dB.

    >>> clean = torch.tensor([[1.0, -1.0, 1.0, -1.0]])
    >>> si_sdr_db(clean, clean + torch.tensor([[1.0, 1.0, -1.0, -1.0]])).round(decimals=3)
    tensor([0.], dtype=torch.float64)
    """
    c, e = clean.double(), estimate.double()
    total = e.square().sum(dim=1)
    target = ((c * e).sum(dim=1) / c.square().sum(dim=1)).unsqueeze(1) * c  # [n, L]
    floor = (LEAST_SHARE * total).clamp(min=torch.finfo(torch.float64).tiny)
    explained = target.square().sum(dim=1).maximum(floor)
    left = (target - e).square().sum(dim=1).maximum(floor)
    silent = torch.full_like(total, LEAST_SHARE).log10()
    return 10 * torch.where(total > 0, (explained / left).log10(), silent)


def scorer(batches: Sequence[Batch], clip: bool, device: torch.device) -> Scorer:
    """A function that scores a network on fixed mixtures.

    Args:
        batches: scaled and not clipped, so that networks with and without clipping are judged by the same signals.
        clip: limit the network's input to [-1, 1], as its denoiser does.
        device: of the network.

    Returns:
        The function: network -> mean improvements of SNR and SI-SDR, dB. A network with `quick_estimate` is asked for
        that in place of its output. It leaves the network in evaluation mode.
    """

    def score(network: nn.Module) -> tuple[float, float]:
        network.eval()
        estimate: Any = getattr(network, "quick_estimate", network)
        snr, si_sdr = [], []
        with torch.no_grad():
            for batch in batches:
                noisy, clean = (torch.from_numpy(x).to(device) for x in (batch.noisy, batch.clean))
                output = estimate(noisy.clamp(-1.0, 1.0) if clip else noisy).float()
                snr.append(snr_improvement_db(clean, noisy, output))
                si_sdr.append(si_sdr_db(clean, output) - si_sdr_db(clean, noisy))
        return float(torch.cat(snr).mean()), float(torch.cat(si_sdr).mean())

    return score


def write(path: Path, curve: Iterable[CurvePoint], used: int) -> None:
    """Write learning_curve.csv: a line a point; `used` is 1 at the mixtures after which the weights are used."""
    rows = [f"{p.mixtures},{p.snrimp_db!r},{p.si_sdrimp_db!r},{int(p.mixtures == used)}" for p in curve]
    atomic_write(path, ("\n".join([HEADER, *rows]) + "\n").encode())
