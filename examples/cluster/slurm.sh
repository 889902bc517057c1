#!/usr/bin/env bash
# A stage on several machines under SLURM: a task for each GPU; the number of devices need not be said again.
#   sbatch examples/cluster/slurm.sh train-supernet -c examples/cifar10.yaml -o supernet.pt
# A job that is cut short goes on where its last checkpoint is: --resume starts afresh where there is none.
#SBATCH --job-name=nascli
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=12
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@120
#SBATCH --open-mode=append
set -euo pipefail
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}   # decoding has processes of its own: --set dataflow.workers=10
# kill-on-bad-exit: a lost process ends the others at once
exec srun --kill-on-bad-exit=1 nascli "$@" --resume
