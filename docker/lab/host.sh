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
    write_access
    if [ "$role" = old ]; then python3 "$here/seed.py" "${LAB_SEED:-10}"; fi
    touch "$filled"
}

# A container that is started again keeps its mail and its configuration, and has pid files of dead processes.
readonly filled=/var/lib/lab-filled
rm -f /run/lab-ready /run/*.pid /run/sendmail/mta/sendmail.pid /run/apache2/apache2.pid
resolve_by_the_lab
admit_operator "$address"
mkdir -p /run/sshd
/usr/sbin/sshd
rsyslogd
if [ ! -e "$filled" ]; then fill; fi
if [ "$role" = old ]; then service apache2 start >/dev/null; fi
service sendmail start
touch /run/lab-ready
exec sleep infinity
