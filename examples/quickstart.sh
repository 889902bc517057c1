#!/usr/bin/env bash
# From a data set and a limit to a retrained, evaluated network: five commands, five files.
#   bash examples/quickstart.sh [FOLDER]        (default: out/quickstart)
# Uses the active virtual environment, or makes .venv and installs nascli there.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${VIRTUAL_ENV:-}" ]; then
  [ -d .venv ] || python3 -m venv .venv
  VIRTUAL_ENV=$PWD/.venv
fi
PATH=$VIRTUAL_ENV/bin:$PATH
[ -n "${NASCLI_SKIP_INSTALL:-}" ] || pip install -q -e .

out=${1:-out/quickstart}
mkdir -p "$out"
yaml=examples/quickstart.yaml

lut=$(nascli build-lut           -c $yaml                                    -o "$out/lut.h5"      -q --force)
supernet=$(nascli train-supernet -c $yaml                                    -o "$out/supernet.pt" -q --force)
arch=$(nascli search             -c $yaml --lut "$lut" --supernet "$supernet" -o "$out/arch.npy"    -q --force)
model=$(nascli retrain           -c $yaml --arch "$arch"                     -o "$out/model.pt"    -q --force)
nascli evaluate                  -c $yaml --model "$model" --lut "$lut"      -o "$out/report.json"    --force
nascli inspect --lineage "$out/report.json"
