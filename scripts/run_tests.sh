#!/usr/bin/env bash
# All linters and tests. --slow adds the tests that take minutes; other arguments go to pytest.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

arguments=()
for argument in "$@"; do
  if [ "$argument" = --slow ]; then arguments+=(-m ""); else arguments+=("$argument"); fi
done

"$PYTHON" -m ruff check .
"$PYTHON" -m ruff format --check .
"$PYTHON" -m mypy
"$(dirname "$PYTHON")/lint-imports"
"$PYTHON" -m pytest -n 2 --dist loadfile --no-loadscope-reorder "${arguments[@]}"
