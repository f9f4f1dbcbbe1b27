#!/usr/bin/env bash
# Trains neural denoisers.
#
#   bash scripts/run_train.sh --config configs/config.yaml --model FCN
#
# Arguments go to training/train_neural.py: --config --model --epochs --batch-size --learning-rate --recipe
# --output --set --force --quiet. --models A,B trains several; --gpu N sets CUDA_VISIBLE_DEVICES=N. On several GPUs:
# `accelerate launch training/train_neural.py ...`.
set -euo pipefail
source "$(dirname "$0")/environment.sh"
source scripts/flags.sh
read_flags "$@"
for model in "${models[@]}"; do arguments+=(--model "$model"); done

exec "$PYTHON" training/train_neural.py "${arguments[@]}"
