"""The EMD denoiser: what it removes on either track, what it leaves alone, what its parameters do."""

from __future__ import annotations

import numpy as np
import pytest

from cleansemg.core.errors import UserError
from cleansemg.denoising import InputError, load
from cleansemg.denoising.emd import EMD
from tests.denoising.noise_signals import clean_emg, contaminated, labels
from tests.denoising.signals import FS_HZ, snr_db


@pytest.mark.parametrize(
    ("kind", "at_db", "blind_db", "oracle_db"),
    [
        ("PLI", -10, 16, 16),
        ("ECG", -10, 12, 6),
        ("MOA", -10, 20, 20),
        ("WGN", -10, 5, 8),
        ("WGN", 0, 2, 0.5),
    ],
)
def test_noise_is_removed(kind: str, at_db: float, blind_db: float, oracle_db: float) -> None:
    clean, noisy = contaminated(kind, at_db)
    assert (snr_db(clean, EMD().denoise(noisy, FS_HZ)) - at_db).min() > blind_db
    assert (snr_db(clean, EMD().denoise(noisy, FS_HZ, labels(kind))) - at_db).min() > oracle_db


def test_without_noise_nothing_is_removed() -> None:
    clean = clean_emg()
    for given in (None, labels("")):
        np.testing.assert_allclose(EMD().denoise(clean, FS_HZ, given), clean, rtol=1e-5, atol=1e-10)


def test_kinds_together_are_treated_one_after_another() -> None:
    clean, with_line = contaminated("PLI", -5)
    noisy = with_line + contaminated("MOA", -5)[1] - clean
    both = snr_db(clean, EMD().denoise(noisy, FS_HZ, labels("PLI+MOA", line_hz=50.2)))
    for one in ("PLI", "MOA"):
        assert (both - snr_db(clean, EMD().denoise(noisy, FS_HZ, labels(one, line_hz=50.2)))).min() > 5
    assert snr_db(clean, EMD().denoise(noisy, FS_HZ)).min() > 2  # from -8 dB


@pytest.mark.parametrize(
    ("change", "kinds"), [({"f_min_hz": 20.0}, "MOA"), ({"threshold_factor": 0.5}, "WGN"), ({"max_imf": 2}, "MOA+WGN")]
)
def test_every_parameter_changes_the_output(change: dict[str, float], kinds: str) -> None:
    noisy = sum(contaminated(kind, -5, 2)[1] for kind in kinds.split("+"))
    for given in (None, labels(kinds, 2)):
        reference = EMD().denoise(noisy, FS_HZ, given)
        changed = EMD(**change).denoise(noisy, FS_HZ, given)  # type: ignore[arg-type]
        assert np.abs(changed - reference).max() > 1e-2 * np.abs(reference).max()


def test_refusals() -> None:
    with pytest.raises(InputError, match="needs 32 samples, got 10"):
        load("emd").denoise(clean_emg(1)[:, :10], FS_HZ)
    with pytest.raises(InputError, match="a cut-off of 40 Hz does not fit a sampling rate of 80 Hz"):
        load("emd").denoise(clean_emg(1), 80.0)
    with pytest.raises(UserError, match="unknown noise 'EMG'"):
        load("emd").denoise(clean_emg(1), FS_HZ, "PLI+EMG")
    for name, value in (("f_min_hz", 0.0), ("threshold_factor", -1.0), ("max_imf", 0)):
        with pytest.raises(UserError, match=f"emd: {name} is"):
            load("emd", **{name: value})
