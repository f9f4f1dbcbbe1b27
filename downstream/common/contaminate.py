"""The stage that makes the noisy streams; each draw is named by its stream and channel."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.artifact import Failure
from core.errors import ItemError
from core.layout import Layout
from core.seeding import generator
from core.settings import Settings
from core.stage import Job, Made, Report, RunOptions, run_stage
from downstream.common import streams
from downstream.common.streams import CLEAN, NOISY, SCHEMA
from downstream.common.task import Stream
from noise import mixing
from noise.pool import NoiseLibrary


@dataclass(frozen=True)
class NoisyJob:
    """One clean stream, and what it is mixed with."""

    clean: Path
    shard: str
    library: Path
    settings: Settings


def contaminate(settings: Settings, layout: Layout, options: RunOptions) -> Report:
    """Mix noise of the test library into every stream.

    The SNR is drawn once a stream and the kinds of noise once a channel, over the whole stream (protocol F:
    with one name each, where the published code adds numbers up to seeds that collide).
    """
    clean = streams.open_streams(layout.downstream(CLEAN))
    library = NoiseLibrary.open(layout.noise("test"))
    jobs = [
        Job(shard.name, NoisyJob(clean.folder, shard.name, layout.noise("test"), settings))
        for shard in clean.manifest.shards
        if shard.count
    ]
    wanted = settings.downstream
    section = {"snr_db": list(wanted.snr_db), "n_kinds": list(wanted.n_kinds), "floor_db": settings.mix.wgn_floor_db}
    result = run_stage(
        layout.downstream(NOISY), SCHEMA, jobs, mix_stream,
        section={"task": wanted.task, **section},
        inputs={"clean": clean.manifest.fingerprint, "noise": library.fingerprint},
        seed=settings.seed, options=options, label="contaminate", info=clean.manifest.info,
    )  # fmt: skip
    return Report("contaminate", (f"{len(jobs)} streams, {result.artifact.folder}",), len(result.failures))


def mix_stream(job: NoisyJob) -> Made:
    """One noisy stream."""
    stream = streams.load(streams.open_streams(job.clean), job.shard)
    try:
        noisy = noisy_version(stream, NoiseLibrary.open(job.library), job.settings)
    except ItemError as error:
        return Made(streams.empty(), [Failure(stream.key, str(error))])
    return Made(streams.to_arrays(noisy))


def noisy_version(stream: Stream, library: NoiseLibrary, settings: Settings) -> Stream:
    """The stream with noise; channels that are all zero stay so, having no SNR.

    Raises:
        ItemError: noise that is silent where it was drawn.
    """
    wanted, seed = settings.downstream, settings.seed
    floor_db = settings.mix.wgn_floor_db
    snr_db = float(generator(seed, "downstream", "snr", stream.key).choice(np.array(wanted.snr_db)))
    live = np.flatnonzero(stream.signal.any(axis=1))
    if not live.size:
        return stream
    draws = [generator(seed, "downstream", "noise", stream.key, stream.channels[c]) for c in live]
    room = len(mixing.drawable(snr_db, 2, floor_db, library.kinds))
    counts = np.array([min(int(draw.choice(np.array(wanted.n_kinds))), room) for draw in draws])
    clean = stream.signal[live]
    length = clean.shape[1]
    longest = min(length, *(int(library.piece_lengths(kind).min()) for kind in library.kinds))
    noisy = stream.signal.copy()
    # a stream longer than the noise is mixed in blocks as equal as can be; each has the SNR
    edges = np.linspace(0, length, -(-length // longest) + 1).round().astype(int).tolist()
    for start, stop in itertools.pairwise(edges):
        part = clean[:, start:stop]
        loud: NDArray[np.bool_] = np.asarray(part.any(axis=1))
        if not loud.any():
            continue
        chosen = [draw for draw, is_loud in zip(draws, loud, strict=True) if is_loud]
        recipe = mixing.draw_recipes(chosen, snr_db, counts[loud], library, stop - start, floor_db)
        names = [f"{stream.key}/{stream.channels[c]}" for c in live[loud]]
        noisy[live[loud], start:stop], _ = mixing.mix_recipes(
            part[loud], recipe, library, snr_db, "exact", floor_db, names
        )
    return replace(stream, signal=noisy)
