#!/bin/bash
# A sweep on a Ray cluster inside one Slurm job:
#   sbatch --nodes=4 --cpus-per-task=16 --time=12:00:00 slurm.sh SWEEP OUT
# Submitted again after a time limit, it goes on where it ended. No folder need be shared by the nodes but the one that
# holds the Python environment; OUT is written on the first node of the job, so it should outlive the job.
#SBATCH --job-name=greenexp
#SBATCH --ntasks-per-node=1
# Ten minutes before the end the running epochs end, trials are saved and the report is written.
#SBATCH --signal=B:TERM@600
set -euo pipefail

sweep=$1
out=$2
# Every job has a token of its own; srun hands the environment on.
export RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(python3 -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_TOKEN

port=$((20000 + SLURM_JOB_ID % 20000))
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=$(srun --nodes=1 --ntasks=1 --nodelist="${nodes[0]}" hostname --ip-address | cut -d ' ' -f 1)

start() { # node, options of `ray start`
  srun --nodes=1 --ntasks=1 --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" --overlap --nodelist="$1" ray start "${@:2}" --block --disable-usage-stats \
    --num-cpus="${SLURM_CPUS_PER_TASK:-1}" ${SLURM_GPUS_ON_NODE:+--num-gpus="$SLURM_GPUS_ON_NODE"} &
}
start "${nodes[0]}" --head --node-ip-address="$head" --port="$port" --include-dashboard=false
head_pid=$!
until python3 -c "import socket; socket.create_connection(('$head', $port), 2)" 2>/dev/null; do
  kill -0 "$head_pid" 2>/dev/null || { echo "Ray did not start on ${nodes[0]}" >&2; exit 1; }
  sleep 2
done
for node in "${nodes[@]:1}"; do
  start "$node" --address="$head:$port"
done

resume=()
if [ -e "$out/journal.jsonl" ]; then resume=(--resume); fi
greenexp run "$sweep" --out "$out" --address "$head:$port" ${resume[@]+"${resume[@]}"} &
sweep_pid=$!
signalled=
trap 'signalled=yes; kill -TERM "$sweep_pid" 2>/dev/null || true' TERM
status=0
wait "$sweep_pid" || status=$?
if [ -n "$signalled" ]; then # the signal ended that wait; the sweep saves its trials
  status=0
  wait "$sweep_pid" || status=$?
fi
kill $(jobs -p) 2>/dev/null || true
exit "$status"
