#!/usr/bin/env bash
# From a data set and a limit to a retrained, evaluated network: five commands, five files.
#   bash examples/quickstart.sh [FOLDER [OPTIONS]]      (default: out/quickstart)
# OPTIONS go to every stage, for example: --set retrain.epochs=60. What is current is kept, the rest is made anew.
# Uses the active virtual environment, or makes .venv and installs nascli there.
set -euo pipefail
out=$(realpath -m "${1:-$(dirname "$0")/../out/quickstart}")
cd "$(dirname "$0")/.."

if [ -z "${VIRTUAL_ENV:-}" ]; then
  [ -d .venv ] || python3 -m venv .venv
  VIRTUAL_ENV=$PWD/.venv
fi
PATH=$VIRTUAL_ENV/bin:$PATH
[ -n "${SKIP_INSTALL:-}" ] || pip install -q -e .

mkdir -p "$out"
options=(-c examples/quickstart.yaml --skip-if-current "${@:2}")

lut=$(nascli build-lut           "${options[@]}"                                     -o "$out/lut.h5"      -q)
supernet=$(nascli train-supernet "${options[@]}"                                     -o "$out/supernet.pt" -q)
arch=$(nascli search             "${options[@]}" --lut "$lut" --supernet "$supernet" -o "$out/arch.npy"    -q)
model=$(nascli retrain           "${options[@]}" --arch "$arch"                      -o "$out/model.pt"    -q)
nascli evaluate                  "${options[@]}" --model "$model" --lut "$lut"       -o "$out/report.json"
nascli inspect --lineage "$out/report.json"
