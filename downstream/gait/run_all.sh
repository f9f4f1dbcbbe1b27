#!/usr/bin/env bash
# The gait task with every denoiser.
#
#   bash downstream/gait/run_all.sh                  # the open set
#   bash downstream/gait/run_all.sh --original       # PhysioNet long-lasting walking: by person, then as published
#
# Other arguments: --denoiser --workers --set --force --quiet.
set -euo pipefail

source "$(dirname "$0")/../../scripts/paths.sh"
own_paths "$@"
set -- "${given[@]}"

configs=(configs/downstream/gait.yaml)
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --original) configs=(configs/downstream/gait_walking.yaml configs/downstream/gait_published.yaml); shift ;;
    -h|--help) sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) arguments+=("$1"); shift ;;
  esac
done

source "$(dirname "$0")/../../scripts/environment.sh"

worst=0
for config in "${configs[@]}"; do
  code=0
  "$PYTHON" downstream/gait/run.py --config "$config" "${arguments[@]}" || code=$?
  [ "$code" -le 1 ] || exit "$code"
  [ "$code" -eq 0 ] || worst=$code
done
exit "$worst"
