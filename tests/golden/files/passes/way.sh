home=$(getent passwd "${SUDO_USER:-$(id -un)}" | cut -d : -f 6)
ciphers=$(cat "$home/.ssh/migrate-example-mail.ciphers" 2>/dev/null) || ciphers=
if [ -e /var/lib/migrate/example-mail/ciphers-unknown ]; then ciphers=; fi
if ! ssh -O check -o ControlPath=/var/lib/migrate/example-mail/way root@198.51.100.10 </dev/null >/dev/null 2>&1; then
    if ! ssh -G -o Ciphers="$ciphers" localhost >/dev/null 2>&1 </dev/null; then
        ciphers=
        (umask 077; mkdir -p /var/lib/migrate/example-mail && : >/var/lib/migrate/example-mail/ciphers-unknown)
    fi
    rm -f /var/lib/migrate/example-mail/way
    (
        umask 077
        mkdir -p /var/lib/migrate/example-mail
        cd / || exit 1
        exec setsid ssh -f -N -o ControlMaster=yes -o ControlPersist=600 -o "BatchMode=yes" -o "IdentitiesOnly=yes" -o "ControlPath=/var/lib/migrate/example-mail/way" -o "ControlMaster=no" -o "StrictHostKeyChecking=yes" -o "VerifyHostKeyDNS=no" -o "ClearAllForwardings=yes" -o "ForwardAgent=no" -o "UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts" -o "GlobalKnownHostsFile=/dev/null" -o "ConnectTimeout=15" -o "ServerAliveInterval=15" -o "ServerAliveCountMax=4" -i "$home/.ssh/migrate-example-mail" ${ciphers:+-o "Ciphers=$ciphers"} -p 22 root@198.51.100.10
    ) </dev/null >/dev/null 2>&1 9>&- || :
fi
home=$(getent passwd "${SUDO_USER:-$(id -un)}" | cut -d : -f 6)
ciphers=
ssh -o "BatchMode=yes" -o "IdentitiesOnly=yes" -o "ControlPath=none" -o "ControlMaster=no" -o "StrictHostKeyChecking=yes" -o "VerifyHostKeyDNS=no" -o "ClearAllForwardings=yes" -o "ForwardAgent=no" -o "UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts" -o "GlobalKnownHostsFile=/dev/null" -o "ConnectTimeout=15" -o "ServerAliveInterval=15" -o "ServerAliveCountMax=4" -i "$home/.ssh/migrate-example-mail" ${ciphers:+-o "Ciphers=$ciphers"} -p 22 root@198.51.100.10 migrate-hello </dev/null
ssh -O exit -o ControlPath=/var/lib/migrate/example-mail/way root@198.51.100.10 </dev/null >/dev/null 2>&1 || :
rm -f /var/lib/migrate/example-mail/way
