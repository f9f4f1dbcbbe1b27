"""CleanSEMG: benchmark and toolkit for single-channel surface-EMG denoising."""

import os
import sys


def _first_on_path_is_foreign() -> bool:
    """Whether Python put a folder first on the import path from which nothing here may be imported.

    `python -m cleansemg` puts the working folder there, where a file called like an optional module of some library
    would be run; a script of a room puts the room there, whose modules then go by two names.
    """
    if sys.flags.safe_path or not sys.path:
        return False
    if sys.argv[:1] == ["-m"]:  # what stands there until the module to run has been found
        return True
    first = os.path.realpath(sys.path[0])
    rooms = (os.path.realpath(entry.path) for entry in os.scandir(__path__[0]) if entry.is_dir())
    return any(first == room or first.startswith(room + os.sep) for room in rooms)


if _first_on_path_is_foreign():
    del sys.path[0]
