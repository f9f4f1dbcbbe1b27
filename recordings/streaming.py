"""Samples from a pipe through a denoiser into another pipe, as they come.

Two forms, the same in and out: `csv`, a line of numbers a sample, one a channel, in any unit, an empty cell or `nan`
where there is no value; and `f32`, frames of little-endian float32, one a channel, NaN where there is no value.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import ItemError, UserError, did_you_mean
from cleansemg.denoising.causal import CausalDenoiser
from cleansemg.denoising.overlap_add import OverlapAdd

READ_BYTES = 2**16
LONGEST_LINE = 2**16  # bytes; longer ones are no samples

Form = CausalDenoiser | OverlapAdd


class Pipe(ABC):
    """Bytes to samples and back, for one number of channels."""

    def __init__(self, n_channels: int) -> None:
        self.n_channels = n_channels
        self._rest = b""

    @abstractmethod
    def feed(self, data: bytes) -> Iterator[NDArray[np.float64]]:
        """Blocks [C, l] of the samples that are complete; what is left waits.

        Raises:
            UserError: something that is no sample, after the samples before it.
        """

    @abstractmethod
    def end(self) -> Iterator[NDArray[np.float64]]:
        """What was waiting, if it is a sample; raises as `feed`."""

    @abstractmethod
    def encode(self, block: NDArray[np.float32]) -> bytes:
        """Bytes of [C, l] samples."""


class CsvPipe(Pipe):
    """Lines of numbers between commas."""

    def __init__(self, n_channels: int) -> None:
        super().__init__(n_channels)
        self._line = 0
        self._format = ",".join(["%.9g"] * n_channels)  # nine digits hold a float32 exactly

    def feed(self, data: bytes) -> Iterator[NDArray[np.float64]]:
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        yield from self._parse(lines)
        if len(self._rest) > LONGEST_LINE:
            raise UserError(f"line {self._line + 1}: longer than {LONGEST_LINE} bytes")

    def end(self) -> Iterator[NDArray[np.float64]]:
        rest, self._rest = self._rest, b""
        if rest:
            yield from self._parse([rest])

    def encode(self, block: NDArray[np.float32]) -> bytes:
        return "".join(self._format % tuple(sample) + "\n" for sample in block.T.tolist()).encode()

    def _parse(self, lines: list[bytes]) -> Iterator[NDArray[np.float64]]:
        samples: list[list[float]] = []
        try:
            for line in lines:
                self._line += 1
                samples.append(self._sample(line))
        except UserError:
            if samples:  # what came before the bad line is good
                yield np.array(samples).T
            raise
        if samples:
            yield np.array(samples).T

    def _sample(self, line: bytes) -> list[float]:
        cells = line.strip().split(b",")
        if len(cells) != self.n_channels:
            raise UserError(f"line {self._line}: {len(cells)} values, expected {self.n_channels}: {_shown(line)}")
        try:
            sample = [float(cell) if cell.strip() else np.nan for cell in cells]
        except ValueError:
            raise UserError(f"line {self._line}: not numbers between commas: {_shown(line)}") from None
        if np.isinf(sample).any():
            raise UserError(f"line {self._line}: an infinite value; nan is what marks a gap: {_shown(line)}")
        return sample


class FloatPipe(Pipe):
    """Frames of little-endian float32."""

    def __init__(self, n_channels: int) -> None:
        super().__init__(n_channels)
        self._frame = 0

    def feed(self, data: bytes) -> Iterator[NDArray[np.float64]]:
        data = self._rest + data
        whole = len(data) - len(data) % (4 * self.n_channels)
        self._rest = data[whole:]
        frames = np.frombuffer(data[:whole], "<f4").reshape(-1, self.n_channels)
        infinite = np.flatnonzero(np.isinf(frames).any(axis=1))
        good = frames[: infinite[0]] if len(infinite) else frames
        self._frame += len(good)
        if len(good):
            yield good.T.astype(np.float64)
        if len(infinite):
            raise UserError(f"frame {self._frame + 1}: an infinite value; NaN is what marks a gap")

    def end(self) -> Iterator[NDArray[np.float64]]:
        if self._rest:
            raise UserError(
                f"frame {self._frame + 1}: {len(self._rest)} bytes, expected {4 * self.n_channels} "
                f"({self.n_channels} channels of float32)"
            )
        yield from ()

    def encode(self, block: NDArray[np.float32]) -> bytes:
        return np.ascontiguousarray(block.T, "<f4").tobytes()


PIPES: dict[str, type[Pipe]] = {"csv": CsvPipe, "f32": FloatPipe}


def pipe_of(name: str, n_channels: int) -> Pipe:
    """A pipe by the name of its form.

    Raises:
        UserError: no such form.
    """
    if name not in PIPES:
        raise UserError(f"--format is '{name}'{did_you_mean(name, PIPES)}")
    return PIPES[name](n_channels)


def latency_of(form: Form) -> str:
    """What a user of a stream wants to know first."""
    if isinstance(form, OverlapAdd):
        return f"latency {form.latency_s:g} s (windows)"
    delay = f"; filters delay by up to {1000 * form.delay_s:.2g} ms at 100 Hz" if form.delay_s else ""
    return f"latency 0 samples (causal{delay})"


def run(form: Form, pipe: Pipe, source: int, target: BinaryIO) -> None:
    """Read until the source ends, and write what is final after every read.

    Args:
        form: of the denoiser.
        pipe: of the samples' form.
        source: a file descriptor; read as soon as anything is there.
        target: flushed after every write.

    Raises:
        UserError: something that is no sample, or a window that the denoiser cannot do; all samples before are out as
            far as they are final.
        BrokenPipeError: nobody reads the target any more.
    """
    try:
        while data := os.read(source, READ_BYTES):
            for block in pipe.feed(data):
                _write(pipe, target, form.push(block))
        for block in pipe.end():
            _write(pipe, target, form.push(block))
        _write(pipe, target, form.finish())
    except ItemError as error:
        raise UserError(str(error)) from error


def _write(pipe: Pipe, target: BinaryIO, block: NDArray[np.float32]) -> None:
    if block.shape[1]:
        target.write(pipe.encode(block))
        target.flush()


def _shown(line: bytes) -> str:
    """The start of a line, for a message of one line."""
    text = line.strip().decode("utf-8", "replace")
    return repr(text if len(text) <= 60 else text[:57] + "...")
