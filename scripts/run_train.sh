#!/usr/bin/env bash
# Trains one neural denoiser.
#
#   bash scripts/run_train.sh --config configs/config.yaml --model FCN
#
# Arguments go to training/train_neural.py: --config --model --epochs --batch-size --learning-rate --recipe
# --output --set --force --quiet. On several GPUs: `accelerate launch training/train_neural.py ...`.
set -euo pipefail
source "$(dirname "$0")/environment.sh"

exec "$PYTHON" training/train_neural.py "$@"
