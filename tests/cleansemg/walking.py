"""What a page of docs/ asks its reader to do, done: its files written, its commands run, outside the tree."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT
from tests.processes import python

FILE = re.compile(r"^\*\*`([^`]+)`\*\*\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL = re.compile(r"[|&;<>$`*?~]")  # what a shell alone understands
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Page:
    """One page of docs/."""

    text: str

    @classmethod
    def named(cls, name: str) -> Page:
        return cls((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8"))

    @property
    def files(self) -> dict[str, str]:
        """Contents by name: blocks under a line that is a file's name in bold."""
        return dict(FILE.findall(self.text))

    def blocks(self, language: str) -> list[str]:
        """Blocks of a language that are no files."""
        files = self.files.values()
        return [body for name, body in FENCED.findall(self.text) if name == language and body not in files]

    def write(self, folder: Path) -> None:
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")


def bash(folder: Path, script: str, code: int = 0, forked: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a block in a folder, as a user who has activated the environment; the console script is the installed one.

    One plain command `cleansemg ...` is forked from a process that has all imported, if `forked`.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "CLEANSEMG_ROOT", "DATA_ROOT")}
    env |= {"PATH": path, "OMP_NUM_THREADS": "1"}
    words = shlex.split(script.replace("\\\n", " "), comments=True)
    if (
        forked
        and words[0] == "cleansemg"
        and "\n" not in script.replace("\\\n", " ").strip()
        and not SHELL.search(script)
    ):
        result = python("-m", *words, env=env, cwd=folder)
    else:
        result = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=folder, env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert result.returncode == code, f"{script}\n{result.stdout[-1500:]}\n{result.stderr[-3000:]}"
    return result


def walk(name: str, folder: Path, forked: bool = True) -> list[str]:
    """Write the files of a page and run its bash blocks in order; what each printed."""
    page = Page.named(name)
    assert page.files
    assert page.blocks("bash")
    page.write(folder)
    return [bash(folder, script, forked=forked).stdout for script in page.blocks("bash")]
