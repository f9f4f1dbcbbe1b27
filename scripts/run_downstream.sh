#!/usr/bin/env bash
# What denoising is worth to a task: the open or simulated set of each, every denoiser, then Table 2.
#
#   bash scripts/run_downstream.sh                       # all four; gesture and gait need the open data (CLEANSEMG_DATA)
#   bash scripts/run_downstream.sh --tasks fatigue,gait
#   bash scripts/run_downstream.sh --output DIR --workers 2
#
# Results in results/downstream/TASK; other arguments go to every task (--denoiser --set --force --quiet).
set -euo pipefail

source "$(dirname "$0")/paths.sh"
own_paths "$@"
set -- "${given[@]}"

tasks=gesture,fatigue,gait,neuromuscular
output=results/downstream
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --tasks) tasks=${2:?--tasks needs a value}; shift 2 ;;
    --output) output=${2:?--output needs a value}; shift 2 ;;
    -h|--help) sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) arguments+=("$1"); shift ;;
  esac
done
output=$(from_here "$output")

source "$(dirname "$0")/environment.sh"

for task in ${tasks//,/ }; do
  [ -e "downstream/$task/run.py" ] || { echo "error: --tasks $task: expected some of gesture,fatigue,gait,neuromuscular" >&2; exit 2; }
done
worst=0
for task in ${tasks//,/ }; do
  code=0
  "$PYTHON" "downstream/$task/run.py" --output "$output/$task" "${arguments[@]}" || code=$?
  [ "$code" -le 1 ] || exit "$code"
  [ "$code" -eq 0 ] || worst=$code
done
shown=()
for task in gesture fatigue; do
  case ",$tasks," in *",$task,"*) shown+=("--$task" "$output/$task") ;; esac
done
if [ ${#shown[@]} -gt 0 ]; then
  case " ${arguments[*]} " in
    *" --denoiser"*) ;;  # Table 2 is of the run over all denoisers
    *) "$PYTHON" downstream/table2.py "${shown[@]}" --output "$output/table2" ;;
  esac
fi
exit "$worst"
