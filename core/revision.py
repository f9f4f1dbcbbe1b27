"""Which state of the project's code is running: its commit, where the code lies in a git checkout."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # of the checkout; in an installed package, no checkout
UNKNOWN = "unknown"


@cache
def revision() -> dict[str, str]:
    """`commit`: its name, and `tree`: clean, or changed where a tracked file differs from it; or both unknown.

    Unknown is the commit of an installed package, and where git is absent or refuses.
    """
    if not (ROOT / ".git").exists():
        return {"commit": UNKNOWN, "tree": UNKNOWN}
    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return {"commit": UNKNOWN, "tree": UNKNOWN}
    return {"commit": commit, "tree": "changed" if changes else "clean"}


def _git(*arguments: str) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(ROOT), *arguments]
    try:
        outcome = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return outcome.stdout.strip() if outcome.returncode == 0 else None
