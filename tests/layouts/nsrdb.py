"""PhysioNet's MIT-BIH Normal Sinus Rhythm Database in small."""

from __future__ import annotations

from pathlib import Path

from cleansemg.core.seeding import generator
from tests.layouts.wfdb_records import ecg_like, write_record

FOLDER = "mit-bih-normal-sinus-rhythm-database-1.0.0"
FS_HZ = 128.0
RECORDS = (
    *("16265", "16272", "16273", "16420", "16483", "16539", "16773", "16786", "16795", "17052", "17453", "18177"),
    *("18184", "19088", "19090", "19093", "19140", "19830"),
)


def write_nsrdb(root: Path, seconds: float = 60.0, seed: int = 0) -> Path:
    """Write all 18 records, two leads each.

    Returns:
        The folder of the records, `root` / `FOLDER`.
    """
    folder = root / FOLDER
    for name in RECORDS:
        signal_mv = ecg_like(generator(seed, "layouts", "nsrdb", name), seconds, FS_HZ)
        write_record(folder, name, signal_mv, FS_HZ, ("ECG1", "ECG2"))
    (folder / "RECORDS").write_text("\n".join(RECORDS) + "\n")
    return folder
