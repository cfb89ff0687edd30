#!/bin/bash
# Builds the lab's image once for each state of this directory, and prints its tag on standard output.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly BASE=debian:bookworm-slim
readonly PULL_SECONDS=${PULL_SECONDS:-60}

say() { printf '%s\n' "docker/images.sh: $*" >&2; }

digest() {
    # Only what the image is made of counts: a new comment in compose.yaml must not cost a build.
    find Dockerfile lab -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16
}

pull_base() { timeout "$PULL_SECONDS" docker pull -q "$BASE" >/dev/null 2>&1; }

make_base() {
    say "no registry answers: making $BASE from the distribution's archive"
    if [ "$(id -u)" -ne 0 ] && ! command -v mmdebstrap >/dev/null; then
        say "mmdebstrap is missing and only root can install it: apt-get install mmdebstrap"
        exit 1
    fi
    if ! command -v mmdebstrap >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            mmdebstrap debian-archive-keyring >/dev/null
    fi
    local scratch
    scratch=$(mktemp -d)
    # mmdebstrap drops its privileges for some of its work and must be able to enter.
    chmod 755 "$scratch"
    # Expanded now: the variable is local and gone when the trap runs.
    # shellcheck disable=SC2064
    trap "rm -rf '$scratch'" EXIT
    # The machine's own archive, however it is configured, where it is the same release.
    local sources=() options=() file
    if grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release && grep -qs '^ID=debian' /etc/os-release; then
        for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
            if [ -s "$file" ]; then sources+=("$file"); fi
        done
    fi
    for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
        if [ -f "$file" ] && grep -qE 'Acquire::(http|https|Check)' "$file"; then options+=("--aptopt=$file"); fi
    done
    mmdebstrap --quiet --variant=minbase --include=ca-certificates "${options[@]}" \
        bookworm "$scratch/base.tar" "${sources[@]}" >&2
    docker import "$scratch/base.tar" "$BASE" >/dev/null
}

build() {
    say "building $1 (two minutes the first time)"
    # The classic builder needs no plug-in and no registry; a newer client without one only warns.
    local log
    log=$(mktemp)
    if ! DOCKER_BUILDKIT=0 docker build --network host \
        --build-arg http_proxy --build-arg https_proxy --tag "$1" . >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        rm -f "$log"
        say "the build failed; its end is above"
        exit 1
    fi
    rm -f "$log"
}

tag=migrate-lab:$(digest)
present() { docker image inspect "$1" >/dev/null 2>&1; }

if ! present "$tag"; then
    exec 9>"${TMPDIR:-/tmp}/migrate-lab-images.$(id -u).lock"
    flock 9
    if ! present "$tag"; then
        present "$BASE" || pull_base || make_base
        build "$tag"
    fi
fi
printf '%s\n' "$tag"
