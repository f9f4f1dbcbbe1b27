"""The command `cleansemg stream`: samples from stdin, denoised samples to stdout."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from cleansemg.core.commandline import EXIT_INTERRUPTED, QuietOption
from cleansemg.recording_options import DenoiserOption, ParametersOption, WeightsOption


def stream(
    fs: Annotated[float, typer.Option("--fs", help="Sampling rate in Hz.")],
    channels: Annotated[int, typer.Option("--channels", min=1, help="How many.")] = 1,
    form: Annotated[
        str, typer.Option("--format", help="csv: a line of numbers a sample; f32: little-endian float32 frames.")
    ] = "csv",
    denoiser: DenoiserOption = None,
    weights: WeightsOption = None,
    parameters: ParametersOption = None,
    window: Annotated[
        float | None, typer.Option(help="Length of windows in s, for a causal method, too. Default: causal, or 2 s.")
    ] = None,
    overlap: Annotated[float | None, typer.Option(help="Overlap of windows in s. Default: a quarter of one.")] = None,
    quiet: QuietOption = False,
) -> int:
    """Denoise samples as they come: the same form out as in, as many samples, NaN (or an empty cell) for a gap.

    Says its latency on stderr first. A causal method (hp, identity) answers every sample at once; others work in
    windows, and hold samples back for that long.

    Example: my_amplifier | cleansemg stream --fs 2000 --channels 8 --denoiser hp | my_display
    """
    from cleansemg.core.console import setup_logging
    from cleansemg.core.errors import UserError
    from cleansemg.core.threads import single_threaded
    from cleansemg.denoising.overlap_add import best_streaming
    from cleansemg.recording_options import parameters_of
    from cleansemg.recordings import streaming
    from cleansemg.recordings.denoiser_choice import choose, try_out

    setup_logging(quiet)
    if not fs > 0:
        raise UserError(f"--fs {fs:g} is not a sampling rate in Hz")
    if sys.stdin is None or sys.stdout is None:
        raise UserError(
            f"{'stdin' if sys.stdin is None else 'stdout'} is closed; stream reads a pipe and writes a pipe"
        )
    pipe = streaming.pipe_of(form, channels)
    resolved = choose(denoiser, weights, parameters_of(parameters))
    try_out(resolved.denoiser, fs)
    running = best_streaming(resolved.denoiser, fs, channels, window, overlap)
    if not quiet:
        typer.echo(f"{resolved.title}: {streaming.latency_of(running)}", err=True)
    try:
        with single_threaded():
            streaming.run(running, pipe, sys.stdin.fileno(), sys.stdout.buffer)
    except BrokenPipeError:  # whoever reads has had enough: not an error of this end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # opened the wrong way round, or a full disk
        raise UserError(f"the pipe failed ({error.strerror or error})") from error
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        raise SystemExit(EXIT_INTERRUPTED) from None
    return 0
