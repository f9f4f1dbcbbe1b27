# Sourced by scripts that take the flags of the published ones, after environment.sh.
#
#   --models A,B   networks to train, denoisers to evaluate; otherwise those of the configuration
#   --db DB2,DB3   of the configuration's databases, only these
#   --gpu N        CUDA_VISIBLE_DEVICES=N; on a machine without a GPU a note, and the CPU computes

# Reads the arguments: `models` and `arguments` (all others) are set, --flag=VALUE is read as two words.
read_flags() {
  models=() arguments=()
  local config=configs/config.yaml databases=
  while [ $# -gt 0 ]; do
    case $1 in --models=*|--db=*|--gpu=*|--config=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;; esac
    case $1 in
      --models) IFS=, read -ra models <<< "${2:?--models needs a value}"; shift 2 ;;
      --db) databases=${2:?--db needs a value}; shift 2 ;;
      --gpu) use_gpu "${2:?--gpu needs a value}"; shift 2 ;;
      --config) config=${2:?--config needs a value}; arguments+=(--config "$config"); shift 2 ;;
      *) arguments+=("$1"); shift ;;
    esac
  done
  [ -z "$databases" ] || restrict_databases "$config" "$databases"
}

use_gpu() {
  export CUDA_VISIBLE_DEVICES=$1
  nvidia-smi -L > /dev/null 2>&1 || echo "--gpu $1: no GPU here, networks run on the CPU" >&2
}

restrict_databases() {
  local name disabled
  disabled=$("$PYTHON" - "$1" "$2" <<'PYTHON'
import sys

from cleansemg.core import config
from cleansemg.core.errors import UserError, did_you_mean

try:
    databases, wanted = list(config.load(sys.argv[1]).datasets), sys.argv[2].split(",")
    for name in wanted:
        if name not in databases:
            raise UserError(f"--db: {sys.argv[1]} has no database '{name}'{did_you_mean(name, databases)}")
except UserError as error:
    sys.exit(f"error: {error}")
print(*(name for name in databases if name not in wanted))
PYTHON
  ) || exit 2
  for name in $disabled; do arguments+=(--set "datasets.$name.enabled=false"); done
}
