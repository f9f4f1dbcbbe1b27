"""Settings of the noise libraries (A5)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from cleansemg.core.errors import did_you_mean
from cleansemg.core.settings import Part, Positive, Section
from cleansemg.noise.kinds import NAME, known_kinds


class Source(Section):
    """One source of a kind of noise; `source` is an entry of configs/noises/ or `package.module:Class`."""

    source: str
    folder: str | None = None  # below paths.data_root
    parts: tuple[Part, ...] | None = None  # whose libraries hold its pieces; None: all three
    pieces: dict[Part, int] | None = None  # None: the entry's own counts
    parameters: dict[str, Any] = {}

    @field_validator("parts")
    @classmethod
    def _names_a_part(cls, parts: tuple[Part, ...] | None) -> tuple[Part, ...] | None:
        if parts is not None and not parts:
            raise ValueError("names no part, so the source would serve nothing; leave the setting or the source out")
        return parts


class Noise(Section):
    """Noise libraries (A5)."""

    band_hz: tuple[float, float] | None = (20.0, 495.0)  # null: leave noise as it comes
    piece_s: Positive = 200.0
    kinds: dict[str, list[Source]] = {}

    @field_validator("kinds")
    @classmethod
    def _kinds_have_sources(cls, kinds: dict[str, list[Source]]) -> dict[str, list[Source]]:
        """Check the kinds: a kind has a source in the project, or all its sources are classes outside the project."""
        for kind, sources in kinds.items():
            if not NAME.fullmatch(kind):
                raise ValueError(f"'{kind}' is not a name of a kind: letters and digits, a letter first")
            outside = bool(sources) and all(":" in source.source for source in sources)
            if kind not in known_kinds() and not outside:
                raise ValueError(f"no kind of noise is called '{kind}'{did_you_mean(kind, known_kinds())}")
        return kinds


# Kinds joined by "+" -> number of noise files that hold them; 0 for a single kind: one for each piece in the library.
Files = dict[str, Annotated[int, Field(ge=0)]]
