#!/bin/bash
# A mail host: `old` has mail and the web server, `new` has the same accounts and empty mailboxes.
set -euo pipefail

readonly role=$1
here=$(dirname "$0")

resolve_by_the_lab() { printf 'nameserver %s.53\noptions timeout:1 attempts:2\n' "$LAB_NET" >/etc/resolv.conf; }

publish_host_key() {
    local others
    # Both hosts do this at about the same time, and again whenever they are started.
    exec 9>>"$LAB_STATE/known_hosts"
    flock 9
    others=$(grep -v "^$1 " "$LAB_STATE/known_hosts" || true)
    printf '%s\n' ${others:+"$others"} "$1 $(cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)" \
        >"$LAB_STATE/known_hosts"
    exec 9>&-
}

admit_operator() {
    if [ ! -s /etc/ssh/ssh_host_ed25519_key ]; then
        ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
    fi
    install -d -m 700 /root/.ssh
    install -m 600 "$LAB_STATE/operator.pub" /root/.ssh/authorized_keys
    install -d -m 700 -o admin -g admin /home/admin/.ssh
    install -m 600 -o admin -g admin "$LAB_STATE/operator.pub" /home/admin/.ssh/authorized_keys
    publish_host_key "$1"
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

fill() {
    admit_operator "$address"
    write_access
    if [ "$role" = old ]; then python3 "$here/seed.py" "${LAB_SEED:-10}"; fi
    if [ "$role" = new ]; then update-rc.d -f apache2 remove; fi
    touch "$filled"
}

forget_the_last_boot() {
    find /run /tmp -mindepth 1 -delete
    install -d -m 1777 /run/lock
}

start_what_is_enabled() {
    local link
    for link in /etc/rc2.d/S*; do "$link" start; done
}

# A container that is started again is a host that boots: it keeps its mail, its configuration and its queues.
readonly filled=/var/lib/lab-filled
forget_the_last_boot
resolve_by_the_lab
if [ ! -e "$filled" ]; then fill; fi
rsyslogd
start_what_is_enabled
touch /run/lab-ready
exec sleep infinity
