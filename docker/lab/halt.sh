#!/bin/bash
# What init does before a reboot: every service is stopped, and what still delivers may end.
set -uo pipefail

rm -f /run/lab-ready
for link in /etc/rc6.d/K*; do "$link" stop; done
# A delivery that is killed between the mailbox and the queue is made twice by Sendmail itself, whoever kills it.
while [ "$SECONDS" -lt 10 ] && pgrep -f '^sendmail: ' >/dev/null; do sleep 0.2; done
sync -f /var/spool
