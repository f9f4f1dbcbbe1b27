"""What fuzzing shares: damage done to a good file, and the bounds within which a reader must say what is wrong."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from cleansemg.core.errors import ItemError, UserError

CASES = int(os.environ.get("CLEANSEMG_FUZZ_CASES", "0"))  # of all readers together; 0: the short form
SHORT = 10  # cases a reader
CPU_S = 10.0  # of one file of a few kilobytes
MEMORY_BYTES = 1 << 30  # over what the process has

TELLING = [0, 1, 0x7F, 0x80, 0xFF]
NUMBERS = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1]
TEXTS = [b"nan", b"inf", b"-1", b"1e400", b"99999999999", b"{}", b"[", b"&a [*a]", b"!!python/object", b"\x00", b"\xff\xfe", b"\n", b",", b";"]  # fmt: skip


class HangError(BaseException):
    """A reader used more time than any damaged file deserves; no `except Exception` of a reader may swallow it."""


def fuzz(n_readers: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Hypothesis with as many cases as the environment asks for, dealt out to so many readers."""
    return settings(
        max_examples=-(-CASES // n_readers) if CASES else SHORT,
        deadline=None,
        database=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large,
        ],
    )  # fmt: skip


@st.composite
def damaged(draw: Any, good: bytes) -> bytes:
    """The bytes of a good file after one to three accidents."""
    content = bytearray(good)
    for _ in range(draw(st.integers(1, 3))):
        if not content:
            break
        at = draw(st.one_of(st.integers(0, len(content) - 1), st.integers(0, min(600, len(content) - 1))))
        kind = draw(st.sampled_from(["cut", "bit", "byte", "run", "number", "text", "drop", "repeat", "head"]))
        n = draw(st.integers(1, 64))
        if kind == "cut":
            del content[at:]
        elif kind == "bit":
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "byte":
            content[at] = draw(st.sampled_from(TELLING))
        elif kind == "run":
            content[at : at + n] = draw(st.binary(min_size=n, max_size=n))
        elif kind == "number":
            size, order = draw(st.sampled_from([4, 8])), draw(st.sampled_from(["little", "big"]))
            content[at : at + size] = (draw(st.sampled_from(NUMBERS)) % 256**size).to_bytes(size, order)
        elif kind == "text":
            text = draw(st.sampled_from(TEXTS))
            content[at : at + len(text)] = text
        elif kind == "drop":
            del content[at : at + n]
        elif kind == "repeat":
            content[at:at] = content[at : at + n] * draw(st.integers(1, 50))
        else:
            del content[:at]
    return bytes(content)


@contextlib.contextmanager
def bounded(cpu_s: float = CPU_S, memory_bytes: int = MEMORY_BYTES) -> Iterator[None]:
    """Bound processor time and address space; past them, HangError or MemoryError."""

    def expired(number: int, frame: Any) -> None:
        raise HangError(f"more than {cpu_s:g} s of processor time")

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGPROF, expired)
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    resource.setrlimit(resource.RLIMIT_AS, (used + memory_bytes, hard))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, before)


def refuses_or_reads(read: Callable[[], Any]) -> str:
    """Whether a reader reads a file or says in one line what is wrong; anything else is the test's failure.

    Returns:
        The message; "" where the file was read.
    """
    try:
        with bounded():
            read()
    except (UserError, ItemError) as error:
        message = str(error)
        assert message.strip(), "an error that says nothing"
        assert len(message) < 5000, message[:5000]
        assert "\n" not in message.strip(), message
        return message
    return ""
