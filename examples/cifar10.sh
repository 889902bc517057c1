#!/usr/bin/env bash
# CIFAR-10 from two zips of images, about half an hour on two cores.
#   bash examples/cifar10.sh DATA [FOLDER]      (default: out/cifar10)
# DATA holds cifar10-jpeg-train.zip (train/<class>/*.jpg) and cifar10-jpeg-test.zip (test/<class>/*.jpg).
set -euo pipefail
data=$(realpath "${1:?the folder with the two zips}")
out=$(realpath -m "${2:-$(dirname "$0")/../out/cifar10}")
cd "$(dirname "$0")/.."
mkdir -p "$out"
export TIMEFORMAT='%lR'
common=(--resume --skip-if-current -c examples/cifar10.yaml --set "dataflow.path=$data/cifar10-jpeg-train.zip" --set "dataflow.test_path=$data/cifar10-jpeg-test.zip")

time nascli build-lut      "${common[@]}"                                                -o "$out/lut.h5"      -q
time nascli train-supernet "${common[@]}"                                                -o "$out/supernet.pt" -q
time nascli search         "${common[@]}" --lut "$out/lut.h5" --supernet "$out/supernet.pt" -o "$out/arch.npy" -q
time nascli retrain        "${common[@]}" --arch "$out/arch.npy"                         -o "$out/model.pt"    -q
time nascli evaluate       "${common[@]}" --model "$out/model.pt" --lut "$out/lut.h5"    -o "$out/report.json"
