"""The command `cleansemg check`: does a denoiser keep what every denoiser promises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from cleansemg.denoising import Denoiser
    from cleansemg.denoising.conformance import CheckResult

SEED = 1  # of a fresh network, which must be the same each time that it is built
PRETRAINED, FRESH = "pretrained", "none"


def check(
    name: Annotated[
        str,
        typer.Argument(
            help="package.module:Class of your own, one of `cleansemg list denoisers`, or several with + between."
        ),
    ],
    parameter: Annotated[
        list[str] | None,
        typer.Option(help="Of the denoiser, key=value (YAML): window_s=0.2; in a chain vmd.k=5. Repeatable."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Of a network: a file, pretrained or none (random weights). Default: pretrained where there are some."
        ),
    ] = None,
    track: Annotated[
        list[str] | None, typer.Option(help="blind, oracle or published alone; default: all that it has. Repeatable.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="The lines of failures alone.")] = False,
) -> int:
    """Check that a denoiser is what everything here relies on: one line a check.

    ok     held; FAIL   not held, with what was found and what is expected; --     does not apply.

    Shapes and types, lengths, sampling rates, unit and sign, neighbours in the batch, repeated calls, its input left
    alone, constants, refusal of NaN and other wrong input, labels. The signals are made up, and it says nothing about
    how well a method denoises: `cleansemg run --denoiser NAME` does. Exit code 1 if one check fails.

    A class of your own is looked for in the working folder, too. Example: cleansemg check my_package.my_file:MyDenoiser
    """
    from cleansemg.core.commandline import EXIT_FAILED_ITEMS
    from cleansemg.core.threads import single_threaded
    from cleansemg.denoising.conformance import iter_checks

    build, about = _builder(name, _assignments(parameter or ()), weights)
    with single_threaded():
        tracks = _tracks(build(), track or ())
        if about and not quiet:
            typer.echo(about)
        n, failed = 0, 0
        for result in iter_checks(build, tracks):
            n += 1
            failed += not result.passed
            for line in _lines(result):
                if not quiet or not result.passed:
                    typer.echo(line)
    if not quiet or failed:
        typer.echo(f"{failed} of {n} checks failed" if failed else f"all {n} checks passed")
    return EXIT_FAILED_ITEMS if failed else 0


def _builder(name: str, parameters: dict[str, Any], weights: str | None) -> tuple[Callable[[], Denoiser], str]:
    """What builds the denoiser, and a line about its weights.

    Raises:
        UserError: as `user_classes.require` and `denoising.load`; a constructor that raises anything else.
    """
    from cleansemg import user_classes
    from cleansemg.core import registry, user_modules
    from cleansemg.core.errors import UserError, raised_at
    from cleansemg.denoising import load
    from cleansemg.denoising.chain import links_of
    from cleansemg.denoising.loading import WEIGHTS_FOLDER, is_neural

    links = links_of(name)
    for link in links:
        if user_modules.is_class_target(link.name):
            user_classes.require("denoisers", link.name)
    entries = [registry.find("denoisers", link.name) for link in links]
    networks = [entry for entry in entries if is_neural(registry.load_class(entry.target))]
    neural = bool(networks)
    if weights is None:
        files = {path.stem for path in WEIGHTS_FOLDER.glob("*.safetensors")}
        come_with_some = neural and all(
            entry.name in files and entry.name in registry.entries("denoisers") for entry in networks
        )
        weights = PRETRAINED if come_with_some else FRESH
    source = None if weights == FRESH else weights
    about = ("a fresh network" if source is None else f"weights: {source}") if neural else ""

    def build() -> Denoiser:
        try:
            with _same_draws() if neural else nullcontext():
                return load(name, source, **parameters)
        except UserError:
            raise
        except Exception as error:
            where = raised_at(error, Path.cwd())
            raise UserError(f"'{name}' cannot be built: {type(error).__name__}: {error}{where}") from error

    return build, about


@contextmanager
def _same_draws() -> Iterator[None]:
    """Torch draws the same first weights each time, and then goes on as if nothing had been drawn."""
    import torch

    before = torch.get_rng_state()
    torch.manual_seed(SEED)
    try:
        yield
    finally:
        torch.set_rng_state(before)


def _tracks(denoiser: Denoiser, wanted: Sequence[str]) -> Sequence[str]:
    from cleansemg.core.errors import UserError, did_you_mean
    from cleansemg.denoising.base import TRACKS

    tracks = denoiser.tracks
    if isinstance(tracks, str) or not tracks or not set(tracks) <= set(TRACKS):
        raise UserError(
            f"'{denoiser.name}': tracks is {tracks!r}; a tuple of {' and '.join(TRACKS)}: tracks = ('blind',)"
        )
    for track in wanted:
        if track not in tracks:
            raise UserError(f"--track {track}: '{denoiser.name}' does not have it{did_you_mean(track, tracks)}")
    return wanted or tracks


def _assignments(texts: Sequence[str]) -> dict[str, Any]:
    """`key=value` texts, the value being YAML."""
    import yaml

    from cleansemg.core.errors import UserError

    values = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UserError(f"--parameter {text}: expected key=value, e.g. window_s=0.2")
        try:
            values[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"--parameter {text}: the value is not YAML") from None
    return values


def _lines(result: CheckResult) -> list[str]:
    status = "--" if result.skipped else "ok" if result.passed else "FAIL"
    detail = f": {result.detail}" if result.detail else ""
    lines = [f"{status:5} {result.track:6} {result.check}{detail}"]
    return lines if result.passed else [*lines, f"{'':12} expected: {result.expected}"]
