#!/usr/bin/env bash
# A chain space of one's own: parts overridden, a block of its own, a metric of its own under a constraint.
#   bash examples/custom_space.sh [FOLDER [OPTIONS]]      (default: out/custom_space)
set -euo pipefail
out=$(realpath -m "${1:-$(dirname "$0")/../out/custom_space}")
cd "$(dirname "$0")/.."
mkdir -p "$out"
options=(-c examples/custom_space.yaml --skip-if-current "${@:2}")

nascli inspect examples/custom_space.py:GhostSpace
lut=$(nascli build-lut           "${options[@]}"                                     -o "$out/lut.h5"      -q)
supernet=$(nascli train-supernet "${options[@]}"                                     -o "$out/supernet.pt" -q)
arch=$(nascli search             "${options[@]}" --lut "$lut" --supernet "$supernet" -o "$out/arch.npy"    -q)
model=$(nascli retrain           "${options[@]}" --arch "$arch" --init "$supernet"   -o "$out/model.pt"    -q)
nascli evaluate                  "${options[@]}" --model "$model" --lut "$lut"       -o "$out/report.json"
