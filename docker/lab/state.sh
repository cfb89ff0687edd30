#!/bin/bash
# Makes what a lab's containers and its operator share: the operator's ssh key and the TSIG secret. Old ones are kept.
set -euo pipefail
umask 077
mkdir -p "$LAB_STATE"
cd "$LAB_STATE"
# The hosts write their keys here when they start.
touch known_hosts
test -s operator || ssh-keygen -q -t ed25519 -N '' -C operator -f operator
test -s tsig.key || head -c 32 /dev/urandom | base64 >tsig.key
# Whoever started the lab owns its keys.
chown --reference=. operator operator.pub tsig.key known_hosts
