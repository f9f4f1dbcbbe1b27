"""An independent check of a folder of results: hashes, parts, mixtures, draws, metrics and tables.

It reads only manifests (JSON), shards (npz) and tables (CSV), and computes everything independently: from the rest of
the project it imports only `core.npz` and `core.errors`, so that a mistake in the project is not repeated here.
Formulas come from docs/metrics.md, docs/protocols.md and docs/architecture.md.
"""

from cleansemg.evaluation.verification.checks import verify
from cleansemg.evaluation.verification.findings import Finding, Line, lines_of

__all__ = ["Finding", "Line", "lines_of", "verify"]
