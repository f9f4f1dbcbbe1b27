# Sourced by scripts that change to the project's root: paths in their arguments start from the caller's working folder.

# Writes the arguments into the array `given`, --flag=PATH as two. Output is written where the caller says; input files
# may also be named from the project's root, as in the documentation.
own_paths() {
  given=()
  while [ $# -gt 0 ]; do
    case $1 in
      --output=*|--output-cache=*|--config=*|--db2-root=*|--test-npz=*|--qc-index=*)
        set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
    esac
    case $1 in
      --output|--output-cache) given+=("$1" "$(from_here "${2:?$1 needs a value}")"); shift 2 ;;
      --config|--db2-root|--test-npz|--qc-index)
        if [ -e "${2:?$1 needs a value}" ]; then given+=("$1" "$(from_here "$2")"); else given+=("$1" "$2"); fi
        shift 2 ;;
      *) given+=("$1"); shift ;;
    esac
  done
}

from_here() {
  case $1 in /*) printf '%s\n' "$1" ;; *) printf '%s\n' "$PWD/$1" ;; esac
}
