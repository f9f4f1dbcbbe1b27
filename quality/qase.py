"""QASE-net: the SNR of a surface-EMG signal from the noisy signal alone (129,041 parameters), and its ablations.

Source: "QASE-net", arXiv 2402.05482, and its public code. A signal of L samples at 1 kHz, shapes for L = 10,000:

    layer                                    in -> out        shape
    over max|x| (or the RMS, `scale`)                         [n, 1, L]
    conv 16/8, batch norm, ReLU               1 -> 16         [n, 16, 1249]
    conv 8/4, batch norm, ReLU               16 -> 32         [n, 32, 311]
    BLSTM, 64 a direction                    32 -> 128        [n, 311, 128]
    self-attention, 4 heads                 128 -> 128        [n, 311, 128]
    mean over time                                            [n, 128]
    linear, ReLU                            128 -> 64
    linear                                   64 -> 1          SNR in dB
    linear (not in the paper)                64 -> n_kinds    a logit a kind of noise

Ablations leave out the BLSTM or the attention; those of the public code also have more convolutions (4/2, 2/1, ...).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from cleansemg.core.errors import UserError

KERNELS = ((16, 8), (8, 4), (4, 2), (2, 1), (2, 1))  # kernel, stride of each convolution; from the third on as derived
CLEAN_DB = 20.0  # a signal without noise has no finite SNR: it is only asked to read at least this


@dataclass(frozen=True)
class QASESize:
    """Hyper-parameters; the defaults are the published network's, without the second head."""

    channels: tuple[int, ...] = (16, 32)
    hidden: int = 64  # of the LSTM, a direction
    layers: int = 1  # of the LSTM
    heads: int = 4
    features: int = 64
    use_lstm: bool = True
    use_attention: bool = True
    n_kinds: int = 0  # logits of the second head: 0 or 5
    scale: Literal["peak", "rms"] = "peak"  # what the input is divided by
    kinds_weight: float = 1.0  # of the kinds' cross-entropy beside the SNR's squared error
    snr_unit_db: float = 1.0  # the squared error is taken in this unit; it sets the balance of the two terms

    def __post_init__(self) -> None:
        if not 1 <= len(self.channels) <= len(KERNELS):
            raise UserError(f"channels has {len(self.channels)} numbers, 1 to {len(KERNELS)} are possible")
        if self.layers < 1:
            raise UserError(f"layers is {self.layers}, at least 1")
        if self.scale not in ("peak", "rms"):
            raise UserError(f"scale is '{self.scale}', expected peak or rms")
        if self.use_attention and (2 * self.hidden if self.use_lstm else self.channels[-1]) % self.heads:
            raise UserError(f"heads is {self.heads}, which does not divide the width of the attention")


class QASENet(nn.Module):
    """[n, L] -> [n, 1 + n_kinds]: SNR in dB, then a logit a kind; any L from `min_samples`, any unit."""

    def __init__(self, size: QASESize) -> None:
        super().__init__()
        self.size = size
        layers: list[nn.Module] = []
        width = 1
        for channels, (kernel, stride) in zip(size.channels, KERNELS, strict=False):
            layers += [nn.Conv1d(width, channels, kernel, stride), nn.BatchNorm1d(channels), nn.ReLU()]
            width = channels
        self.convolutions = nn.Sequential(*layers)
        lstm = {"num_layers": size.layers, "batch_first": True, "bidirectional": True}
        self.lstm = nn.LSTM(width, size.hidden, **lstm) if size.use_lstm else None
        width = 2 * size.hidden if size.use_lstm else width
        self.attention = nn.MultiheadAttention(width, size.heads, batch_first=True) if size.use_attention else None
        self.hidden = nn.Linear(width, size.features)
        self.snr = nn.Linear(size.features, 1)
        self.kinds = nn.Linear(size.features, size.n_kinds) if size.n_kinds else None

    @property
    def min_samples(self) -> int:
        """The shortest input, which leaves one time step."""
        samples = 1
        for kernel, stride in reversed(KERNELS[: len(self.size.channels)]):
            samples = (samples - 1) * stride + kernel
        return samples

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.convolutions(rescale(x, self.size.scale).unsqueeze(1)).transpose(1, 2)  # [n, T, c]
        if self.lstm is not None:
            y, _ = self.lstm(y)  # [n, T, 2 hidden]
        if self.attention is not None:
            y, _ = self.attention(y, y, y, need_weights=False)
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 would round the SNR to 0.06 dB
            features = torch.relu(self.hidden(y.float().mean(dim=1)))
            heads = [self.snr(features)] + ([self.kinds(features)] if self.kinds is not None else [])
            return torch.cat(heads, dim=1)

    def training_loss(self, noisy: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Squared error of the SNR, and with the second head the binary cross-entropy of the kinds.

        Args:
            noisy: [n, L].
            target: [n, 1 + K] SNR in dB (NaN: no noise), then 0 or 1 for each kind.
        """
        output = self(noisy)
        loss = snr_loss(output[:, 0], target[:, 0], self.size.snr_unit_db)
        if self.size.n_kinds:
            kinds = functional.binary_cross_entropy_with_logits(output[:, 1:], target[:, 1 : 1 + self.size.n_kinds])
            loss = loss + self.size.kinds_weight * kinds
        return loss


def rescale(x: torch.Tensor, scale: str) -> torch.Tensor:
    """[n, L] over its peak, or over its RMS; an all-zero signal stays zero."""
    peak = x.abs().amax(dim=1, keepdim=True)
    x = x / torch.where(peak > 0, peak, 1.0)
    if scale == "peak":
        return x
    rms = x.square().mean(dim=1, keepdim=True).sqrt()
    return x / torch.where(rms > 0, rms, 1.0)


def snr_loss(predicted_db: torch.Tensor, snr_db: torch.Tensor, unit_db: float) -> torch.Tensor:
    """Mean squared error in units of `unit_db`; a signal without noise (NaN) counts what it reads below `CLEAN_DB`."""
    clean = torch.isnan(snr_db)
    error = torch.where(clean, torch.relu(CLEAN_DB - predicted_db), predicted_db - torch.nan_to_num(snr_db))
    return (error / unit_db).square().mean()
