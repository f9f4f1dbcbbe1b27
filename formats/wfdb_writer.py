"""WFDB records, written: a header and one signal file in format 16, 24 or 32."""

from __future__ import annotations

import os
import re
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import UserError
from cleansemg.formats.info import ChannelInfo, Coding, WfdbLayout
from cleansemg.formats.signal_file import publish
from cleansemg.formats.spool import SpoolingWriter

LARGEST_CODE = 32000  # where the range of the data decides the gain


class WfdbWriter(SpoolingWriter):
    """Writes NAME.hea and NAME.dat; a sample without a value is the format's invalid code."""

    def _open(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.path.stem):
            raise UserError(f"{self.path}: the name of a WFDB record may hold letters, digits, '_' and '-' alone")
        self._signals = self.path.with_suffix(".dat")
        self._temporary_signals = self._signals.with_name(f".{self._signals.name}.{os.getpid()}.tmp")
        super()._open()

    def _commit(self) -> None:
        info, spool = self.info, self.spool
        if not spool.n_samples:
            raise UserError(f"{self.path}: no samples to write")
        channels = [
            coded_channel(channel, low, high) for channel, low, high in zip(info.channels, *self.ranges(), strict=True)
        ]
        bits = max(channel.coding.bits for channel in channels if channel.coding)
        checksums, initial = np.zeros(len(channels), np.int64), np.zeros(len(channels), np.int64)
        with open(self._temporary_signals, "wb") as file:
            for number, block in enumerate(spool.blocks()):
                codes = np.stack(
                    [
                        self._encode(row, channel.coding, bits)
                        for row, channel in zip(block, channels, strict=True)
                        if channel.coding
                    ]
                )
                if number == 0:
                    initial = codes[:, 0].copy()
                checksums += codes.sum(axis=1)
                file.write(_pack(np.ascontiguousarray(codes.T).reshape(-1), bits))
        # the header's checksum has 16 bits and a sign
        sums = (checksums + 32768) % 65536 - 32768
        self.temporary.write_text(self._header(channels, bits, initial, sums), encoding="utf-8", newline="\n")
        publish(self._temporary_signals, self._signals)
        publish(self.temporary, self.path.with_suffix(".hea"))

    def _encode(self, values: NDArray[np.float64], coding: Coding, bits: int) -> NDArray[np.int64]:
        limit = (1 << (bits - 1)) - 1
        codes = np.rint((values - coding.physical_min) / coding.units_per_code + coding.code_min)
        self.clipped += int((np.abs(codes) > limit).sum())
        return np.where(np.isnan(codes), -limit - 1, np.clip(codes, -limit, limit)).astype(np.int64)

    def _header(
        self, channels: list[ChannelInfo], bits: int, initial: NDArray[np.int64], sums: NDArray[np.int64]
    ) -> str:
        info, layout = self.info, self.info.layout
        when = f" {info.start_datetime:%H:%M:%S.%f} {info.start_datetime:%d/%m/%Y}" if info.start_datetime else ""
        name = self.path.stem
        lines = [f"{name} {len(channels)} {info.fs_hz:.12g} {self.spool.n_samples}{when}"]
        for i, channel in enumerate(channels):
            assert channel.coding is not None  # noqa: S101 - cannot happen
            gain, baseline = gain_and_baseline(channel.coding)
            unit = re.sub(r"\s", "_", channel.unit) or "mV"
            label = re.sub(r"\s+", " ", channel.name).strip() or f"ch{i + 1}"
            lines.append(f"{name}.dat {bits} {gain:.12g}({baseline})/{unit} {bits} 0 {initial[i]} {sums[i]} 0 {label}")
        if isinstance(layout, WfdbLayout):
            lines += [f"# {comment}" for comment in layout.comments]
        return "\n".join(lines) + "\n"

    def _discard(self) -> None:
        super()._discard()
        self._temporary_signals.unlink(missing_ok=True)


def gain_and_baseline(coding: Coding) -> tuple[float, int]:
    """Codes for one unit, and the code of zero."""
    gain = 1 / coding.units_per_code
    return gain, round(coding.code_min - coding.physical_min * gain)


def coded_channel(channel: ChannelInfo, low: float, high: float) -> ChannelInfo:
    """The channel with a gain: the one it has in this format, else one at which the data fill the range of codes.

    Args:
        channel: the channel.
        low: its smallest value, in the unit of the channel.
        high: its largest.
    """
    if channel.coding is not None:
        return channel
    half = (high - low) / 2 if high > low else abs(low) or 1.0
    gain = float(f"{LARGEST_CODE / half:.10g}")
    baseline = round(-(low + high) / 2 * gain)
    limit = (1 << 15) - 1
    return replace(channel, coding=Coding((-limit - baseline) / gain, (limit - baseline) / gain, -limit, limit, 16))


def _pack(codes: NDArray[np.int64], bits: int) -> bytes:
    if bits == 24:
        return np.ascontiguousarray(codes.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3]).tobytes()
    return codes.astype("<i2" if bits == 16 else "<i4").tobytes()
