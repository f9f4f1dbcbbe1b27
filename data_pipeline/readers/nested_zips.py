"""Reads the files of a database that is distributed as nested zip archives, unpacked or not."""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cleansemg.core.archive_limits import refuse_zip_bomb
from cleansemg.core.errors import ItemError, UserError
from cleansemg.data_pipeline.recording import content_fingerprint

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)  # zipfile on bad files
INSIDE = ".zip/"  # separates an archive from its member in a key


@dataclass(frozen=True)
class Member:
    """A file: its path below the folder, through any archives (`data.zip/subject_1.zip/trial_1.csv`)."""

    key: str
    fingerprint: str
    depth: int  # archives around it


def find_members(folder: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    """All files below `folder`, and in the zip archives there, whose key is wanted; sorted by the path on disk.

    Raises:
        UserError: an archive that cannot be read.
    """
    for path in sorted(folder.rglob("*")):
        key = path.relative_to(folder).as_posix()
        if path.suffix.lower() == ".zip" and path.is_file():
            try:
                with _open_zip(path) as archive:
                    yield from _inside(archive, key, wanted, 1)
            except DAMAGED as error:
                raise UserError(f"{path}: truncated, or no zip file ({error}); download it again") from error
        elif wanted(key) and path.is_file():
            yield Member(key, content_fingerprint(path), 0)


def _inside(archive: zipfile.ZipFile, prefix: str, wanted: Callable[[str], bool], depth: int) -> Iterator[Member]:
    for info in archive.infolist():
        key = f"{prefix}/{info.filename}"
        if info.filename.lower().endswith(".zip"):
            with archive.open(info) as file, _open_zip(file) as inner:
                yield from _inside(inner, key, wanted, depth + 1)
        elif wanted(key) and not info.is_dir():
            yield Member(key, f"{info.CRC:08x}-{info.file_size}", depth)


@contextlib.contextmanager
def _open_zip(file: Path | IO[bytes]) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(file) as archive:
        refuse_zip_bomb(archive)
        yield archive


@contextlib.contextmanager
def open_member(folder: Path, key: str) -> Iterator[IO[bytes]]:
    """Open a file for reading; its key names the archives around it.

    Raises:
        ItemError: the file does not exist, or an archive is damaged.
    """
    names = key.split(INSIDE)
    names = [f"{name}.zip" for name in names[:-1]] + names[-1:]
    with contextlib.ExitStack() as stack:
        try:
            file: IO[bytes] = stack.enter_context(open(folder / names[0], "rb"))
            for name in names[1:]:
                archive = stack.enter_context(_open_zip(file))
                file = stack.enter_context(archive.open(name))
        except (OSError, KeyError) as error:
            raise ItemError(f"no such file ({error})") from error
        except DAMAGED as error:
            raise ItemError(f"an archive is damaged ({error}); download it again") from error
        yield file
