#!/usr/bin/env bash
# The stages of a configuration, one script after the other.
#
#   bash scripts/run_pipeline.sh --config configs/config.yaml --stages all
#   bash scripts/run_pipeline.sh --config configs/open.yaml --stages all,calibrate,train,evaluate,tables --workers 2
#
# --stages is a comma-separated list of: qc grade split segment noise mix calibrate train evaluate tables, or of groups:
# all (qc to mix: it prepares data, as the published script does), data (qc to segment), testdata (mix).
# Flags of the published scripts: --models A,B (to train, to evaluate), --db DB2,DB3 (only these), --gpu N.
# Every other argument goes to each stage: --config --output --workers --set --force --quiet.
set -euo pipefail

stages=all
given=()
while [ $# -gt 0 ]; do
  case $1 in
    --stages) stages=${2:?--stages needs a value}; shift 2 ;;
    --stages=*) stages=${1#*=}; shift ;;
    -h|--help) sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) given+=("$1"); shift ;;
  esac
done

source "$(dirname "$0")/environment.sh"
source scripts/flags.sh
read_flags "${given[@]}"

declare -A scripts=(
  [qc]=data_pipeline/step1_qc_raw.py
  [grade]=data_pipeline/step2_quality_filter.py
  [split]=data_pipeline/step3_subject_split.py
  [segment]=data_pipeline/step4_preproc_and_segment.py
  [noise]=noise/noise_generator.py
  [mix]=evaluation/generate_test_data.py
  [calibrate]=training/train_classical.py
  [train]=training/train_neural.py
  [evaluate]="evaluation/evaluate_classical.py evaluation/evaluate_neural.py"
  [tables]=evaluation/make_tables.py
)
declare -A groups=([all]="qc grade split segment noise mix" [data]="qc grade split segment" [testdata]=mix)
order="qc grade split segment noise mix calibrate train evaluate tables"

selected=" "
for name in ${stages//,/ }; do
  [ -n "${scripts[$name]:-}${groups[$name]:-}" ] || {
    echo "error: --stages: no stage is called '$name'; there are: $order, and the groups all data testdata" >&2
    exit 2
  }
  selected+="${groups[$name]:-$name} "
done

# Exit code 1 means that items failed and the rest was kept: the next stages still run, and so does the code.
worst=0
for stage in $order; do
  case $selected in *" $stage "*) ;; *) continue ;; esac
  extra=()
  for model in "${models[@]}"; do
    case $stage in train) extra+=(--model "$model") ;; evaluate) extra+=(--models "$model") ;; esac
  done
  for script in ${scripts[$stage]}; do
    code=0
    "$PYTHON" "$script" "${arguments[@]}" "${extra[@]}" || code=$?
    [ "$code" -le 1 ] || exit "$code"
    [ "$code" -eq 0 ] || worst=$code
  done
done
exit "$worst"
