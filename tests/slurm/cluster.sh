#!/bin/bash
# A throw-away Slurm on loopback, two nodes of two CPUs and two pretended GPUs: cluster.sh DIR
# Says "up" on standard output, then lives until its standard input ends: so it ends with whoever started it, however that ended.
# Needs slurmctld, slurmd, munge, slurm-client, slurm-wlm-basic-plugins (Debian). No root, no systemd.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
here=$(dirname "$(readlink -f "$0")")
dir=$(readlink -m "${1:?folder}")
[ ${#dir} -le 80 ] || { echo "$dir: too long for the name of a socket" >&2; exit 2; }
export SLURM_CONF=$dir/slurm.conf

configure() { # PORT
    local nodes='' i
    : >"$dir/gres.conf"
    for i in 1 2; do
        nodes+="NodeName=tcs$i NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$(($1 + i)) CPUs=2 Sockets=1 CoresPerSocket=2 ThreadsPerCore=1 RealMemory=1024 Gres=gpu:2 State=UNKNOWN"$'\n'
        # A GPU must be a character device; these are harmless.
        printf 'NodeName=tcs%s Name=gpu File=%s\n' $i /dev/null $i /dev/zero >>"$dir/gres.conf"
    done
    conf=$(<"$here/slurm.conf.template")
    conf=${conf//@HOST@/$(hostname -s)}
    conf=${conf//@PORT@/$1}
    conf=${conf//@USER@/$(id -un)}
    conf=${conf//@DIR@/$dir}
    printf '%s\n' "${conf//@NODES@/$nodes}" >"$SLURM_CONF"
}

start_munge() {
    head -c 1024 /dev/urandom >"$dir/munge/munge.key"
    chmod 600 "$dir/munge/munge.key"
    # Jobs connect to the socket; the key stays ours.
    chmod 711 "$dir/munge"
    munged --force --key-file="$dir/munge/munge.key" --socket="$dir/munge/munge.socket" --pid-file="$dir/run/munged.pid" \
        --log-file="$dir/log/munged.log" --seed-file="$dir/munge/seed" 2>>"$dir/log/munged.err"
}

start() { # PORT
    configure "$1"
    slurmctld -c -f "$SLURM_CONF" >>"$dir/log/start.log" 2>&1 || return 1
    local i _
    for i in 1 2; do slurmd -f "$SLURM_CONF" -N tcs$i >>"$dir/log/start.log" 2>&1 || return 1; done
    for _ in $(seq 1 300); do
        [ "$(sinfo -h -N -o %T 2>/dev/null | grep -c '^idle$')" != 2 ] || return 0
        sleep 0.1
    done
    return 1
}

alive() { [ -s "$1" ] && kill -0 "$(<"$1")" 2>/dev/null; }

stop_daemons() { # NAME…
    local name _
    for name in "$@"; do if alive "$dir/run/$name.pid"; then kill "$(<"$dir/run/$name.pid")" || true; fi; done
    for _ in $(seq 1 50); do
        for name in "$@"; do
            if alive "$dir/run/$name.pid"; then sleep 0.1 && continue 2; fi
        done
        return 0
    done
    for name in "$@"; do if alive "$dir/run/$name.pid"; then kill -9 "$(<"$dir/run/$name.pid")" || true; fi; done
}

stop() {
    set +e
    trap '' INT TERM HUP
    if alive "$dir/run/slurmctld.pid"; then
        scancel -u "$(id -un)" 2>/dev/null
        for _ in $(seq 1 50); do
            [ -n "$(squeue -h 2>/dev/null)" ] || break
            sleep 0.1
        done
    fi
    stop_daemons slurmd.tcs1 slurmd.tcs2 slurmctld munged
    # Whatever still carries this cluster's name: steps that outlived their daemon, and their jobs.
    for environ in /proc/[0-9]*/environ; do
        pid=${environ//[!0-9]/}
        [ "$pid" != $$ ] && grep -qzxF "SLURM_CONF=$SLURM_CONF" "$environ" 2>/dev/null && kill -9 "$pid" 2>/dev/null
    done
}

mkdir -p "$dir"/{munge,state,spool,run,log}
trap stop EXIT
trap 'exit 130' INT TERM HUP
start_munge
up=''
for try in 1 2 3 4 5; do
    # A port may be taken: another one.
    if start $((20000 + (RANDOM + try * 7919) % 9990)); then up=1 && break; fi
    stop_daemons slurmd.tcs1 slurmd.tcs2 slurmctld
done
[ -n "$up" ] || { echo "Slurm did not start:" >&2; tail -n 20 "$dir"/log/* >&2; exit 1; }
echo up
cat >/dev/null
