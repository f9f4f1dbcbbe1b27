"""The two small runs whose tables are kept: the demo's simulated set and the open recordings, nothing fitted."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

from tests.pipeline_runs import run

FOLDER = Path(__file__).resolve().parent
TABLE = "table1.csv"
NETWORKS = ("fcn", "cnn", "trustemg_rm", "msemg", "sdemg")
NETWORK_TOLERANCE_DB = 0.02  # processors differ in the last digits of a network's arithmetic
CLASSICAL = "identity, zero, gain, gain_oracle, wiener_oracle, psm_oracle, psd_oracle, hp, ts, emd, ceemdan, vmd, wavelet, line_interpolation"
SDEMG_FAST = "{name: sdemg, label: sdemg_fast, parameters: {sampler: fast}}"
COMMON = ["calibrate.methods=[]", "train.models=[]", "tables.bootstrap_resamples=200"]


# Two people of each set for training and testing, one for validation (configs/splits/open.yaml), two out of domain.
PEOPLE = (
    *(f"muscletracker/Biopac/{number}_*.txt" for number in (1, 4, 3, 2, 9)),
    *(f"elderly_lower_limb/ID {number}.xlsx" for number in (2, 9, 7, 1, 13)),
    "uci_lower_limb/1[AN]mar.txt",
)


@dataclass(frozen=True)
class GoldenRun:
    """One run: its configuration, what is overridden, and whether it needs the real recordings."""

    name: str
    settings: list[str]
    needs_data: bool = False

    @property
    def golden(self) -> Path:
        """The table as it was recorded."""
        return FOLDER / f"{self.name}_{TABLE}"

    def table(self, output: Path, data: Path | None = None) -> Path:
        """Run it and return its Table 1."""
        env = {"CLEANSEMG_DATA": str(_part(data, output / "data"))} if data else {}
        run(output, config=f"configs/{self.name}.yaml", settings=self.settings, env=env, workers=2)
        return output / "tables" / TABLE


RUNS = (
    GoldenRun(
        "demo",
        [
            *COMMON,
            "datasets.simulated.parameters={n_subjects: 5, n_channels: 2, n_gestures: 2, n_repetitions: 1}",
            "mix.sets=[combined, clean]",
            "mix.combined_segments=14",
            f"evaluate.denoisers=[{CLASSICAL}, fcn, cnn, trustemg_rm, msemg, {SDEMG_FAST}]",
        ],
    ),
    GoldenRun(
        "open",
        [
            *COMMON,
            "mix.sets=[combined, out_of_domain]",
            "mix.frozen=null",  # a few people are another test set
            "mix.combined_segments=24",
            f"evaluate.denoisers=[{CLASSICAL}, fcn, msemg]",
        ],
        needs_data=True,
    ),
)


def _part(data: Path, folder: Path) -> Path:
    """The recordings of some people of each part and data set, by link, with all noise: enough to see a number change."""
    for name in PEOPLE:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        for path in sorted((data / name).parent.glob(Path(name).name)):
            (target.parent / path.name).symlink_to(path)
    for name in ("mitdb", "nstdb"):
        (folder / name).symlink_to(data / name)
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a Table 1."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def is_network(row: dict[str, str]) -> bool:
    """Whether a row is a network's."""
    return row["denoiser"].partition("_fast")[0] in NETWORKS


def data_folder() -> Path | None:
    """Where the open recordings lie: $CLEANSEMG_DATA, or beside the project."""
    from tests.conftest import real_data_folder

    return real_data_folder() if "CLEANSEMG_DATA" not in os.environ else Path(os.environ["CLEANSEMG_DATA"])
