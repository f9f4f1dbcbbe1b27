"""Example segments, clean, noisy and denoised: the best, the median and the worst case of the leading denoiser."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.artifact import Artifact, Schema
from cleansemg.core.periodogram import welch
from cleansemg.evaluation import pictures
from cleansemg.evaluation.report.figures import to_svg
from cleansemg.evaluation.report.run import Run
from cleansemg.evaluation.scores import Scores
from cleansemg.evaluation.scoring import SCHEMA
from cleansemg.evaluation.stats.comparisons import best
from cleansemg.evaluation.test_set import SCHEMA as MIXTURES
from cleansemg.noise.kinds import BENCHMARK_KINDS

HEADLINE = "SNRimp"
PIXELS = 320  # a waveform is drawn as the smallest and largest samples of this many stretches
CLEAN_COLOUR, NOISY_COLOUR = "#444444", "#A33B00"
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """One mixture.

    Attributes:
        case: best, median or worst.
        caption: the mixture, and the leading denoiser's SNR improvement on it.
        svg: picture of waveforms and spectra.
    """

    case: str
    caption: str
    svg: str


def leader(run: Run) -> Scores | None:
    """The denoiser with the largest SNR improvement on the blind track, else on the first track with a result."""
    tracks = list(dict.fromkeys(scores.track for scores in run.drawn))
    for track in sorted(tracks, key=lambda name: name != "blind"):
        rows = [s for s in run.drawn if s.track == track and s.label not in pictures.REFERENCE_ROWS]
        position = best(rows, run.profile, HEADLINE)
        if position is not None:
            return position
    return None


def examples(run: Run) -> tuple[list[Example], str]:
    """The cases, and a sentence that says why there are none ("" where there are some).

    Raises:
        ArtifactError: a shard of the run is missing or altered.
    """
    first = leader(run)
    if first is None:
        return [], "No denoiser has a result."
    folder = run.layout.test_data(run.drawn_name)
    if not (folder / "manifest.json").is_file():
        return [], f"The test set is not among the results ({folder.name}), so there are no waveforms to show."
    values = first.of(run.profile, [HEADLINE])[:, 0]
    order = np.flatnonzero(np.isfinite(values))[np.argsort(values[np.isfinite(values)], kind="stable")]
    cases = {"best": int(order[-1]), "median": int(order[(len(order) - 1) // 2]), "worst": int(order[0])}
    shown = _shown(run)
    if _row(_denoised(run, shown[0]), SCHEMA, 0).get("denoised") is None:
        return [], f"No waveforms were kept of the set '{run.drawn_name}' (evaluate.keep_waveforms)."
    drawn = []
    for case, row in cases.items():
        mixture = _row(folder, MIXTURES, row)
        outputs = {(s.label, s.track): _row(_denoised(run, s), SCHEMA, row)["denoised"] for s in shown}
        gains = {(s.label, s.track): float(s.of(run.profile, [HEADLINE])[row, 0]) for s in shown}
        names = mixture.get("kind_names", BENCHMARK_KINDS)
        kinds = " + ".join(kind for kind, there in zip(names, mixture["kinds"], strict=True) if there)
        caption = (
            f"{mixture['segment_id']}, {float(mixture['snr_db']):g} dB, {kinds}: "
            f"{first.label} ({first.track}) improves it by {values[row]:.1f} dB"
        )
        drawn.append(Example(case, caption, _draw(case, mixture, outputs, gains, run)))
    return drawn, ""


def _shown(run: Run) -> list[Scores]:
    """One row per denoiser: its blind track, or the first that it has; without the floor."""
    leaders: dict[str, Scores] = {}
    for scores in sorted(run.drawn, key=lambda s: s.track != "blind"):
        leaders.setdefault(scores.label, scores)
    order = dict.fromkeys(scores.label for scores in run.drawn)
    return [leaders[label] for label in order if label not in ("identity", "zero")] or [run.drawn[0]]


def _denoised(run: Run, scores: Scores) -> Path:
    return scores.folder or run.layout.denoised(scores.label, scores.track, run.drawn_name)


def _row(folder: Path, schema: Schema, row: int) -> dict[str, Any]:
    """One row of an artifact; only its shard is read."""
    artifact = Artifact.open(folder, schema)
    for shard in artifact.manifest.shards:
        if row < shard.count:
            return {name: column[row] for name, column in artifact.load(shard.name).items()}
        row -= shard.count
    raise IndexError(f"{folder}: has no row {row}")


def _draw(
    case: str,
    mixture: dict[str, Any],
    outputs: dict[tuple[str, str], NDArray[np.float32]],
    gains: dict[tuple[str, str], float],
    run: Run,
) -> str:
    fs_hz = run.settings.segment.fs_hz
    clean = np.asarray(mixture["clean"], np.float64)
    signals: list[tuple[str, str, FloatArray]] = [
        ("clean", CLEAN_COLOUR, clean),
        ("noisy", NOISY_COLOUR, np.asarray(mixture["noisy"], np.float64)),
    ]
    colours = pictures.colours_of(run.drawn)
    for (label, track), output in outputs.items():
        gain = f"{gains[label, track]:+.1f} dB" if np.isfinite(gains[label, track]) else "failed"
        signals.append((f"{label} ({track})\n{gain}", colours[label][0], np.asarray(output, np.float64)))
    figure = pictures.new_figure(9.4, 0.5 + 0.62 * len(signals))
    grid = figure.subplots(len(signals), 2, sharex="col", squeeze=False, gridspec_kw={"width_ratios": [2.3, 1]})
    reference = _spectrum_db(welch(clean[None], fs_hz, 256)[1][0])
    top_db = float(reference.max())
    for (wave, spectrum), (name, colour, signal) in zip(grid, signals, strict=True):
        wave.set_ylabel(pictures.plain(_short(name)), rotation=0, ha="right", va="center", fontsize=7.5)
        if np.isfinite(signal).all():
            t_s, y = _envelope(signal, fs_hz)
            wave.plot(t_s, 1e6 * y, color=colour, linewidth=0.6)
            limit = 1.08e6 * float(np.abs(signal).max()) or 1.0
            wave.set_ylim(-limit, limit)
            f_hz, power = welch(signal[None], fs_hz, 256)
            spectrum.plot(f_hz, reference, color="0.7", linewidth=0.8)
            spectrum.plot(f_hz, _spectrum_db(power[0]), color=colour, linewidth=0.9)
            spectrum.set_ylim(top_db - 45, top_db + 25)
        else:
            wave.text(0.5, 0.5, "failed", transform=wave.transAxes, ha="center", va="center", fontsize=9)
        for axes in (wave, spectrum):
            axes.tick_params(labelsize=6.5, length=2)
            axes.grid(alpha=0.2)
    grid[0][0].set_title("waveform (µV, each with its own scale)", fontsize=8.5, loc="left")
    grid[0][1].set_title("power density (dB; grey: clean)", fontsize=8.5, loc="left")
    grid[-1][0].set_xlabel("time (s)", fontsize=8)
    grid[-1][1].set_xlabel("frequency (Hz)", fontsize=8)
    return to_svg(figure, f"example-{case}", f"Waveforms and spectra of the {case} case")


def _envelope(signal: FloatArray, fs_hz: float) -> tuple[FloatArray, FloatArray]:
    """Times and values of the smallest and largest sample of each stretch: a shorter curve that looks the same."""
    n = len(signal)
    if n <= 2 * PIXELS:
        return np.arange(n) / fs_hz, signal
    edges = np.linspace(0, n, PIXELS + 1).astype(int)
    where = []
    for start, stop in itertools.pairwise(edges):
        stretch = signal[start:stop]
        where += sorted({start + int(stretch.argmin()), start + int(stretch.argmax())})
    index = np.array(where)
    return index / fs_hz, signal[index]


def _spectrum_db(power: FloatArray) -> FloatArray:
    """Decibels over 1 V²/Hz; silence is far below everything."""
    db: FloatArray = 10 * np.log10(np.maximum(power, 1e-30))
    return db


def _short(name: str, most: int = 26) -> str:
    first, newline, rest = name.partition("\n")
    return (first if len(first) <= most else first[: most - 1] + "…") + newline + rest
