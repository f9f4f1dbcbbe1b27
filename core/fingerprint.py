"""What a result is known by: hashes of the settings, of the code and, where there is one, of a last step, in one text.

SETTINGS-CODE, or SETTINGS-CODE-STEP, each 32 hexadecimal digits. The inputs' fingerprints go into them part by part, so
that a stage can tell other settings, which stop it, from other code alone, here or in what it was made from.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from cleansemg.core.artifact import Schema

Relation = Literal["same", "step", "code", "settings"]  # what differs first: nothing, the last step, code, settings
PARTS = re.compile("([0-9a-f]{32})-([0-9a-f]{32}(?:-[0-9a-f]{32})?)")


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def digest_of(value: Any) -> str:
    """32 hexadecimal digits of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:32]


def fingerprint(
    schema: Schema,
    section: Any,
    inputs: Mapping[str, str],
    seed: int,
    code: Mapping[str, str],
    step: Mapping[str, str] | None = None,
    contents: Mapping[str, str] | None = None,
) -> str:
    """What decides a stage's results.

    Args:
        schema: of the artifact.
        section: the settings (anything JSON can hold).
        inputs: fingerprints of what the stage reads, by name, or of files, whose change stops it.
        seed: the configuration's seed.
        code: hashes by file, as `cleansemg.core.code_identity` gives them, and of what else a name resolves to.
        step: the same of a last step that can be done again from what is stored.
        contents: hashes of inputs' contents, by name, whose change counts as other code does.
    """
    matches = {name: PARTS.fullmatch(text) for name, text in inputs.items()}
    settings = {name: match[1] if match else inputs[name] for name, match in matches.items()}
    codes = {name: match[2] for name, match in matches.items() if match}
    parts = [[schema.name, schema.version, section, settings, seed], [dict(code), {**codes, **(contents or {})}]]
    return "-".join(digest_of(part) for part in [*parts, *([] if step is None else [dict(step)])])


def relation(stored: str, wanted: str) -> Relation:
    """In what a stored result differs from the one that is wanted."""
    if stored == wanted:
        return "same"
    parts, wanted_parts = stored.split("-"), wanted.split("-")
    if len(parts) != len(wanted_parts) or parts[0] != wanted_parts[0]:
        return "settings"
    return "step" if parts[1] == wanted_parts[1] else "code"


def describe_change(
    code: Mapping[str, str], wanted_code: Mapping[str, str], inputs: Mapping[str, str], wanted_inputs: Mapping[str, str]
) -> str:
    """In a few words, what changed since something was made: files, weights, or what it was made from."""
    texts = [f"{name} changed since" for name in sorted({*code} & {*wanted_code}) if code[name] != wanted_code[name]]
    texts += [f"{name} is new" for name in sorted({*wanted_code} - {*code}, key=_files_last)]
    texts += [f"{name} is gone" for name in sorted({*code} - {*wanted_code}, key=_files_last)]
    if not texts:
        texts = [
            f"its input {name} was made again" for name in sorted(inputs) if inputs[name] != wanted_inputs.get(name)
        ]
    more = f", and {len(texts) - 2} more" if len(texts) > 2 else ""
    return (", ".join(text.removeprefix("cleansemg/") for text in texts[:2]) + more) or "made by other code"


def _files_last(name: str) -> tuple[bool, str]:
    """What people call something comes before the files behind it."""
    return "/" in name, name
