#!/usr/bin/env bash
# A network of one's own, searched: the whole chain with examples/my_model.py as the search space.
#   bash examples/my_model.sh [FOLDER [OPTIONS]]      (default: out/my_model)
set -euo pipefail
out=$(realpath -m "${1:-$(dirname "$0")/../out/my_model}")
cd "$(dirname "$0")/.."
mkdir -p "$out"
options=(-c examples/my_model.yaml --skip-if-current "${@:2}")

nascli inspect examples/my_model.py:MyModel
lut=$(nascli build-lut           "${options[@]}"                                     -o "$out/lut.h5"      -q)
supernet=$(nascli train-supernet "${options[@]}"                                     -o "$out/supernet.pt" -q)
arch=$(nascli search             "${options[@]}" --lut "$lut" --supernet "$supernet" -o "$out/arch.npy"    -q)
model=$(nascli retrain           "${options[@]}" --arch "$arch" --init "$supernet"   -o "$out/model.pt"    -q)
nascli evaluate                  "${options[@]}" --model "$model" --lut "$lut"       -o "$out/report.json"
