#!/usr/bin/env bash
# Several labels an image: a task of one's own in one file, examples/multi_label.py, through the whole chain.
#   bash examples/multi_label.sh [FOLDER [OPTIONS]]      (default: out/multi_label)
set -euo pipefail
out=$(realpath -m "${1:-$(dirname "$0")/../out/multi_label}")
cd "$(dirname "$0")/.."
mkdir -p "$out"
options=(-c examples/multi_label.yaml --skip-if-current "${@:2}")

lut=$(nascli build-lut           "${options[@]}"                                     -o "$out/lut.h5"      -q)
supernet=$(nascli train-supernet "${options[@]}"                                     -o "$out/supernet.pt" -q)
arch=$(nascli search             "${options[@]}" --lut "$lut" --supernet "$supernet" -o "$out/arch.npy"    -q)
model=$(nascli retrain           "${options[@]}" --arch "$arch" --init "$supernet"   -o "$out/model.pt"    -q)
nascli evaluate                  "${options[@]}" --model "$model" --lut "$lut"       -o "$out/report.json"
nascli inspect --lineage "$out/report.json"
