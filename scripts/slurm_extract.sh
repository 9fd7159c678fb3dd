#!/bin/bash
#SBATCH --job-name=clusterbench-extract
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=12
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
#
# Features of a large image set on several nodes, one task per GPU:
#
#   sbatch scripts/slurm_extract.sh /data/winter21_whole dinov2-vitl14 /scratch/w21-dinov2-vitl14
#
# Ask for as many tasks as GPUs and for the cores that decode images (12 a task here): with fewer,
# "waiting for data" in the log grows. The log of a requeued job is one file (--open-mode=append).

set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: sbatch $0 SOURCE ENCODER OUTPUT [more options of clusterbench extract]" >&2
    exit 2
fi
source=$1 encoder=$2 output=$3
shift 3

# What is chosen from the source, once, for all tasks. For folders or tars that have train and val,
# or another choice: CHOICE="" or CHOICE="--val-per-class 50" before sbatch.
read -r -a choice <<< "${CHOICE---imagenet21k-p}"

# One step lists the images and one file keeps the list: 32 tasks that list 13 million files each
# take long, and the file system longer. A requeued job finds it there. It is written whole or not
# at all.
index=$output.index.h5
if [ ! -e "$index" ]; then
    srun --nodes=1 --ntasks=1 --ntasks-per-node=1 \
        python -m clusterbench index "$source" "${choice[@]}" --output "$index"
fi

# Compute nodes often have no network, and 32 tasks should not all download. Weights of a hub get into
# its cache by a --dry-run with this encoder and any small folder of images on a login node.
export HF_HUB_OFFLINE=${HF_HUB_OFFLINE-1}

# Each task takes the GPU of its number on the node (SLURM_LOCALID), so all of a node's GPUs must be
# visible to it: no --gpus-per-task here. Tasks share the work shard by shard through the folder and
# need no other connection; one that dies holds up nobody (--kill-on-bad-exit=0), and the others do
# its shard. --no-kill: nor does a node that fails.
#
# When the job is preempted, finished shards stay, and the requeued job does the rest. Slurm does not
# requeue a job that is out of time: submit the same line again. Smaller shards (--shard-rows 16384,
# from the first run on) lose less at each kill.
srun --kill-on-bad-exit=0 --no-kill \
    python -m clusterbench extract --source "$index" --encoder "$encoder" --output "$output" "$@"

# Without srun, on one node: the same as
#
#   torchrun --nproc-per-node 8 -m clusterbench extract --source INDEX --encoder ENCODER --output OUTPUT
#
# and on several: one torchrun a node, each on its own (no rendezvous is needed). They share the
# shards all the same.
