"""An independent check of a folder of results: hashes, parts, mixtures, draws, metrics and tables.

It reads manifests (JSON), shards (npz) and tables (CSV) alone, and has its own arithmetic: of the project it imports
`core.npz` and `core.errors`, nothing else, so that a mistake there cannot hide itself here. Formulas come from
docs/metrics.md, docs/protocols.md and docs/architecture.md.
"""

from cleansemg.evaluation.verification.checks import verify
from cleansemg.evaluation.verification.findings import Finding, Line, lines_of

__all__ = ["Finding", "Line", "lines_of", "verify"]
