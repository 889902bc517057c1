#!/usr/bin/env bash
# A search whose candidates are scored by the workers of Ray: on this machine, or on the cluster of RAY_ADDRESS.
#   bash examples/cluster/ray.sh [FOLDER [OPTIONS]]      (default: out/ray)
# OPTIONS go to both stages, for example: --set executor.workers=8 --set executor.gpus=1 --set search.evaluator=train
# On a cluster (pip install 'nascli[ray]' on every machine, FOLDER on a disk that all of them see under the same path):
#   ray start --head --port=6379                            # on the first machine
#   ray start --address=FIRST:6379                          # on each other one
#   export RAY_ADDRESS=FIRST:6379 RAY_AUTH_MODE=token       # the latter since Ray asks for a token (2.56 or so)
#   bash examples/cluster/ray.sh /shared/ray
# The result is the one of a search without Ray. A worker that is lost costs what it was at: that is tried again.
set -euo pipefail
out=$(realpath -m "${1:-$(dirname "$0")/../../out/ray}")
cd "$(dirname "$0")/../.."

mkdir -p "$out"
options=(-c examples/quickstart.yaml --skip-if-current "${@:2}")

supernet=$(nascli train-supernet "${options[@]}" -o "$out/supernet.pt" -q)
nascli search --executor ray     "${options[@]}" --supernet "$supernet" -o "$out/arch.npy"
