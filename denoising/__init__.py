"""Every denoiser behind one interface: `load(name).denoise(noisy, fs_hz)`."""

from cleansemg.core.errors import InputError
from cleansemg.denoising.base import Denoiser
from cleansemg.denoising.loading import load, load_network
from cleansemg.noise.labels import NoiseLabels

__all__ = ["Denoiser", "InputError", "NoiseLabels", "load", "load_network"]
