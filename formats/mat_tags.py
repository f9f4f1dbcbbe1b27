"""The tags of a MATLAB v5 file, checked before scipy reads it: its reader trusts them, and can end the process.

Source: MAT-File Format, MathWorks: 128 bytes of header, then elements of type, byte count and data. Short elements
have their byte count in the upper half of the type. A matrix is a list of elements: flags, dimensions, name, data.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

HEADER_BYTES = 128
BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}  # of a number, by type
UINT32, INT32, MATRIX, COMPRESSED = 6, 5, 14, 15
NAME_TYPES, TEXT_TYPES = (1, 2, 16), (16, 17, 18)
CELL, CHAR, NUMERIC, CLASSES = 1, 4, range(6, 16), range(1, 19)
COMPLEX = 0x0800
OPAQUE = 17
MOST_DIMENSIONS = 32
BEGINNING = 1 << 16  # bytes that are looked at: they hold all tags of a table of numbers, and a cell of names


def untrusted_variables(path: Path) -> set[str]:
    """Follow the tags of every variable as far as its data; versions 4 and 7.3 have none, and pass.

    Returns:
        Variables that are not to be loaded, as nothing here follows all of their tags: complex numbers, structures,
        sparse matrices, functions, objects, and cells of such or too long to be names.

    Raises:
        ValueError: a type, a byte count or dimensions that do not fit.
        OSError, struct.error, zlib.error: the file ends too soon, or cannot be read.
    """
    with open(path, "rb") as file:
        header = file.read(HEADER_BYTES)
        order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
        untrusted: set[str] = set()
        if 0 in header[:4]:  # version 4 has no text there
            return untrusted
        if order is None:
            raise ValueError("no order of bytes in its header")
        if struct.unpack(f"{order}H", header[124:126])[0] != 0x0100:
            return untrusted
        size, position = path.stat().st_size, HEADER_BYTES
        while position < size:
            file.seek(position)
            kind, count = struct.unpack(f"{order}II", file.read(8))
            position += 8 + count
            if position > size:
                raise ValueError(f"{position - size} bytes are missing")
            beginning = file.read(min(count, BEGINNING))
            if kind == COMPRESSED:
                unpacked = zlib.decompressobj().decompress(beginning, BEGINNING)
                kind, count = struct.unpack(f"{order}II", unpacked[:8])
                beginning = unpacked[8:]
            if kind != MATRIX:
                raise ValueError(f"an element of type {kind}")
            name, sound = _matrix(beginning, count, order)
            if not sound:
                untrusted.add(name)
    return untrusted


def _matrix(beginning: bytes, n_bytes: int, order: str) -> tuple[str, bool]:
    """Name, and whether all of its tags were followed; one that is wrong raises."""
    if n_bytes == 0:
        return "", True
    kind, count, at, after = _element(beginning, 0, order)
    if (kind, count) != (UINT32, 8):
        raise ValueError("a matrix without flags")
    flags = struct.unpack_from(f"{order}I", beginning, at)[0]
    matrix_class = flags & 0xFF
    if matrix_class not in CLASSES:
        raise ValueError(f"a matrix of class {matrix_class}")
    if matrix_class == OPAQUE:  # what follows is of another form, and nothing here reads it
        return "", True
    kind, count, at, after = _element(beginning, after, order)
    if kind not in (INT32, UINT32) or count % 4 or not 2 <= count // 4 <= MOST_DIMENSIONS:
        raise ValueError("a matrix without dimensions")
    shape = struct.unpack_from(f"{order}{count // 4}i", beginning, at)
    if min(shape) < 0:
        raise ValueError(f"dimensions {list(shape)}")
    kind, count, at, after = _element(beginning, after, order)
    if kind not in NAME_TYPES or at + count > len(beginning):
        raise ValueError("a matrix without a name")
    name = beginning[at : at + count].decode("latin-1")
    if matrix_class == CELL:
        return name, _cell(beginning, after, n_bytes, order)
    if matrix_class != CHAR and matrix_class not in NUMERIC:
        return name, False
    kind, count, at, _ = _element(beginning, after, order)
    if at + count > n_bytes or (kind not in BYTES and not (matrix_class == CHAR and kind in TEXT_TYPES)):
        raise ValueError(f"data of type {kind}, {count} bytes")
    if matrix_class in NUMERIC and count != math.prod(shape) * BYTES[kind]:
        raise ValueError(f"{count} bytes of data for dimensions {list(shape)}")
    return name, not flags & COMPLEX


def _cell(data: bytes, at: int, n_bytes: int, order: str) -> bool:
    """Whether the matrices of a cell could all be looked at."""
    while at < n_bytes:
        if at + 8 > len(data):
            return False
        kind, count, inner, after = _element(data, at, order)
        if kind != MATRIX or inner + count > n_bytes:
            raise ValueError(f"a cell with an element of type {kind}, {count} bytes")
        if inner + count > len(data) or not _matrix(data[inner : inner + count], count, order)[1]:
            return False
        at = after
    return True


def _element(data: bytes, at: int, order: str) -> tuple[int, int, int, int]:
    """Type, byte count, where the data begin, and where the next element does."""
    word = struct.unpack_from(f"{order}I", data, at)[0]
    if word >> 16:
        if word >> 16 > 4:
            raise ValueError(f"a short element of {word >> 16} bytes")
        return word & 0xFFFF, word >> 16, at + 4, at + 8
    count = struct.unpack_from(f"{order}I", data, at + 4)[0]
    return word, count, at + 8, at + 8 + count + -count % 8
