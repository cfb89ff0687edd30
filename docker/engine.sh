#!/bin/bash
# Makes a Docker engine answer: the one that runs, or, for root on Debian or Ubuntu, the distribution's own.
set -euo pipefail

readonly WAIT_SECONDS=60
readonly ENGINE_LOG=${ENGINE_LOG:-/var/log/dockerd.log}

say() { printf '%s\n' "docker/engine.sh: $*" >&2; }

answers() { command -v docker >/dev/null && timeout 10 docker info --format '{{.ServerVersion}}' >/dev/null 2>&1; }

install_engine() {
    command -v apt-get >/dev/null || {
        say "no Docker engine answers and this is no Debian or Ubuntu: install Docker, start it, and try again."
        exit 1
    }
    say "installing the distribution's Docker engine"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends docker.io iptables >/dev/null
}

start_engine() {
    if [ -d /run/systemd/system ]; then
        systemctl start docker
        return
    fi
    say "starting dockerd in the background; its log is $ENGINE_LOG"
    # A pid file of an engine that was killed keeps the next one from starting.
    if ! pgrep -x dockerd >/dev/null; then rm -f /run/docker.pid /run/docker/containerd/containerd.pid; fi
    # 9>&- : a lock that the caller holds must not live on in the engine.
    setsid nohup "$(command -v dockerd)" >>"$ENGINE_LOG" 2>&1 </dev/null 9>&- &
}

wait_for_engine() {
    local deadline=$((SECONDS + WAIT_SECONDS))
    until answers; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            say "dockerd did not answer within $WAIT_SECONDS s; the end of its log:"
            tail -n 20 "$ENGINE_LOG" >&2 || true
            exit 1
        fi
        sleep 0.3
    done
}

if answers; then exit 0; fi
if [ "$(id -u)" -ne 0 ]; then
    say "no Docker engine answers to $(id -un): start one, or join its group (usermod -aG docker $(id -un)), or run this as root."
    exit 1
fi
# Two builds that start at once must not start two engines.
exec 9>/run/lock/migrate-lab-engine
flock 9
if answers; then exit 0; fi
export PATH="$PATH:/usr/sbin:/sbin"
command -v dockerd >/dev/null && command -v iptables >/dev/null || install_engine
start_engine
wait_for_engine
