"""Exponents that crash pandas' parser are found before it sees them."""

import pytest

from cleansemg.core.errors import ItemError, UserError
from cleansemg.data_pipeline.readers.table import TableReader
from cleansemg.formats import exponents, open_file


@pytest.mark.parametrize(
    "text", ["1e308,-2.5E-308", "1e400", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "id1e4000552647"]
)
def test_what_may_stand_in_a_file(text):
    assert exponents.absurd_in_text(text) == ""


def test_readers_refuse_instead_of_crashing(tmp_path):
    path = tmp_path / "s1.csv"
    rows = "".join(f"{i / 1000:.3f},0.00{i % 9}\n" for i in range(300))
    path.write_text(f"time (s),a (mV)\n{rows}0.300,0.001e4000552647\n")
    reader = TableReader(
        database="own", folder=tmp_path, pattern=r"(?P<subject>s\d+)\.csv", header_lines=1, fs_hz=1000.0, unit="V"
    )
    with pytest.raises(ItemError, match="is not a number"):
        reader.read(reader.list()[0])
    with pytest.raises(UserError, match="is not a number"), open_file(path) as file:
        list(file.blocks())
