# Sourced by the other scripts: creates .venv from requirements.txt once, and again when the pins change.
# Sets PYTHON to its interpreter. The working folder becomes the project's root.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
PYTHON="$PWD/.venv/bin/python"

prepare_environment() {
  local stamp=.venv/.installed
  local wanted
  wanted=$(cat requirements.txt pyproject.toml | sha256sum)
  if [ -x "$PYTHON" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    return
  fi
  local base=${CLEANSEMG_PYTHON:-python3}
  "$base" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "error: Python 3.11 or newer is needed, '$base' is $("$base" --version 2>&1); set CLEANSEMG_PYTHON" >&2
    exit 2
  }
  echo "Preparing .venv (once, a few minutes) ..." >&2
  rm -f "$stamp"
  [ -x "$PYTHON" ] || "$base" -m venv .venv
  local pip=("$PYTHON" -m pip --disable-pip-version-check install --quiet)
  # torch comes first and with its pin: a package that requires torch without a pin may install gigabytes of CUDA.
  "${pip[@]}" "$(grep '^torch==' requirements.txt)"
  "${pip[@]}" -r requirements.txt
  "${pip[@]}" --no-deps --editable .
  echo "$wanted" > "$stamp"
}

prepare_environment
