#!/usr/bin/env bash
# The stages of a configuration, one script after the other.
#
#   bash scripts/run_pipeline.sh --config configs/config.yaml --stages all
#   bash scripts/run_pipeline.sh --config configs/open.yaml --stages qc,grade,split,segment --workers 2
#
# --stages is all, or a comma-separated list of: qc grade split segment noise mix calibrate train evaluate tables.
# Every other argument goes to each stage: --config --output --workers --set --force --quiet.
set -euo pipefail

stages=all
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --stages) stages=${2:?--stages needs a value}; shift 2 ;;
    --stages=*) stages=${1#*=}; shift ;;
    -h|--help) sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) arguments+=("$1"); shift ;;
  esac
done

source "$(dirname "$0")/environment.sh"

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
order="qc grade split segment noise mix calibrate train evaluate tables"
[ "$stages" = all ] && stages=$order

for stage in ${stages//,/ }; do
  [ -n "${scripts[$stage]:-}" ] || { echo "error: --stages: no stage is called '$stage'; there are: all $order" >&2; exit 2; }
done

# Exit code 1 means that items failed and the rest was kept: the next stages still run, and so does the code.
worst=0
for stage in $order; do
  case " ${stages//,/ } " in *" $stage "*) ;; *) continue ;; esac
  for script in ${scripts[$stage]}; do
    code=0
    "$PYTHON" "$script" "${arguments[@]}" || code=$?
    [ "$code" -le 1 ] || exit "$code"
    [ "$code" -eq 0 ] || worst=$code
  done
done
exit "$worst"
