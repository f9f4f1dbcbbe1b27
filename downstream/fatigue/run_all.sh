#!/usr/bin/env bash
# Both classifiers with every denoiser.
#
#   bash downstream/fatigue/run_all.sh            # what preprocess_and_denoise.py has prepared; if nothing, --open
#   bash downstream/fatigue/run_all.sh --open     # the simulated set, from scratch
#
# Other arguments: --output-cache --denoiser --workers --set --force --quiet.
set -euo pipefail

source "$(dirname "$0")/../../scripts/paths.sh"
own_paths "$@"
set -- "${given[@]}"

cache=outputs/downstream/fatigue/cache
simulated=
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --open) simulated=yes; shift ;;
    --output-cache) cache=${2:?--output-cache needs a value}; shift 2 ;;
    -h|--help) sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) arguments+=("$1"); shift ;;
  esac
done

source "$(dirname "$0")/../../scripts/environment.sh"

if [ -z "$simulated" ] && [ ! -e "$cache/config.yaml" ]; then
  echo "$cache holds no prepared recordings: the simulated set, results/downstream/fatigue"
  simulated=yes
fi
if [ -n "$simulated" ]; then
  exec "$PYTHON" downstream/fatigue/run.py "${arguments[@]}"
fi
worst=0
for model in svm cnn; do
  code=0
  "$PYTHON" "downstream/fatigue/fatigue_$model.py" --output-cache "$cache" "${arguments[@]}" || code=$?
  [ "$code" -le 1 ] || exit "$code"
  [ "$code" -eq 0 ] || worst=$code
done
exit "$worst"
