#!/usr/bin/env bash
# The neuromuscular task with every denoiser, and the saliency maps.
#
#   bash downstream/neuromuscular/run_all.sh               # the simulated set
#   bash downstream/neuromuscular/run_all.sh --original    # EMGLAB N2001
#   bash downstream/neuromuscular/run_all.sh --transfer    # from the simulated set to PhysioNet emgdb
#
# Other arguments: --config --output --denoiser --workers --set --force --quiet.
set -euo pipefail

source "$(dirname "$0")/../../scripts/paths.sh"
own_paths "$@"
set -- "${given[@]}"

config=configs/downstream/neuromuscular.yaml
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --original) config=configs/downstream/neuromuscular_published.yaml; shift ;;
    --transfer) config=configs/downstream/neuromuscular_transfer.yaml; shift ;;
    --config) config=${2:?--config needs a value}; shift 2 ;;
    -h|--help) sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) arguments+=("$1"); shift ;;
  esac
done

source "$(dirname "$0")/../../scripts/environment.sh"

exec "$PYTHON" downstream/neuromuscular/run.py --config "$config" "${arguments[@]}"
