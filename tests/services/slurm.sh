#!/usr/bin/env bash
# A real Slurm of one node on this machine, without systemd, cgroups or accounting; needs root and Debian.
#   tests/services/slurm.sh start FOLDER     install it if it is missing, and start it
#   tests/services/slurm.sh stop FOLDER      stop what `start` started, and nothing else
#   tests/services/slurm.sh run COMMAND…     start one, run a command that sees it, and stop it
#   tests/services/slurm.sh install          only install it; fails where that cannot be
# FOLDER holds its configuration, state, logs and process numbers.
set -euo pipefail

install() {
    [ "$(id -u)" = 0 ] || { echo "A Slurm of one's own needs root." >&2; return 1; }
    type slurmctld slurmd munged sbatch >/dev/null 2>&1 && return
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends slurm-wlm munge
}

configure() {
    local host
    host=$(hostname -s)
    mkdir -p "$folder"/{state,spool,log}
    cat >"$folder/slurm.conf" <<CONF
ClusterName=allometry
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${SLURMCTLD_PORT:-16817}
SlurmdPort=${SLURMD_PORT:-16818}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket,cred_expire=20
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
KillWait=30
OverTimeLimit=0
JobRequeue=1
SlurmdTimeout=300
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(free -m | awk '/^Mem/ {print int($2 * 0.9)}') State=UNKNOWN
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=graced Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=60
PartitionName=dropped Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=CANCEL
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=2
CONF
}

start() {
    install
    configure
    export SLURM_CONF=$folder/slurm.conf
    test -e "$folder/munge.key" || (umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
    munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
        --pid-file="$folder/munged.pid" --log-file="$folder/log/munged.log" --seed-file="$folder/munge.seed"
    slurmctld -f "$SLURM_CONF"
    slurmd -f "$SLURM_CONF"
    for _ in $(seq 100); do
        [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ] && return
        sleep 0.2
    done
    sinfo || true
    tail -n 20 "$folder"/log/*.log >&2
    return 1
}

stop() {
    for name in slurmd slurmctld munged; do
        if [ -e "$folder/$name.pid" ]; then
            kill "$(cat "$folder/$name.pid")" 2>/dev/null || true
        fi
    done
}

run() {
    folder=$(mktemp -d)
    trap stop EXIT
    start
    "$@"
}

verb=${1:?start, stop, run or install}
shift
if [ "$verb" = start ] || [ "$verb" = stop ]; then
    folder=$(realpath "${1:?give a folder}")
    shift
fi
"$verb" "$@"
