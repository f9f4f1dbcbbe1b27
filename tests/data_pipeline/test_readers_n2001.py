"""EMGLAB N2001: its pairs of header and samples as original files have them (pitfall 32), and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cleansemg.core import registry
from cleansemg.core.errors import ItemError
from cleansemg.data_pipeline.readers.n2001 import N2001Reader
from tests.layouts.n2001 import needle, write_n2001, write_pair


class TestN2001:
    def test_a_pair(self, tmp_path: Path) -> None:
        folder = write_n2001(tmp_path, people=1, records=1, seconds=0.5)
        reader = registry.find("datasets", "n2001").build(database="n2001", folder=folder)
        refs = reader.list()
        assert [(r.subject, r.exercise) for r in refs] == [("A01", "BB01"), ("C01", "BB01"), ("M01", "BB01")]
        found = [reader.read(ref) for ref in refs]
        assert [r.trial_label for r in found] == [3, 1, 2]
        assert (found[0].fs_hz, found[0].channels, found[0].trial_repetition) == (23437.5, ("BB",), 1)
        assert found[0].signal.shape == (1, 11719)
        assert 1e-3 < np.ptp(found[0].signal) < 20e-3  # volts

    @pytest.mark.parametrize("order", ["little", "big"])
    def test_codes_in_either_order_are_volts(self, tmp_path: Path, order: str) -> None:
        signal_mv = needle(np.random.default_rng(1), "C", 0.5)
        write_pair(tmp_path, "N2001C03BB07", signal_mv, order)
        for byte_order in ("header", order):
            reader = N2001Reader("n2001", tmp_path, byte_order=byte_order)
            (ref,) = reader.list()
            np.testing.assert_allclose(reader.read(ref).signal[0], signal_mv * 1e-3, atol=0.51e-6)
        swapped = N2001Reader("n2001", tmp_path, byte_order="big" if order == "little" else "little")
        with pytest.raises(ItemError, match=f"the other way they are a signal; set byte_order: {order}"):
            swapped.read(ref)

    def test_what_the_header_does_not_say_is_a_parameter(self, tmp_path: Path) -> None:
        signal_mv = needle(np.random.default_rng(1), "M", 0.5)
        write_pair(tmp_path, "N2001M01TA01", signal_mv)
        header = tmp_path / "N2001M01TA01.hea"
        (ref,) = N2001Reader("n2001", tmp_path).list()
        header.write_text("N2001M01TA01 1 23437.5\nN2001M01TA01.bin 80\n")
        with pytest.raises(ItemError, match=r"n2001: N2001M01TA01: .*no 16-bit format .*byte_order: little or big"):
            N2001Reader("n2001", tmp_path).read(ref)
        with pytest.raises(ItemError, match="no gain; say what a code stands for with unit"):
            N2001Reader("n2001", tmp_path, byte_order="little").read(ref)
        recording = N2001Reader("n2001", tmp_path, byte_order="little", unit=1e-6).read(ref)
        np.testing.assert_allclose(recording.signal[0], signal_mv * 1e-3, atol=0.51e-6)

    def test_pairs_with_a_fault(self, tmp_path: Path) -> None:
        write_pair(tmp_path, "N2001A01BB01", needle(np.random.default_rng(1), "A", 0.2))
        data, header = tmp_path / "N2001A01BB01.bin", tmp_path / "N2001A01BB01.hea"
        content, text = data.read_bytes(), header.read_text()
        reader = N2001Reader("n2001", tmp_path)
        (ref,) = reader.list()
        faults = [
            (data, content[:-2], "4687 samples, the header says 4688; truncated"),
            (data, content[:-1], "half a sample too many"),
            (data, b"", "holds no sample"),
            (header, text.replace("23437.5", "10000").encode(), "says 10000 Hz, the configuration fs_hz: 23437.5"),
            (
                header,
                text.replace(" 1 23437", " 2 23437").encode(),
                "announces 2 signals; one is expected|truncated or damaged",
            ),
            (header, text.replace("/mV", "/deg").encode(), "unit 'deg' is no voltage"),
            (header, b"\x00\xff not a header", "truncated or damaged"),
        ]
        for path, fault, message in faults:
            path.write_bytes(fault)
            with pytest.raises(ItemError, match=message):
                reader.read(ref)
            assert reader.list()[0].fingerprint != ref.fingerprint
            data.write_bytes(content)
            header.write_text(text)
        header.unlink()
        assert [r.key for r in reader.list()] == ["N2001A01BB01"]  # not lost
        with pytest.raises(ItemError, match=r"no \.hea file; a recording is a pair"):
            reader.read(ref)

    def test_a_baseline(self, tmp_path: Path) -> None:
        (tmp_path / "N2001C01BB01.bin").write_bytes(np.array([5, 205, -195], ">i2").tobytes())
        reader = N2001Reader("n2001", tmp_path)
        for line in ("61 200(5)/uV 16 3", "61 200/uV 16 5"):
            (tmp_path / "N2001C01BB01.hea").write_text(f"N2001C01BB01 1 23437.5 3\nN2001C01BB01.bin {line}\n")
            np.testing.assert_allclose(reader.read(reader.list()[0]).signal, [[0, 1e-6, -1e-6]])

    def test_a_genuine_pair(self, tmp_path: Path) -> None:
        """As EMGLAB hands them out: 20 bytes before and 20 after the samples, no name of the channel, comments."""
        codes = np.round(1e4 * np.sin(np.arange(262_124) / 40)).astype("<i2")
        (tmp_path / "N2001A01BB01.bin").write_bytes(bytes(20) + codes.tobytes() + bytes(20))
        (tmp_path / "N2001A01BB01.hea").write_text(
            "N2001A01BB01 1 23437.5 262124\nN2001A01BB01.bin 16+20 13.1070/uV\n# Gender: F\n"
        )
        reader = N2001Reader("n2001", tmp_path)
        (ref,) = reader.list()
        np.testing.assert_allclose(reader.read(ref).signal[0], codes / 13.107 * 1e-6)
