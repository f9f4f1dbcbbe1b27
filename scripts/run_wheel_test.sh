#!/usr/bin/env bash
# Builds the wheel, installs it into an empty environment in another folder, and uses it there.
#
# The folder holds `core/`, `evaluation.py` and `noise.py`, which leave a mark when they are imported: nobody may.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed() { echo "error: $1" >&2; exit 1; }
step() { echo "wheel: $1"; }
expect_line() {  # code text command ...: exit code, and one line on stderr that holds the text
  local code=$1 text=$2 found=0
  shift 2
  "$@" > /dev/null 2> "$work/stderr" || found=$?
  [ "$found" -eq "$code" ] || { cat "$work/stderr" >&2; failed "'$*' ended with $found, expected $code"; }
  [ "$(wc -l < "$work/stderr")" -eq 1 ] && grep -qF "$text" "$work/stderr" \
    || { cat "$work/stderr" >&2; failed "'$*': expected one line with: $text"; }
}

step "build"
mkdir "$work/source"  # the files of the tree alone: setuptools packs what lies in build/ from earlier, too
git ls-files -z --cached --others --exclude-standard \
  | tar --null --no-recursion --ignore-failed-read -T - -cf - | tar -xf - -C "$work/source"
"$PYTHON" -m pip --disable-pip-version-check wheel --quiet --no-deps "$work/source" --wheel-dir "$work/dist"
wheel=$(echo "$work"/dist/cleansemg-*.whl)
"$PYTHON" - "$wheel" "$work/source" <<'PYTHON'
import os, sys, zipfile
from pathlib import Path

packed = {name for name in zipfile.ZipFile(sys.argv[1]).namelist() if name.startswith("cleansemg/")}
package = Path(sys.argv[2]) / "cleansemg"
files = [Path(folder) / name for folder, _, names in os.walk(package, followlinks=True) for name in names]
expected = {path.relative_to(package.parent).as_posix() for path in files if path.suffix != ".sh"}
if packed != expected:
    sys.exit(f"error: missing in the wheel: {sorted(expected - packed)}; too much: {sorted(packed - expected)}")
PYTHON

step "install"
"$PYTHON" -m venv "$work/venv"
bin="$work/venv/bin"
pip=("$bin/python" -m pip --disable-pip-version-check --quiet)
"${pip[@]}" install "$(grep '^torch==' requirements.txt)"
"${pip[@]}" install --constraint requirements.txt "$wheel"
site=$("$bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
"${pip[@]}" uninstall --yes cleansemg
ls "$site" > "$work/before"
"${pip[@]}" install --no-deps "$wheel"
gained=$(ls "$site" | comm -13 "$work/before" - | tr '\n' ' ')
[[ $gained =~ ^cleansemg\ cleansemg-[0-9.]+\.dist-info\ $ ]] || failed "site-packages gained: $gained"

mkdir -p "$work/user/core"
cd "$work/user"
unset PYTHONPATH CLEANSEMG_ROOT
for file in core/__init__.py evaluation.py noise.py; do
  echo "open('$work/mark', 'a').write('$file\n'); raise RuntimeError('$file of the user was imported')" > "$file"
done
"$bin/python" -P -c '
import numpy as np
rows = np.random.default_rng(0).standard_normal(4000) * 0.1
print("time,biceps (mV)", *(f"{i / 1000:.3f},{v:.6f}" for i, v in enumerate(rows)), sep="\n")' > recording.csv

step "commands"
"$bin/cleansemg" list denoisers | grep '^hp ' > /dev/null || failed "list denoisers"
"$bin/python" -m cleansemg list noises | grep '^pli ' > /dev/null || failed "python -m cleansemg list noises"
"$bin/cleansemg" check hp --quiet || failed "check hp"
"$bin/cleansemg" quality recording.csv --quiet | grep biceps > /dev/null || failed "quality"
"$bin/cleansemg" denoise recording.csv --quiet && [ -s recording_denoised.csv ] || failed "denoise"
printf '%s\n' 'import cleansemg' 'denoiser = cleansemg.load("hp")' \
  'print(denoiser.denoise([0.0, 1.0] * 500, 1000.0).shape, cleansemg.__version__)' > three_lines.py
"$bin/python" three_lines.py | grep -F '(1000,) 0.' > /dev/null || failed "three lines of Python"

step "extras"
tiny=(--quiet --set evaluate.denoisers=[hp] --set calibrate.methods=[hp] --set noise.piece_s=12 --set mix.sets=[combined]
  --set "datasets.simulated.parameters={n_subjects: 5, n_channels: 1, n_gestures: 2, n_repetitions: 1}"
  --set mix.combined_segments=12 --set train.mixtures_per_epoch=16 --set train.valid_mixtures=8
  --set "train.recipe={epochs: 1, batch_size: 8}" --set tables.bootstrap_resamples=100)
expect_line 2 "pip install 'cleansemg[app]'" "$bin/cleansemg" app --no-browser
expect_line 2 "pip install 'cleansemg[cluster]'" "$bin/cleansemg" run --config demo "${tiny[@]}" --scheduler tcp://127.0.0.1:1
expect_line 2 "pip install 'cleansemg[simulation]'" "$bin/cleansemg" run --config demo "${tiny[@]}"
"${pip[@]}" install --constraint "$OLDPWD/requirements.txt" "$wheel[simulation]"
"$bin/cleansemg" run --config demo "${tiny[@]}" --workers 2 > /dev/null
grep -q '^| hp' results/demo/tables/table1.md || failed "run --config demo"

[ ! -e "$work/mark" ] || failed "imported from the working folder: $(tr '\n' ' ' < "$work/mark")"
step "ok"
