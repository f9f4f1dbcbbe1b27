"""A method of somebody who has nothing of ours: NumPy and SciPy alone. foreign.py INPUT OUTPUT npz|mat METHOD"""

import sys
from pathlib import Path

import numpy as np
import scipy.io
import scipy.signal

source, target, kind, method = sys.argv[1:]
Path(target).mkdir(exist_ok=True)


def read(path):
    if kind == "npz":
        with np.load(path) as arrays:
            return dict(arrays)
    return scipy.io.loadmat(path)


def denoise(noisy, fs_hz):
    if method == "high_pass":
        return scipy.signal.sosfiltfilt(scipy.signal.butter(4, 20, "highpass", fs=fs_hz, output="sos"), noisy)
    return noisy


for path in sorted(Path(source).glob(f"noisy_*.{kind}")):
    arrays = read(path)
    fs_hz = float(np.squeeze(arrays["fs_hz"]))
    denoised = np.stack([denoise(row.astype(float), fs_hz) for row in arrays["noisy"]])
    order = np.random.default_rng(1).permutation(len(denoised))  # any order will do
    result = {"ids": np.asarray(arrays["ids"])[order], "denoised": denoised[order], "fs_hz": fs_hz}
    out = Path(target) / path.name
    if kind == "npz":
        np.savez(out, **result)
    else:
        scipy.io.savemat(out, result, do_compression=True)  # as MATLAB's -v7 does

assert "cleansemg" not in sys.modules
