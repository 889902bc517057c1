#!/usr/bin/env bash
# CIFAR-10 from two zips of images, about half an hour on two cores.
#   bash examples/cifar10.sh DATA [FOLDER]      (default: out/cifar10)
# DATA holds cifar10-jpeg-train.zip (train/<class>/*.jpg) and cifar10-jpeg-test.zip (test/<class>/*.jpg); with
# nas-bench-macro_cifar10.json beside them, two search strategies are compared by the accuracies of that benchmark.
set -euo pipefail
data=$(realpath "${1:?the folder with the two zips}")
out=$(realpath -m "${2:-$(dirname "$0")/../out/cifar10}")
cd "$(dirname "$0")/.."
mkdir -p "$out"
export TIMEFORMAT='%lR'
problem=(-c examples/cifar10.yaml --set "dataflow.path=$data/cifar10-jpeg-train.zip" --set "dataflow.test_path=$data/cifar10-jpeg-test.zip")
common=(--resume --skip-if-current "${problem[@]}")

time nascli build-lut      "${common[@]}"                                                -o "$out/lut.h5"      -q
time nascli train-supernet "${common[@]}"                                                -o "$out/supernet.pt" -q
time nascli search         "${common[@]}" --lut "$out/lut.h5" --supernet "$out/supernet.pt" -o "$out/arch.npy" -q
time nascli retrain        "${common[@]}" --arch "$out/arch.npy"                         -o "$out/model.pt"    -q
time nascli evaluate       "${common[@]}" --model "$out/model.pt" --lut "$out/lut.h5"    -o "$out/report.json"

truth=$data/nas-bench-macro_cifar10.json
if [ -f "$truth" ]; then
  time nascli compare "${problem[@]}" --lut "$out/lut.h5" --supernet "$out/supernet.pt" --strategy evolution --seeds 3 \
                      --max-evaluations 40 --truth "$truth:mean_acc" -o "$out/compared" -q
fi
