"""Checks fingerprints from stage to stage: the inputs of each folder must be the folders that are present."""

from __future__ import annotations

import re

from cleansemg.evaluation.verification.findings import Finding
from cleansemg.evaluation.verification.folders import Folder, Results

SPLIT = "segments/split.yaml"
# schema -> name of the input (a pattern) -> schema of the folder that it names
INPUTS: dict[str, tuple[tuple[str, str], ...]] = {
    "grades": ((".*", "quality"),),
    "segments": (("grades", "grades"),),
    "test-set": (("segments", "segments"), ("noise", "noise-library")),
    "calibration": (("segments", "segments"), ("noise", "noise-library")),
    "weights": (("segments/.*", "segments"), ("noise/.*", "noise-library")),
    "predictions": ((".*", "streams"),),
}
STREAMS = {"clean": "streams", "noisy": "streams", "noise": "noise-library"}  # inputs of noisy and denoised streams


def check(results: Results) -> Finding:
    """Finding `inputs`: every input from a stage of these results must be here with the fingerprint that was read."""
    finding = Finding("inputs")
    count = 0
    for folder in results.folders:
        for name, digest, schema in _expected(folder):
            count += 1
            if results.folder_of(schema, digest) is None:
                finding.problems.append(
                    f"{folder.path}: made from {schema} '{name}' {digest[:12]}..., not here; run its stage again"
                )
        if folder.schema == "segments":
            count += 1
            _check_split(results, folder, finding)
        if folder.schema == "denoised":
            count += 1
            _check_test_data(results, folder, finding)
    identities = [(folder.schema, folder.fingerprint) for folder in results.folders]
    for folder in results.folders:
        # two networks trained alike may have equal fingerprints
        if identities.count((folder.schema, folder.fingerprint)) > 1 and folder.schema != "weights":
            finding.problems.append(f"{folder.path}: another folder has its fingerprint")
    if count:
        finding.summary = f"{count} inputs of {len(results.folders)} folders have the fingerprints of what lies here"
    return finding


def _expected(folder: Folder) -> list[tuple[str, str, str]]:
    """Name, fingerprint and schema of the inputs of a folder that are in these results; recordings are not."""
    if folder.schema == "streams" and set(folder.inputs) <= set(STREAMS):
        return [(name, digest, STREAMS[name]) for name, digest in folder.inputs.items()]
    return [
        (name, digest, schema)
        for name, digest in folder.inputs.items()
        for pattern, schema in INPUTS.get(folder.schema, ())
        if re.fullmatch(pattern, name)
    ]


def _check_split(results: Results, folder: Folder, finding: Finding) -> None:
    path = results.root / SPLIT
    if not path.is_file():
        finding.problems.append(f"{path}: missing, and {folder.path} was made from it")
    elif f"\nfingerprint: {folder.inputs.get('split')}\n" not in path.read_text(encoding="utf-8"):
        finding.problems.append(f"{folder.path}: made from another split than {path}")


def _check_test_data(results: Results, folder: Folder, finding: Finding) -> None:
    digest = folder.inputs.get("test_data", "")
    if results.test_set(digest) is not None:
        return
    same_name = [one for one in results.of("test-set") if one.path.name == folder.path.name]
    if same_name:
        finding.problems.append(f"{folder.path}: denoised from other mixtures than those of {same_name[0].path}")
    else:
        finding.notes.append(f"{folder.path}: denoised from a test set elsewhere; its mixtures are not checked")
