"""CleanSEMG: benchmark and toolkit for single-channel surface-EMG denoising.

The names of `__all__` are the public interface (docs/python-interface.md); each is imported when it is first used.

>>> import cleansemg
>>> clean = cleansemg.simulate(3)
>>> noisy = cleansemg.mix(clean, 1000.0, "PLI", snr_db=0.0)
>>> denoised = cleansemg.denoise(noisy, 1000.0, "line_interpolation")
>>> bool((cleansemg.score(clean, noisy, denoised, 1000.0)["SNRimp"] > 5.0).all())
True
"""

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

TYPE_CHECKING = False  # `typing` would cost more than all else here
if TYPE_CHECKING:
    from typing import Any

    from cleansemg.denoising import Denoiser as Denoiser
    from cleansemg.denoising import load as load
    from cleansemg.formats import open_file as open_recording
    from cleansemg.interface import assess, denoise, denoise_file, mix, run_benchmark, score, simulate

    __version__: str
    default_denoiser: str

__all__ = [
    "Denoiser",
    "__version__",
    "assess",
    "default_denoiser",
    "denoise",
    "denoise_file",
    "load",
    "mix",
    "open_recording",
    "run_benchmark",
    "score",
    "simulate",
]

_ELSEWHERE = {
    "Denoiser": ("cleansemg.denoising", "Denoiser"),
    "load": ("cleansemg.denoising", "load"),
    "open_recording": ("cleansemg.formats", "open_file"),
}


def __getattr__(name: str) -> "Any":
    if name not in __all__:
        raise AttributeError(f"module 'cleansemg' has no attribute '{name}'")
    value: Any
    if name == "__version__":
        from importlib.metadata import version

        value = version("cleansemg")
    elif name == "default_denoiser":
        from cleansemg.denoising.loading import DEFAULT_DENOISER

        value = DEFAULT_DENOISER[0]
    else:
        from importlib import import_module

        module, attribute = _ELSEWHERE.get(name, ("cleansemg.interface", name))
        value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
