"""Ninapro's databases in small: their names, keys, shapes and oddities, with signals that look like EMG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import scipy.signal
from numpy.typing import NDArray

from cleansemg.core.seeding import generator

DATABASES = ("DB2", "DB3", "DB4", "DB7", "DB8", "DB10")
RATES_HZ = {"DB10": 1926.0, "DB1": 100.0}  # the others: 2000 Hz
EXERCISES = {
    "DB1": (1, 2, 3),
    "DB2": (1, 2, 3),
    "DB3": (1, 2, 3),
    "DB4": (1, 2, 3),
    "DB7": (1, 2),
    "DB8": (1,),
    "DB10": (1,),
}
FIRST_LABEL = {1: 1, 2: 18, 3: 41}  # of an exercise, as in DB2
ACTIVE_V = 5e-5
REST_V = 1e-6  # 34 dB below


def write_tree(
    root: Path,
    databases: Sequence[str] = DATABASES,
    subjects_per_database: int = 2,
    seed: int = 0,
    n_labels: int = 1,
    n_repetitions: int = 2,
    trial_s: float = 4.5,
    rest_s: float = 1.5,
    n_channels: int = 2,
    oddities: bool = True,
) -> Path:
    """Write databases below `root`, each in the folder and with the file names of the original.

    Oddities that a reader has to cope with, by database: DB2 nests subjects in folders and has labels one
    sample shorter (E2) or longer (E3) than the signal; DB3 has labels as float rows, and a third channel
    that is constant; DB4 has the signal as [C, T], a `frequency`, and a third channel with NaN inside;
    DB7 has labels as a row of integers; DB8 has three acquisitions, and the second ends with 50 samples of
    NaN. DB1, which has to be asked for, holds the rectified envelope at 100 Hz, and numbers the labels of each exercise
    from 1. DB10 always has file names and keys (regrasp) of its own.

    Returns:
        `root`, the `paths.data_root` of a configuration.
    """
    for database in databases:
        for subject in range(1, subjects_per_database + 1):
            for exercise in EXERCISES[database]:
                for acquisition in (1, 2, 3) if database == "DB8" else (1,):
                    rng = generator(seed, "layouts", database, subject, exercise, acquisition)
                    variables = recording(
                        rng,
                        RATES_HZ.get(database, 2000.0),
                        exercise,
                        n_labels,
                        n_repetitions,
                        trial_s,
                        rest_s,
                        n_channels,
                    )
                    variables |= {"subject": subject, "exercise": exercise}
                    if database == "DB8":
                        empty_above(variables["emg"], 555.0)  # published files are upsampled from 1111 Hz
                    if database == "DB1":
                        _make_envelope(variables, rng)
                    if oddities:
                        _add_oddities(variables, database, exercise, acquisition)
                    if database == "DB10":
                        for new, old in (("regrasp", "restimulus"), ("regrasprepetition", "rerepetition")):
                            variables[new] = variables.pop(old)
                        del variables["stimulus"], variables["repetition"]
                    path = root / database / _name(database, subject, exercise, acquisition)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    scipy.io.savemat(path, variables, oned_as="row")
    return root


def recording(
    rng: np.random.Generator,
    fs_hz: float = 2000.0,
    exercise: int = 1,
    n_labels: int = 1,
    n_repetitions: int = 2,
    trial_s: float = 4.5,
    rest_s: float = 1.5,
    n_channels: int = 2,
) -> dict[str, Any]:
    """The variables of one file: rest, trial, rest, trial, ..., rest; every repetition of a label in turn."""
    rest, trial = round(rest_s * fs_hz), round(trial_s * fs_hz)
    label, repetition = [np.zeros(rest, np.int64)], [np.zeros(rest, np.int64)]
    for number in range(FIRST_LABEL[exercise], FIRST_LABEL[exercise] + n_labels):
        for again in range(1, n_repetitions + 1):
            label += [np.full(trial, number), np.zeros(rest, np.int64)]
            repetition += [np.full(trial, again), np.zeros(rest, np.int64)]
    labels, repetitions = np.concatenate(label), np.concatenate(repetition)
    emg = np.stack([emg_like(rng, labels > 0, fs_hz) for _ in range(n_channels)], axis=1)  # [T, C]
    return {
        "emg": emg.astype(np.float32),
        "acc": rng.normal(size=(labels.size, 3)).astype(np.float32),
        "stimulus": labels.astype(np.int8)[:, None],
        "restimulus": labels.astype(np.int8)[:, None],
        "repetition": repetitions.astype(np.int8)[:, None],
        "rerepetition": repetitions.astype(np.int8)[:, None],
    }


def emg_like(rng: np.random.Generator, active: NDArray[np.bool_], fs_hz: float) -> NDArray[np.float64]:
    """[T] volts: noise of 20 to 450 Hz, its strength changing slowly, loud where `active` and quiet elsewhere."""
    shape = scipy.signal.butter(6, (20.0, min(450.0, 0.45 * fs_hz)), "bandpass", fs=fs_hz, output="sos")
    carrier = scipy.signal.sosfilt(shape, rng.normal(size=active.size + 2000))[2000:]
    time = np.arange(active.size) / fs_hz
    tremor = 1.0 + 0.2 * np.sin(2 * np.pi * (rng.uniform(0.3, 0.6) * time + rng.uniform()))
    return np.where(active, ACTIVE_V * tremor, REST_V) * carrier / carrier.std()


def _name(database: str, subject: int, exercise: int, acquisition: int) -> str:
    if database == "DB10":
        return f"S{100 + subject}_ex{exercise}.mat"
    if database == "DB1":
        return f"s{subject}/S{subject}_A{acquisition}_E{exercise}.mat"
    name = f"S{subject}_E{exercise}_A{acquisition}.mat"
    return f"DB2_s{subject}/{name}" if database == "DB2" else name


def _make_envelope(variables: dict[str, Any], rng: np.random.Generator) -> None:
    """What DB1's amplifier gives: a smooth positive envelope, and labels that start at 1 in each exercise."""
    active = variables["restimulus"][:, 0] > 0
    shape = variables["emg"].shape
    variables["emg"] = (np.where(active, 0.5, 0.02)[:, None] * rng.uniform(0.8, 1.2, size=shape)).astype(np.float32)
    for key in ("stimulus", "restimulus"):
        label = variables[key]
        variables[key] = np.where(label > 0, label - label[label > 0].min() + 1, 0).astype(label.dtype)


def empty_above(emg: NDArray[np.float32], edge_hz: float, fs_hz: float = 2000.0) -> None:
    """Take all power above a frequency out of [T, C], in place."""
    spectrum = np.fft.rfft(emg, axis=0)
    spectrum[np.fft.rfftfreq(len(emg), 1 / fs_hz) > edge_hz] = 0
    emg[:] = np.fft.irfft(spectrum, len(emg), axis=0)


def _add_oddities(variables: dict[str, Any], database: str, exercise: int, acquisition: int) -> None:
    emg, label, repetition = variables["emg"], variables["restimulus"], variables["rerepetition"]
    if database == "DB2" and exercise == 2:
        variables["restimulus"] = label[:-1]
    elif database == "DB2" and exercise == 3:
        variables["restimulus"] = np.concatenate([label, label[-1:]])
        variables["rerepetition"] = np.concatenate([repetition, repetition[-1:]])
    elif database == "DB3":
        variables["restimulus"] = label.T.astype(np.float64)
        variables["rerepetition"] = repetition.T.astype(np.float64)
        variables["emg"] = np.column_stack([emg, np.full(len(emg), 2.5e-6, np.float32)])
    elif database == "DB4":
        broken = emg[:, 0].copy()
        broken[100:103] = np.nan
        variables["emg"] = np.column_stack([emg, broken]).T
        variables["frequency"] = 2000.0
    elif database == "DB7":
        variables["restimulus"] = label[:, 0]
        variables["rerepetition"] = repetition[:, 0].astype(np.int16)
    elif database == "DB8" and acquisition == 2:
        emg[-50:] = np.nan
