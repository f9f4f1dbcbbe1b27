"""Settings of the test set, the scores and the tables (A6, A8, A9)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from cleansemg.core.errors import UserError
from cleansemg.core.settings import Section
from cleansemg.denoising.chain import SEPARATOR, Link, links_of, title_of
from cleansemg.evaluation.rounding import is_power_of_two
from cleansemg.noise.mixing import Rule
from cleansemg.noise.settings import Files

# combined: each test segment once, its SNR and number of kinds drawn. grid: each in every cell of SNR and number of
# kinds. clean: each as it is. out_of_domain: as combined, of the people of data sets with `part: out_of_domain`.
# baseline: as combined, with noise of that kind alone.
SetName = Literal["combined", "grid", "clean", "out_of_domain", "baseline"]

Track = Literal["blind", "auto", "oracle", "published"]
TRACKS: tuple[Track, ...] = get_args(Track)  # in the order of tables
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+@-]*")  # results lie in a folder of this name


class Mix(Section):
    """The fixed test set (A6, A8)."""

    later = frozenset({"combined_segments", "files", "draws", "kinds", "round_to"})

    rule: Rule = "exact"  # first_commit: no white noise below its floor at all, so 33 cells of 35 (docs/noise.md)
    snr_db: tuple[float, ...] = (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0)
    n_kinds: tuple[Annotated[int, Field(ge=1)], ...] = (1, 2, 3, 4, 5)
    kinds: tuple[str, ...] | None = None  # that the drawn and the grid set draw from; null: every kind of the library
    wgn_floor_db: float | None = -5.0  # component SNR that white noise never goes below; null: no floor
    sets: tuple[SetName, ...] = ("combined", "grid")
    combined_segments: int | None = None  # at most so many segments, spread evenly; null: all
    grid_segments: int | None = None  # the same, for each cell
    shard_size: Annotated[int, Field(ge=1)] = 1000
    export: bool = True  # test_combined.npz beside the shards
    files: Files | None = None  # in place of n_kinds: which mixtures of kinds there are to draw from
    draws: Annotated[int, Field(ge=1)] = 1  # of `files`, for each segment and SNR, all different
    # V, a power of two: clean and noisy samples are multiples of it, so that processors that differ in last digits
    # store the same bytes (docs/open-v1.md); null: float32 as it comes
    round_to: float | None = None
    frozen: str | None = None  # e.g. open-v1: the mixtures must have the hashes of configs/frozen/NAME.yaml

    @field_validator("round_to")
    @classmethod
    def _binary_step(cls, step: float | None) -> float | None:
        if step is not None and not is_power_of_two(step):
            raise ValueError("expected a power of two in volts, such as 9.313225746154785e-10 (2^-30)")
        return step

    @model_validator(mode="after")
    def _draws_of_files(self) -> Mix:
        if self.draws > 1 and self.files is None:
            raise ValueError("draws above 1 need mix.files, which says what there is to draw from")
        if self.files is not None and self.kinds is not None:
            raise ValueError("kinds and files exclude each other: files says which kinds there are")
        if self.files is not None and self.sets != ("grid",):
            raise ValueError("with mix.files the set is the grid of segments, SNRs and draws: sets: [grid]")
        return self


class ChainLink(Section):
    """One denoiser of a chain, with options beyond its name."""

    name: str
    weights: str | None = None  # of a network; None: those of the row, or of this run, or the pretrained ones
    parameters: dict[str, Any] = {}


class DenoiserRow(Section):
    """One denoiser to evaluate, or a chain of several, with options beyond the name."""

    later = frozenset({"chain"})

    name: str = ""  # of a denoiser, or of several with "+" between them
    chain: tuple[str | ChainLink, ...] = ()  # in place of name: denoisers one after the other
    label: str | None = None  # name of the row and of its folder; None: the denoiser's, or line_interpolation+vmd
    # oracle: the given kinds of noise are treated where the signal shows them. auto: the same, with kinds that the
    # quality network predicts. published: they are treated as in the published baselines, shown or not.
    track: Track | None = None  # None: those of evaluate.tracks, or all but auto
    sets: tuple[SetName, ...] | None = None  # None: every test set; a slow method may take one
    weights: str | None = None
    parameters: dict[str, Any] = {}  # of a chain: LINK.PARAMETER, as vmd.k

    @model_validator(mode="before")
    @classmethod
    def _name_of_chain(cls, values: Any) -> Any:
        """A chain's name is those of its links, joined; so a row of either form has a name."""
        if not isinstance(values, dict) or "chain" not in values:
            return values
        links = values["chain"]
        if not links and values.get("name"):  # as a row of one denoiser is saved
            return values
        if not isinstance(links, list | tuple) or not links:
            raise ValueError("chain: name at least one denoiser, as in [line_interpolation, vmd]")
        try:
            name = SEPARATOR.join(link.name for link in links_of(_plain(links)))
        except UserError as error:
            raise ValueError(str(error)) from None
        if values.get("name", name) != name:
            raise ValueError(f"a row has a name or a chain, not both; got {values['name']} and {name}")
        return {**values, "name": name}

    @model_validator(mode="after")
    def _names(self) -> DenoiserRow:
        if not self.name:
            raise ValueError("a row needs the name of a denoiser, or a chain of several")
        if self.label is not None and not LABEL.fullmatch(self.label):
            raise ValueError(f"label '{self.label}' is no name of a folder: letters, digits, and _ . + @ - inside")
        return self

    @property
    def links(self) -> tuple[Link, ...]:
        """The denoisers of the row, in order; one where it is no chain.

        Raises:
            UserError: the row makes no chain, or a parameter is of none of its links.
        """
        return links_of(_plain(self.chain) or self.name, self.parameters)

    @property
    def title(self) -> str:
        """The row's label, or what its denoiser or chain is called.

        Raises:
            UserError: no denoiser has that name.
        """
        return self.label or title_of(self.links)


def _plain(links: Sequence[Any]) -> list[Any]:
    return [link.model_dump() if isinstance(link, ChainLink) else link for link in links]


class Evaluate(Section):
    """Denoising the test set and scoring it (A9)."""

    denoisers: tuple[str | DenoiserRow, ...] = ("identity", "zero", "wiener_oracle", "hp", "ts")
    profiles: tuple[Literal["standard", "published", "ecg_paper", "trustemg"], ...] = ("standard", "published")
    metrics: tuple[str, ...] = ()  # of one's own, package.module:Class, beside those of the profiles
    keep_waveforms: tuple[SetName, ...] = ("combined",)  # digests of the waveforms are kept of all
    tracks: tuple[Track, ...] | None = None  # of rows that name none; None: all but auto
    # sets on which denoisers run blind alone, where they can; what sees the clean signal runs everywhere
    blind_only: tuple[SetName, ...] = ()


class Tables(Section):
    """What the tables show."""

    bootstrap_resamples: Annotated[int, Field(ge=100)] = 2000
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    note: str = ""  # printed under every table: what the numbers do and do not show
    printed: str | None = None  # a YAML with a paper's layout and numbers, relative to configs/; see docs/protocols.md
    kind_names: dict[str, str] = {}  # headings of kinds that stand for something else in this configuration
