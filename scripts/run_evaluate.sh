#!/usr/bin/env bash
# Every denoiser of the configuration on one test set, then the tables.
#
#   bash scripts/run_evaluate.sh --test-data outputs/test_data/test_combined.npz
#
# Without --test-data, the test sets of the run. --models A,B: only these denoisers. --gpu N: CUDA_VISIBLE_DEVICES=N.
# Other arguments: --config --output --workers --set --force --quiet.
set -euo pipefail

test_data=()
given=()
while [ $# -gt 0 ]; do
  case $1 in
    --test-data) test_data=(--test-data "${2:?--test-data needs a value}"); shift 2 ;;
    --test-data=*) test_data=("$1"); shift ;;
    -h|--help) sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) given+=("$1"); shift ;;
  esac
done

source "$(dirname "$0")/environment.sh"
source scripts/flags.sh
read_flags "${given[@]}"

worst=0
for script in evaluation/evaluate_classical.py evaluation/evaluate_neural.py evaluation/make_tables.py; do
  extra=()
  if [ "$script" != evaluation/make_tables.py ]; then
    extra=("${test_data[@]}")
    for model in "${models[@]}"; do extra+=(--models "$model"); done
  fi
  code=0
  "$PYTHON" "$script" "${arguments[@]}" "${extra[@]}" || code=$?
  [ "$code" -le 1 ] || exit "$code"
  [ "$code" -eq 0 ] || worst=$code
done
exit "$worst"
