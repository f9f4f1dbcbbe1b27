#!/usr/bin/env bash
# The whole benchmark on the built-in simulated set, results in results/demo/. Arguments go to `cleansemg run`.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

"$PYTHON" -m cleansemg run --config configs/demo.yaml --workers "${CLEANSEMG_WORKERS:-2}" "$@"
echo
cat results/demo/tables/table1.md
