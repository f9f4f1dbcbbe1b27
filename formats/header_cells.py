"""What the cells above a column say: its name and unit, whether it holds time, and the sampling rate."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cleansemg.formats.channel_selection import MAX_FS_HZ, MIN_FS_HZ
from cleansemg.formats.units import VOLTS_PER_UNIT

SECONDS_PER_UNIT = {
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
    "ms": 1e-3, "msec": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3,
    "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "usec": 1e-6, "microseconds": 1e-6, "ns": 1e-9, "min": 60.0,
}  # fmt: skip
OTHER_UNITS = frozenset({
    "deg", "degree", "degrees", "°", "º", "°/s", "deg/s", "dps", "rad", "rad/s", "g", "m/s2", "m/s²", "m/s^2", "m/s",
    "m", "mm", "cm", "n", "nm", "n·m", "n*m", "kn", "kg", "%", "%mvc", "hz", "bpm", "h", "a", "ma", "ua", "c", "°c",
    "k", "pa", "kpa", "mmhg", "ohm", "kohm", "t", "ut", "gauss", "adu", "nu", "a.u.", "au", "raw", "code", "codes",
    "adc", "bool", "boolean",
})  # fmt: skip
_BRACKETS = re.compile(r"^(.*?)\s*[(\[{<]\s*([^()\[\]{}<>]*?)\s*[)\]}>]$")
_SUFFIX = re.compile(r"^(.*?)[_ ,:/](mV|mv|uV|uv|µV|μV|nV|ms|us|µs|μs|s)$")
_TIME = re.compile(r"(?i)^(t|times?|time[ _-]?stamps?|zeit|temps|tiempo|tempo|elapsed( time)?)$")
_COUNTER = re.compile(
    r"(?i)^(samples?|sample[ _-]?(index|number|no\.?|nr\.?)|index|idx|frames?|counter|count|n|no\.?|nr\.?|#)$"
)
_RATE = re.compile(
    r"(?i)(?<![a-z])(?:fs|srate|sampling[ _-]?(?:rate|freq\w*)|sample[ _-]?(?:rate|freq\w*))(?![a-z])\D{0,12}?"
    r"(?P<number>\d{1,3}(?:[,' \u00a0\u202f]\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?(?:e[+-]?\d+)?)(?![\d]|[.,]\d)"
    r"(?!\s*(?:[mµμun]?s|[mµμu]?sec\w*|min)\b(?!/))\s*(?P<unit>k?hz)?"  # a number of ms is a period
)
_DESCRIBED = re.compile(r"(?i)^\s*channel\s+(\d+)\s*:\s*'([^']*)'.*?\bunits?\s*:\s*([^,;]+)")


def is_unit(text: str) -> bool:
    """Whether a text is a unit of anything."""
    lower = text.strip().lower()
    return lower in VOLTS_PER_UNIT or lower in SECONDS_PER_UNIT or lower in OTHER_UNITS


def split_unit(cell: str) -> tuple[str, str | None]:
    """A header cell's name and unit.

    >>> split_unit("EMG1 (mV)"), split_unit("EMG (left)"), split_unit("knee [deg]")
    (('EMG1', 'mV'), ('EMG (left)', None), ('knee', 'deg'))
    """
    text = cell.strip()
    for pattern in (_BRACKETS, _SUFFIX):
        match = pattern.match(text)
        if match and is_unit(match[2]):
            return match[1].strip(), match[2]
    return text, None


def is_time_name(name: str, unit: str | None) -> bool:
    """Whether a column's name and unit say that it holds time."""
    if unit is not None:
        return unit.lower() in SECONDS_PER_UNIT
    return bool(_TIME.match(name)) or name.lower() in SECONDS_PER_UNIT


def time_unit(name: str, unit: str | None) -> float | None:
    """Seconds for 1, None where neither name nor unit says it."""
    return SECONDS_PER_UNIT.get((unit or name).lower())


def is_counter_name(name: str) -> bool:
    """Whether a column's name says that it numbers the samples."""
    return bool(_COUNTER.match(name))


def stated_rate_hz(lines: Sequence[str]) -> float | None:
    """The rate in lines such as `Sampling rate: 2000 Hz`; None without one of 200 Hz to 1 MHz, or with several.

    >>> stated_rate_hz(["Sampling Rate = 2 kHz"]), stated_rate_hz(["fs;1000"]), stated_rate_hz(["offset 3"])
    (2000.0, 1000.0, None)
    >>> stated_rate_hz(["fs: 1,000 Hz"]), stated_rate_hz(["fs: 1.5e3"]), stated_rate_hz(["Sampling rate: 0.5 ms"])
    (1000.0, 1500.0, None)
    """
    stated = {_rate_hz(match["number"], match["unit"]) for match in map(_RATE.search, lines) if match}
    rates = [rate for rate in stated if MIN_FS_HZ <= rate <= MAX_FS_HZ]  # others are something else, or misread
    return rates[0] if len(rates) == 1 else None


def _rate_hz(number: str, unit: str | None) -> float:
    kilo = (unit or "").lower() == "khz"
    grouped = re.fullmatch(r"\d{1,3}([,' \u00a0\u202f]\d{3})+(\.\d+)?", number) and not (kilo and "," in number)
    plain = re.sub(r"[,' \u00a0\u202f]", "", number) if grouped else number.replace(",", ".")  # 2,048 kHz are 2048 Hz
    return float(plain) * (1e3 if kilo else 1.0)


def described_channels(lines: Sequence[str]) -> list[tuple[str, str]]:
    """Names and units in lines such as `Channel 1: 'RF', 5681 values, engineering units: mV` (DataLOG files)."""
    matches = [match for match in map(_DESCRIBED.match, lines) if match]
    if [int(match[1]) for match in matches] != list(range(1, len(matches) + 1)):
        return []
    return [(match[2].strip(), match[3].strip().rstrip(".")) for match in matches]


def is_description(line: str) -> bool:
    """Whether a line describes one channel, and would be wrong in a file with other channels."""
    return bool(_DESCRIBED.match(line))
