"""WFDB records (PhysioNet) as the library `wfdb` reads them; its errors on bad files, which are of many kinds, are one.

Format: https://physionet.org/physiotools/wag/header-5.htm; Moody and Goldberger.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleansemg.core.errors import DamagedFileError, ItemError, one_line


class WfdbRecord:
    """An opened header.

    Args:
        path: of the header, of a signal file of the same name, or without a suffix.

    Attributes:
        header: as wfdb gives it.
        names: [C] of the signals, "" for one without; empty where the header announces none.
        frame_hz: rate of frames, of which each holds one sample of a signal or several.
        n_frames: None where the header does not say it.

    Raises:
        ItemError: missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.parent / path.name.removesuffix(".hea").removesuffix(".dat")
        self.header = self._call("rdheader")
        self.names = tuple(str(name or "") for name in self.header.sig_name or ())
        self.frame_hz = float(self.header.fs or 0)
        self.n_frames: int | None = None if self.header.sig_len is None else int(self.header.sig_len)

    def read(
        self, columns: Sequence[int], first: int = 0, last: int | None = None, *, smooth: bool = False
    ) -> NDArray[np.float64]:
        """Signals in the units of the header.

        Args:
            columns: which of them.
            first: frame.
            last: frame, excluded; None: to the end.
            smooth: one sample a frame, the mean where a frame holds several.

        Returns:
            [C, T]; NaN where the file has no value.

        Raises:
            ItemError: missing, truncated, damaged, or signals of several rates.
        """
        data = self._call("rdrecord", sampfrom=first, sampto=last, channels=[*columns], smooth_frames=smooth)
        if smooth:
            return np.asarray(data.p_signal, np.float64).T
        if len({len(row) for row in data.e_p_signal}) > 1:
            raise ItemError(f"signals have different rates (samples a frame: {data.samps_per_frame}); choose channels")
        return np.stack(data.e_p_signal).astype(np.float64)

    def annotations(self, extension: str) -> Any:
        """The annotation file of a suffix, as wfdb gives it."""
        return self._call("rdann", extension)

    def _call(self, function: str, *arguments: Any, **options: Any) -> Any:
        import wfdb

        try:
            return getattr(wfdb, function)(str(self.path), *arguments, **options)
        except FileNotFoundError as error:
            raise ItemError(f"no file {Path(str(error.filename)).name}") from None
        except Exception as error:  # damaged bytes make wfdb raise anything, and it means one thing
            raise DamagedFileError(f"truncated or damaged ({one_line(error)[:120]})") from error


def files_of_record(path: Path) -> list[Path]:
    """The header and those of its signal files that exist; nothing where there is no header."""
    header = path.with_suffix(".hea")
    if not header.is_file():
        return []
    names = dict.fromkeys(fields[0] for fields in signal_lines(path))
    return [header, *(path.parent / name for name in names if (path.parent / name).is_file())]


def signal_lines(path: Path) -> list[list[str]]:
    """The fields of the header's lines about signals, as they stand there."""
    text = path.with_suffix(".hea").read_text(encoding="utf-8", errors="replace")
    return [line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")][1:]


def states_gain(fields: Sequence[str]) -> bool:
    """Whether a line about a signal gives its gain; without one (or with 0), 200 codes are 1 mV by WFDB's rule."""
    return len(fields) >= 3 and not re.match(r"0+(\.0*)?([(/]|$)", fields[2])
