#!/usr/bin/env bash
# A stage on several processes or machines that torchrun starts; the number of devices need not be said again.
#   bash examples/cluster/torchrun.sh train-supernet -c examples/cifar10.yaml -o supernet.pt
# On each of NNODES machines, run the same line with NODE_RANK=0, 1, … and MASTER_ADDR set to the first one's name.
# All machines see the same folder: the inputs are read by every process, the output is written by the first.
set -euo pipefail
if [ -z "${PROCESSES:-}" ]; then  # one a GPU, or one
  PROCESSES=$( (nvidia-smi -L 2>/dev/null || true) | wc -l)
  [ "$PROCESSES" -gt 0 ] || PROCESSES=1
fi
exec torchrun --nnodes "${NNODES:-1}" --node-rank "${NODE_RANK:-0}" --nproc-per-node "$PROCESSES" \
  --master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "${MASTER_PORT:-29500}" \
  --no-python nascli "$@"
