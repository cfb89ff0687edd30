#!/bin/bash
# A mail host: `old` has mail and the web server, `new` has the same accounts and empty mailboxes.
set -euo pipefail

readonly role=$1
here=$(dirname "$0")

resolve_by_the_lab() { printf 'nameserver %s.53\noptions timeout:1 attempts:2\n' "$LAB_NET" >/etc/resolv.conf; }

admit_operator() {
    ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
    install -d -m 700 /root/.ssh
    install -m 600 "$LAB_STATE/operator.pub" /root/.ssh/authorized_keys
    install -d -m 700 -o admin -g admin /home/admin/.ssh
    install -m 600 -o admin -g admin "$LAB_STATE/operator.pub" /home/admin/.ssh/authorized_keys
    # Appended by both hosts at about the same time: one short write each.
    printf '%s %s\n' "$1" "$(cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)" >>"$LAB_STATE/known_hosts"
}

write_access() {
    local key
    if [ "$role" = old ]; then cat "$here/mail/access.old" >>/etc/mail/access; fi
    {
        # All the lab's senders share the test machine's address, which stands for the whole outside world.
        printf '\n# the senders of the lab\n'
        for key in ClientRate ClientConn GreetPause; do printf '%s:%s.1\t0\n' "$key" "$LAB_NET"; done
    } >>/etc/mail/access
}

case "$role" in
    old) address=$LAB_NET.10 ;;
    new) address=$LAB_NET.20 ;;
esac

resolve_by_the_lab
admit_operator "$address"
mkdir -p /run/sshd
/usr/sbin/sshd
rsyslogd
write_access
if [ "$role" = old ]; then
    python3 "$here/seed.py" "${LAB_SEED:-10}"
    service apache2 start >/dev/null
fi
service sendmail start
touch /run/lab-ready
exec sleep infinity
