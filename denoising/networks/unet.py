"""The U-Net of TrustEMG-Net: an encoder of five convolutions, and a decoder with skip connections to their outputs.

Source: Wang et al., "TrustEMG-Net", the variant without a bottleneck. Kernel 8; with w = 64 and L = 2000:

    down    conv, stride 2       1 -> w -> 2w -> 4w -> 8w -> 16w      lengths 997, 495, 244, 119, 56
    up 0    16w -> 8w, 120       up 1    8w -> 4w, 245       up 2    4w -> 2w, 496       up 3    2w -> w, 998
    up 4    deconv, stride 2     w -> 1, linear                       2002; the first 2000 are used

The encoder is that of the large FCN (`fcn_large.py`). An up block is a deconvolution to half the channels, cropped or
padded to the length of the skip; a concatenation with the skip; and a convolution with padding 4, which adds a sample.
Module names are those of the published checkpoints.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from cleansemg.denoising.networks.fcn_large import Decode, Encode

KERNEL = 8
DEPTH = 5
MIN_SAMPLES = 218  # five convolutions of kernel 8 and stride 2 then leave one sample


class Up(nn.Module):
    """[n, 2c, T] and the skip [n, c, S] -> [n, c, S + 1]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.deconv = Decode(2 * channels, channels, KERNEL)
        self.conv = Encode(2 * channels, channels, KERNEL, stride=1, padding=KERNEL // 2)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        y = self.deconv(x)
        missing = skip.shape[-1] - y.shape[-1]
        left = missing // 2  # rounds down, also when negative: -1 crops one sample on the left, none on the right
        y = functional.pad(y, (left, missing - left))
        z: torch.Tensor = self.conv(torch.cat([y, skip], dim=1))
        return z


class UNet(nn.Module):
    """[n, L] -> [n, L]; L must be at least 218. The last layer returns L samples or more, which are cropped to L."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.channels = tuple(width * 2**i for i in range(DEPTH))
        w, w2, w4, w8, w16 = self.channels
        self.down1 = Encode(1, w, KERNEL)
        self.down2 = Encode(w, w2, KERNEL)
        self.down3 = Encode(w2, w4, KERNEL)
        self.down4 = Encode(w4, w8, KERNEL)
        self.down5 = Encode(w8, w16, KERNEL)
        self.up0 = Up(w8)
        self.up1 = Up(w4)
        self.up2 = Up(w2)
        self.up3 = Up(w)
        self.up4 = nn.ConvTranspose1d(w, 1, KERNEL, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.unsqueeze(1)  # [n, 1, L]
        scales = []
        for down in (self.down1, self.down2, self.down3, self.down4, self.down5):
            y = down(y)  # [n, w 2^i, about L / 2^(i+1)]
            scales.append(y)
        *skips, y = self.between(scales)
        for up, skip in zip((self.up0, self.up1, self.up2, self.up3), reversed(skips), strict=True):
            y = up(y, skip)
        output: torch.Tensor = self.up4(y)  # [n, 1, L + 1 or L + 2]
        return output.squeeze(1)[:, : x.shape[1]]

    def between(self, scales: list[torch.Tensor]) -> list[torch.Tensor]:
        """Map the five outputs of the encoder, [n, c, T] each, the deepest last, to the decoder's; here unchanged."""
        return scales
