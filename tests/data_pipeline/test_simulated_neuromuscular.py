"""The simulated set of neurogenic and myopathic muscles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cleansemg.core.errors import ItemError
from cleansemg.data_pipeline.readers.simulated_neuromuscular import SimulatedNeuromuscularReader
from cleansemg.data_pipeline.simulation.neuromuscular import CONDITIONS, draw_patient_muscle


class TestSimulated:
    def test_units_are_larger_and_longer_after_reinnervation_and_smaller_and_shorter_in_myopathy(self) -> None:
        amplitude, duration = {}, {}
        for condition in CONDITIONS:
            peaks, lengths = [], []
            for number in range(1, 5):
                shapes = draw_patient_muscle(2025, f"{condition}{number:02d}", condition).potentials(2000.0)
                waveform = shapes.waveform[:, 0, 0]  # [U, N]
                seen = np.abs(waveform) > 0.1 * np.abs(waveform).max(axis=1, keepdims=True)
                last = seen.shape[1] - seen[:, ::-1].argmax(axis=1)
                lengths.append(np.median(last - seen.argmax(axis=1)) / 2000)
                peaks.append(np.median(np.ptp(waveform, axis=1)))
            amplitude[condition], duration[condition] = np.median(peaks), np.median(lengths)
        assert amplitude["neuropathy"] > 1.3 * amplitude["control"]
        assert amplitude["myopathy"] < 0.6 * amplitude["control"]
        assert duration["neuropathy"] > 1.05 * duration["control"]
        assert duration["myopathy"] < 0.95 * duration["control"]

    def test_fewer_units_that_fire_fast_and_many_recruited_early(self) -> None:
        drawn = {c: draw_patient_muscle(1, f"{c}01", c) for c in CONDITIONS}
        pools = {c: d.muscle.pool for c, d in drawn.items()}
        active, rate = {}, {}
        for condition, pool in pools.items():
            found = pool.rate_hz(pool.excitation(0.15 * drawn[condition].effort))
            active[condition], rate[condition] = (found > 0).mean(), found[found > 0].mean()
        assert pools["neuropathy"].parameters.n_units < 0.6 * pools["control"].parameters.n_units
        assert rate["neuropathy"] > 1.2 * rate["control"]
        assert active["myopathy"] > 1.1 * active["control"]

    def test_layout_and_repeatability(self) -> None:
        small = {"n_per_group": 2, "n_contractions": 2, "hold_s": 1.0}
        reader = SimulatedNeuromuscularReader(**small)
        refs = reader.list()
        assert len({ref.fingerprint for ref in refs}) == len(refs) == 12
        recording = reader.read(refs[-1])
        assert (recording.signal.shape, recording.trial_label, recording.trial_repetition) == ((1, 2000), 3, 2)
        assert 1e-6 < recording.signal.std() < 1e-3
        again = SimulatedNeuromuscularReader(**{**small, "n_per_group": 3}).read(refs[-1])
        assert again.signal.tobytes() == recording.signal.tobytes()
        for change in ({"seed": 1}, {"hold_s": 2.0}, {"force": (0.1, 0.2)}, {"fs_hz": 1000.0}):
            other = SimulatedNeuromuscularReader(**{**small, **change})
            assert other.list()[0].fingerprint != refs[0].fingerprint
        with pytest.raises(ItemError, match="not simulated; there are 2 people a group"):
            reader.read(replace(refs[0], subject="control09"))
        for wrong in ({"n_per_group": 0}, {"hold_s": 0.1}, {"force": (0.3, 0.1)}, {"seed": -1}, {"fs_hz": 500.0}):
            with pytest.raises(ValueError, match=next(iter(wrong))):
                SimulatedNeuromuscularReader(**wrong)
