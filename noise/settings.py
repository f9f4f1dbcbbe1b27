"""Settings of the noise libraries (A5)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from cleansemg.core.settings import Part, Positive, Section

Kind = Literal["PLI", "ECG", "MOA", "WGN", "Color"]
KIND_ORDER = ("PLI", "ECG", "MOA", "WGN", "Color")  # the columns of `kinds` and `gain`


class Source(Section):
    """Where one kind of noise comes from; `source` is an entry of configs/noises/."""

    source: str
    folder: str | None = None  # below paths.data_root
    pieces: dict[Part, int] | None = None  # None: the entry's own counts
    parameters: dict[str, Any] = {}


class Noise(Section):
    """Noise libraries (A5)."""

    band_hz: tuple[float, float] | None = (20.0, 495.0)  # null: leave noise as it comes
    piece_s: Positive = 200.0
    kinds: dict[Kind, list[Source]] = {}


# Kinds joined by "+" -> how many noise files hold them; 0 for a single kind: one for each piece in the library.
Files = dict[str, Annotated[int, Field(ge=0)]]
