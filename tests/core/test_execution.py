"""Threads of the work, whoever imports its libraries."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT
from tests.processes import without_thread_limits

FIRST_IMPORT = """
from cleansemg.core.execution import map_items
def count(_):
    import torch
    from threadpoolctl import threadpool_info
    return [torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())]
print({n for counts in map_items(count, [0]) for n in counts})
"""


def test_libraries_that_the_work_imports_first_use_one_thread() -> None:
    """Sums of two threads end in other digits, so the first shard would differ from the others."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST_IMPORT], cwd=ROOT, env=without_thread_limits(), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "{1}"
