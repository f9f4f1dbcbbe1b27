"""Metadata of an export in Croissant 1.0 (MLCommons), which data search engines and loaders read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleansemg.core import npz

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
MEDIA_TYPES = {"npz": "application/x-npz", "mat": "application/x-matlab-data"}
CC0 = "https://creativecommons.org/publicdomain/zero/1.0/"
CC_BY = "https://creativecommons.org/licenses/by/4.0/"
ODC_BY = "https://opendatacommons.org/licenses/by/1-0/"
MIT = "https://opensource.org/license/mit"
# Database of people, or folder of noise: how it wants to be named, and its licence.
SOURCES = {
    "muscletracker": ("MuscleTracker (Morales-Vargas et al.)", CC0),
    "elderly_lower_limb": (
        "Electromyography and dynamometry of the lower limb of the elderly (Silva et al. 2024, BSPC 88:105635)",
        CC0,
    ),
    "uci_lower_limb": ("EMG dataset in Lower Limb (Sanchez et al., UCI, doi:10.24432/C5ZW3P)", CC_BY),
    "mitdb": ("MIT-BIH Arrhythmia Database (Moody and Mark 2001; Goldberger et al. 2000)", ODC_BY),
    "nstdb": ("MIT-BIH Noise Stress Test Database (Moody, Muldrow and Mark 1984)", ODC_BY),
    "simulated": ("signals simulated by CleanSEMG", MIT),
}
OPEN_NOISE = ("mitdb", "nstdb")  # in every set of people of which those databases are the sources


@dataclass(frozen=True)
class Facts:
    """What the metadata say of an export.

    Attributes:
        name, set_name, sha256: of the test set.
        databases: that its people are of.
        formats: suffixes of the signals' files.
        fs_hz: their rate.
        length: samples a signal.
        date: on which the test set was frozen, YYYY-MM-DD; None where it is not.
    """

    name: str
    set_name: str
    sha256: str
    databases: tuple[str, ...]
    formats: tuple[str, ...]
    fs_hz: float
    length: int
    date: str | None = None

    @property
    def sources(self) -> list[tuple[str, str]]:
        """Name and licence of what the set was mixed from; of a database that is not known here, its name alone."""
        people = [SOURCES.get(one, (one, "")) for one in self.databases]
        noise = [SOURCES[one] for one in OPEN_NOISE] if set(self.databases) & (set(SOURCES) - {"simulated"}) else []
        return people + noise


def metadata(folder: Path, facts: Facts) -> dict[str, Any]:
    """The JSON-LD of an export.

    Args:
        folder: of the export, with `index.csv` and the signals.
        facts: what the export holds.

    Returns:
        A dataset with its files, each with its hash, and one record set: the index, whose
        records are id, file and row. Croissant has no way into npz or MAT files, so the signals are files alone.
    """
    licences = sorted({licence for _, licence in facts.sources if licence})
    version = facts.name.rpartition("-v")[2]
    index = {
        "@type": "cr:FileObject",
        "@id": "index.csv",
        "name": "index.csv",
        "description": "Which signal is in which file and row.",
        "contentUrl": "index.csv",
        "encodingFormat": "text/csv",
        "sha256": npz.sha256(folder / "index.csv"),
    }
    signals = [
        {
            "@type": "cr:FileObject",
            "@id": path.name,
            "name": path.name,
            "description": f"ids [n], noisy [n, {facts.length}] float32 in volts, fs_hz ({facts.fs_hz:g}).",
            "contentUrl": path.name,
            "encodingFormat": MEDIA_TYPES[suffix],
            "sha256": npz.sha256(path),
        }
        for suffix in facts.formats
        for path in sorted(folder.glob(f"noisy_*.{suffix}"))
    ]
    columns = {
        "id": ("sc:Text", "Opaque name of the signal."),
        "file": ("sc:Text", "Name of its file without suffix."),
        "row": ("sc:Integer", "Its row there, counted from 1."),
    }
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"signals/{column}",
            "name": column,
            "description": text,
            "dataType": kind,
            "source": {"fileObject": {"@id": "index.csv"}, "extract": {"column": column}},
        }
        for column, (kind, text) in columns.items()
    ]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"cleansemg-{facts.name}-{facts.set_name}",
        "description": (
            f"Noisy single-channel surface EMG of the test set {facts.name}, set {facts.set_name} (SHA-256 "
            f"{facts.sha256}): signals of {facts.length} samples at {facts.fs_hz:g} Hz in volts, each with noise at an "
            "SNR that is not told, for the evaluation of denoisers. Mixed from: "
            + "; ".join(name for name, _ in facts.sources)
            + "."
        ),
        **({"license": licences} if licences else {}),
        **({} if facts.date is None else {"datePublished": facts.date}),
        "citeAs": "CleanSEMG, and the sources that the description names.",
        "version": f"{version}.0.0" if version.isdigit() else "0.0.0",
        "distribution": [index, *signals],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "signals",
                "name": "signals",
                "description": "One record a signal.",
                "key": {"@id": "signals/id"},
                "field": fields,
            }
        ],
    }
