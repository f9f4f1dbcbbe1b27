#!/usr/bin/env bash
# All eight denoisers of the published table on Ninapro DB2: segments of the test set written into the recordings, then STCNet.
#
#   bash downstream/gesture/run_all.sh                # the published protocol; needs DB2 and a test set of it
#   bash downstream/gesture/run_all.sh --open         # the open set, every blind denoiser, noise in all samples
#
# Data flags: --db2-root --test-npz --qc-index. Other arguments: --config --output --workers --set --force --quiet; with
# --open also --denoiser.
set -euo pipefail

source "$(dirname "$0")/../../scripts/paths.sh"
own_paths "$@"
set -- "${given[@]}"

open=no
data=()
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --open) open=yes; shift ;;
    --db2-root|--test-npz|--qc-index) data+=("$1" "${2:?$1 needs a value}"); shift 2 ;;
    -h|--help) sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) arguments+=("$1"); shift ;;
  esac
done

source "$(dirname "$0")/../../scripts/environment.sh"

if [ "$open" = yes ]; then
  exec "$PYTHON" downstream/gesture/run.py "${arguments[@]}"
fi

classical=(hp emd vmd ceemdan)
networks=(fcn msemg sdemg trustemg_rm)  # those with pretrained weights; the published FCN (fcn_large) has none
worst=0
step() {
  local code=0
  "$PYTHON" "$@" || code=$?
  [ "$code" -le 1 ] || exit "$code"
  [ "$code" -eq 0 ] || worst=$code
}
for method in "${classical[@]}"; do
  step downstream/gesture/prepare_classical.py --method "$method" "${data[@]}" "${arguments[@]}"
done
for network in "${networks[@]}"; do
  step downstream/gesture/prepare_neural.py --model-name "$network" "${data[@]}" "${arguments[@]}"
done
step downstream/gesture/evaluate.py "${arguments[@]}"  # all of the configuration, which are these: Table 2 reads them
exit "$worst"
