#!/bin/bash
# The entry point: what this container is, told by its first argument.
#
#   old, new         the mail hosts
#   dns, secondary   the name servers
#   state            makes the keys that the others share, and ends
#
# LAB_NET is the first three numbers of the lab's network; LAB_STATE is the directory of the keys.
set -euo pipefail

export LAB_NET=${LAB_NET:-198.51.100}
export LAB_STATE=${LAB_STATE:-/lab-state}
here=$(dirname "$0")

case "${1:-}" in
    old | new) exec "$here/host.sh" "$1" ;;
    dns | secondary) exec "$here/name-server.sh" "$1" ;;
    state) exec "$here/state.sh" ;;
    *)
        printf 'entry.sh: a role is expected: old, new, dns, secondary or state\n' >&2
        exit 2
        ;;
esac
