"""Record the golden tables again: `python -m tests.golden.record`, when a change is meant to change numbers.

Say in the commit which numbers changed and why.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.golden.runs import RUNS, data_folder


def main() -> None:
    """Run both and keep their tables."""
    for golden in RUNS:
        data = data_folder() if golden.needs_data else None
        if golden.needs_data and data is None:
            raise SystemExit(f"{golden.name}: no real recordings: set CLEANSEMG_DATA")
        with tempfile.TemporaryDirectory() as folder:
            shutil.copyfile(golden.table(Path(folder), data), golden.golden)
        sys.stdout.write(f"{golden.golden}: recorded\n")


if __name__ == "__main__":
    main()
