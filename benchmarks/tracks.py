"""The tracks of the classical methods on mixtures of validation people: what labels are worth (docs/denoisers.md).

    CLEANSEMG_DATA=... cleansemg run --config open --stages qc,grade,split,segment,noise
    python -m benchmarks.tracks [--config open] [--names hp vmd] [--mixtures 240]

The mixtures are drawn as for calibration, from the run's validation segments and validation noise: 1 to 5 kinds each,
and, in a second table, one kind each. Printed is the mean SNR improvement in dB. On the oracle and published tracks the
kinds and the line's frequency are given; `auto` is not there, as its kinds are those that the quality network predicts.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from cleansemg.core import config
from cleansemg.core.layout import Layout
from cleansemg.denoising import load
from cleansemg.noise.labels import NoiseLabels, Rule
from cleansemg.training import calibration_set, search_space
from cleansemg.training.calibration import snr_improvement_db

METHODS = ("hp", "ts", "emd", "ceemdan", "vmd", "wavelet", "line_interpolation")
RULES: dict[str, Rule | None] = {"blind": None, "oracle": "evidence", "published": "published"}


def main() -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--config", default="open")
    parser.add_argument("--names", nargs="*", default=METHODS)
    parser.add_argument("--mixtures", type=int, default=240, help="of each table")
    arguments = parser.parse_args()
    settings = config.load(arguments.config)
    layout = Layout(Path(settings.paths.output))
    calibration, _ = search_space.read(config.referenced(settings.calibrate.trad_config, settings))
    for n_kinds in ((1, 2, 3, 4, 5), (1,)):
        drawn = calibration.model_copy(update={"segments": arguments.mixtures, "draws": 1, "n_kinds": n_kinds})
        mixtures = calibration_set.make(settings, drawn, layout.segments("valid"), layout.noise("valid"))
        print(
            f"\n{len(mixtures.ids)} mixtures of {mixtures.n_subjects} people, kinds: {', '.join(map(str, n_kinds))}\n"
        )
        print("| method | " + " | ".join(RULES) + " |\n|---|" + "---:|" * len(RULES))
        for name in arguments.names:
            print(f"| `{name}` | " + " | ".join(cell(name, rule, mixtures) for rule in RULES) + " |", flush=True)
    return 0


def cell(name: str, track: str, mixtures: calibration_set.CalibrationSet) -> str:
    """A method's mean SNR improvement on a track; empty where it does not have it."""
    denoiser, rule = load(name), RULES[track]
    if track not in denoiser.tracks:
        return ""
    labels = rule and NoiseLabels(
        mixtures.kinds, mixtures.line_hz, names=mixtures.kind_names, rule=rule, sources=mixtures.sources
    )
    denoised = denoiser.denoise(mixtures.noisy, mixtures.fs_hz, labels)
    return f"{snr_improvement_db(mixtures.clean, mixtures.noisy, denoised).mean():.2f}"


if __name__ == "__main__":
    raise SystemExit(main())
