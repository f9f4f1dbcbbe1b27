"""Archives that announce far more bytes than data of their size hold: one rule for npz, XLSX, zip and MATLAB files."""

from __future__ import annotations

import zipfile

LARGE_BYTES = 1 << 26  # from here on, what unpacks to more than MAX_RATIO times its size is refused
MAX_RATIO = 200  # recordings have 1 to 10, sheets of numbers 3 to 20; deflate can reach 1032


def refuse_bomb(packed: int, unpacked: int) -> None:
    """Refuse what unpacks to more than data do.

    Args:
        packed: bytes of the file.
        unpacked: bytes that it announces.

    Raises:
        BadZipFile: it does.

    >>> refuse_bomb(1_000_000, 30_000_000)
    """
    if unpacked > LARGE_BYTES and unpacked > MAX_RATIO * max(packed, 1):
        raise zipfile.BadZipFile(f"unpacks to {unpacked / 1e6:.0f} MB from {packed / 1e6:.1f}; refused")


def refuse_zip_bomb(archive: zipfile.ZipFile) -> None:
    """The same for an opened archive, all members together."""
    members = archive.infolist()
    refuse_bomb(sum(info.compress_size for info in members), sum(info.file_size for info in members))
