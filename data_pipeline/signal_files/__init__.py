"""One recording in a file of any common format: opened, read in blocks, and written back the same way."""

from data_pipeline.signal_files.info import ChannelInfo, FileInfo
from data_pipeline.signal_files.opening import FORMATS, create_file, open_file, parts_of
from data_pipeline.signal_files.signal_file import SignalFile, SignalWriter

__all__ = ["FORMATS", "ChannelInfo", "FileInfo", "SignalFile", "SignalWriter", "create_file", "open_file", "parts_of"]
