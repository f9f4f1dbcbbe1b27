"""One rule for all archives: npz, XLSX, zips of zips, MATLAB files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import scipy.io

from cleansemg.core import archive_limits, npz
from cleansemg.core.errors import ArtifactError, ItemError, UserError
from cleansemg.data_pipeline.readers.nested_zips import find_members, open_member
from cleansemg.formats import mat_variables, workbook

REFUSED = r"unpacks to \d+ MB from \d\.\d; refused"


@pytest.mark.parametrize(
    ("packed", "unpacked", "refused"),
    [(1, 1 << 26, False), (1 << 20, 200 << 20, False), (1 << 20, (200 << 20) + 1, True), (0, (1 << 26) + 1, True)],
)
def test_large_and_far_larger_than_the_file(packed: int, unpacked: int, refused: bool) -> None:
    if not refused:
        archive_limits.refuse_bomb(packed, unpacked)
        return
    with pytest.raises(zipfile.BadZipFile, match=REFUSED):
        archive_limits.refuse_bomb(packed, unpacked)


def test_every_reader_of_archives_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_limits, "LARGE_BYTES", 1000)
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.csv", bytes(10_000_000))
    with pytest.raises(ArtifactError, match=REFUSED):
        npz.read(bomb)
    with pytest.raises(ItemError, match=REFUSED):
        workbook.sheet_names(bomb)
    with pytest.raises(UserError, match=REFUSED):
        list(find_members(tmp_path, lambda key: True))
    with pytest.raises(ItemError, match=REFUSED), open_member(tmp_path, "bomb.zip/x.csv"):
        pass
    scipy.io.savemat(tmp_path / "bomb.mat", {"x": [[0.0] * 100_000]}, do_compression=True)
    with pytest.raises(ItemError, match=REFUSED):
        mat_variables.list_variables(tmp_path / "bomb.mat")
