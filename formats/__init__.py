"""One recording in a file of any common format: opened, read in blocks, and written back the same way."""

from cleansemg.formats.channel_selection import ReadOptions
from cleansemg.formats.file_types import FORMATS, create_file, open_file, parts_of
from cleansemg.formats.info import ChannelInfo, FileInfo
from cleansemg.formats.signal_file import SignalFile, SignalWriter

__all__ = [
    "FORMATS",
    "ChannelInfo",
    "FileInfo",
    "ReadOptions",
    "SignalFile",
    "SignalWriter",
    "create_file",
    "open_file",
    "parts_of",
]
