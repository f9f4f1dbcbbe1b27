#!/usr/bin/env bash
# The long forms of all tests: slow tests, kills of every stage in many seeds, 10,000 damaged files. Other arguments go to pytest.
# CLEANSEMG_CRASH_ROUNDS (default 10) and CLEANSEMG_FUZZ_CASES (default 10000) set how long they take.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

export CLEANSEMG_CRASH_ROUNDS="${CLEANSEMG_CRASH_ROUNDS:-10}"
export CLEANSEMG_FUZZ_CASES="${CLEANSEMG_FUZZ_CASES:-10000}"
"$PYTHON" -m pytest -m "" -n 2 --dist loadfile --durations=20 "$@"
