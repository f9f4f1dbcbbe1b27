"""Every denoiser behind one interface: `load(name).denoise(noisy, fs_hz)`."""

from denoising.base import Denoiser, InputError
from denoising.labels import NoiseLabels
from denoising.loading import load

__all__ = ["Denoiser", "InputError", "NoiseLabels", "load"]
