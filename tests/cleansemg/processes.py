"""The command line in a process of its own."""

import subprocess
import sys

from tests.conftest import ROOT


def process(*arguments, **keywords):
    return subprocess.Popen([sys.executable, "-m", "cleansemg", *map(str, arguments)], cwd=ROOT, **keywords)


PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
