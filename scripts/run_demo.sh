#!/usr/bin/env bash
# The whole benchmark on the built-in simulated set and its report, results in results/demo/. Arguments go to `cleansemg run`.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

output=results/demo
previous=
for argument in "$@"; do
  case $argument in --output=*) output=${argument#*=} ;; esac
  [ "$previous" != --output ] || output=$argument
  previous=$argument
done

"$PYTHON" -m cleansemg run --config configs/demo.yaml --workers "${CLEANSEMG_WORKERS:-2}" "$@"
"$PYTHON" -m cleansemg report "$output"
echo
cat "$output/tables/table1.md"
