"""The stage that makes the noisy streams; each random draw is keyed by its stream and channel."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.artifact import Artifact, Failure
from cleansemg.core.code_identity import of_modules
from cleansemg.core.errors import ItemError
from cleansemg.core.layout import Layout
from cleansemg.core.seeding import generator
from cleansemg.core.stage import Job, Report, RunOptions, ShardResult, run_stage
from cleansemg.downstream.common import streams
from cleansemg.downstream.common.streams import CLEAN, NOISY, SCHEMA
from cleansemg.downstream.common.task import Stream
from cleansemg.noise import mixing
from cleansemg.noise.pool import NoiseLibrary

if TYPE_CHECKING:
    from cleansemg.settings import Settings


@dataclass(frozen=True)
class NoisyJob:
    """One clean stream, and the noise library that it is mixed with."""

    clean: Path
    shard: str
    library: Path
    settings: Settings
    power: dict[tuple[str, str], float] | None  # V^2, by person and channel; None: the power of the stream itself


def contaminate(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Mix noise of the test library into every stream.

    The SNR is drawn once for each stream, the number of noise kinds once for each channel. Kinds, pieces and offsets
    are drawn once for each channel and block; a stream longer than the shortest noise piece has several blocks. Draws
    are keyed by unique names (protocol F); the published code sums numbers to seeds, and these collide.

    By default the SNR refers to the power of the channel over all streams of the person; with `downstream.noise_level:
    stream`, to its power in the stream. A stream may contain only one class, so noise scaled to each stream would
    reveal the class to the classifier.

    Raises:
        ArtifactError: clean streams or noise are absent or unfinished.
    """
    clean = streams.open_streams(layout.downstream(CLEAN))
    power = power_by_person(clean) if settings.downstream.noise_level == "person" else None
    library = NoiseLibrary.open(layout.noise("test"))
    jobs = [
        Job(shard.name, NoisyJob(clean.folder, shard.name, layout.noise("test"), settings, power))
        for shard in clean.manifest.shards
        if shard.count
    ]
    wanted = settings.downstream
    section = {"snr_db": list(wanted.snr_db), "n_kinds": list(wanted.n_kinds), "floor_db": settings.mix.wgn_floor_db,
               "noise_level": wanted.noise_level}  # fmt: skip
    result = run_stage(
        layout.downstream(NOISY), SCHEMA, jobs, mix_stream,
        section={"task": wanted.task, **section},
        inputs={"clean": clean.manifest.fingerprint, "noise": library.fingerprint},
        seed=settings.seed, options=options, label="contaminate", code=of_modules(__name__), info=clean.manifest.info,
    )  # fmt: skip
    return Report("contaminate", (f"{len(jobs)} streams, {result.artifact.folder}",), len(result.failures))


def mix_stream(job: NoisyJob) -> ShardResult:
    """Make one noisy stream; if mixing fails, the stream is recorded as a failure."""
    stream = streams.load(streams.open_streams(job.clean), job.shard)
    power = None
    if job.power is not None:
        power = np.array([job.power[stream.person, channel] for channel in stream.channels])
    try:
        noisy = noisy_version(stream, NoiseLibrary.open(job.library), job.settings, power)
    except ItemError as error:
        return ShardResult(streams.empty(), [Failure(stream.key, str(error))])
    return ShardResult(streams.to_arrays(noisy))


def noisy_version(
    stream: Stream, library: NoiseLibrary, settings: Settings, power: NDArray[np.float64] | None = None
) -> Stream:
    """Return the stream with noise added.

    Args:
        stream: the clean stream.
        library: the noise.
        settings: SNRs, numbers of kinds, seed.
        power: [C] reference of the SNR, V^2; None: the mean square of each channel. A channel of power 0 gets no noise.

    Raises:
        ItemError: a drawn noise excerpt is silent, or noise components cancel one another.
    """
    wanted, seed = settings.downstream, settings.seed
    floor_db = settings.mix.wgn_floor_db
    snr_db = float(generator(seed, "downstream", "snr", stream.key).choice(np.array(wanted.snr_db)))
    level = mean_square(stream.signal) if power is None else power
    live = np.flatnonzero(level > 0)
    if not live.size:
        return stream
    draws = [generator(seed, "downstream", "noise", stream.key, stream.channels[c]) for c in live]
    room = len(mixing.drawable(snr_db, 2, floor_db, library.kinds))
    counts = np.array([min(int(draw.choice(np.array(wanted.n_kinds))), room) for draw in draws])
    names = [f"{stream.key}/{stream.channels[c]}" for c in live]
    length = stream.signal.shape[1]
    longest = min(length, *(int(library.piece_lengths(kind).min()) for kind in library.kinds))
    noisy = stream.signal.copy()
    # a stream longer than the shortest noise piece is mixed in blocks of nearly equal length
    edges = np.linspace(0, length, -(-length // longest) + 1).round().astype(int).tolist()
    for block, (start, stop) in enumerate(itertools.pairwise(edges)):
        # the mixing rule scales noise to the energy of its signal; a constant signal of the reference power gives the
        # noise the same level in every block, even where this stream is quiet
        constant = np.repeat(np.sqrt(level[live])[:, None], stop - start, axis=1).astype(np.float32)  # [c, l]
        recipe = mixing.draw_recipes(draws, snr_db, counts, library, stop - start, floor_db, block)
        mixed, _ = mixing.mix_recipes(constant, recipe, library, snr_db, "exact", floor_db, names)
        noisy[live, start:stop] += mixed - constant
    return replace(stream, signal=noisy)


def mean_square(signal: NDArray[np.float32]) -> NDArray[np.float64]:
    """[C, L] in V -> [C] power (mean square) of each channel, V^2."""
    power: NDArray[np.float64] = np.square(signal, dtype=np.float64).mean(axis=1)
    return power


def power_by_person(clean: Artifact) -> dict[tuple[str, str], float]:
    """Power of each person and channel over all streams, including rest, V^2; key: (person, channel)."""
    energy: dict[tuple[str, str], float] = {}
    samples: dict[tuple[str, str], int] = {}
    for _, stream in streams.each(clean):
        for channel, power in zip(stream.channels, mean_square(stream.signal), strict=True):
            key, n = (stream.person, channel), stream.signal.shape[1]
            energy[key] = energy.get(key, 0.0) + float(power) * n
            samples[key] = samples.get(key, 0) + n
    return {key: energy[key] / samples[key] for key in energy}
