#!/usr/bin/env bash
# The class of every pixel: a task of one's own in one file, examples/segmentation.py, through the whole chain.
#   bash examples/segmentation.sh [FOLDER [OPTIONS]]      (default: out/segmentation)
set -euo pipefail
out=$(realpath -m "${1:-$(dirname "$0")/../out/segmentation}")
cd "$(dirname "$0")/.."
mkdir -p "$out"
options=(-c examples/segmentation.yaml --skip-if-current "${@:2}")

lut=$(nascli build-lut           "${options[@]}"                                     -o "$out/lut.h5"      -q)
supernet=$(nascli train-supernet "${options[@]}"                                     -o "$out/supernet.pt" -q)
arch=$(nascli search             "${options[@]}" --lut "$lut" --supernet "$supernet" -o "$out/arch.npy"    -q)
model=$(nascli retrain           "${options[@]}" --arch "$arch" --init "$supernet"   -o "$out/model.pt"    -q)
nascli evaluate                  "${options[@]}" --model "$model" --lut "$lut"       -o "$out/report.json"
nascli inspect --lineage "$out/report.json"
