#!/bin/bash
# Runs once, while the image is built: accounts and the mail configuration that both mail hosts share.
set -euo pipefail
cd "$(dirname "$0")"

make_accounts() {
    local number user
    mkdir -p /var/www/web1/user /var/www/web1/mail
    for number in $(seq -w 1 20); do
        user=user$number
        useradd --no-create-home --user-group --uid "20$number" --shell /bin/bash \
            --home-dir "/var/www/web1/user/$user" "$user"
        install -d -o "$user" -g "$user" -m 755 "/var/www/web1/user/$user"
        # The first ten keep the mbox of the spool, the others are delivered to a Maildir.
        if [ "$((10#$number))" -gt 10 ]; then
            install -o "$user" -g "$user" -m 644 mail/procmailrc "/var/www/web1/user/$user/.procmailrc"
            install -d -o "$user" -g "$user" -m 700 "/var/www/web1/user/$user/Maildir"/{,cur,new,tmp}
        fi
    done
    useradd --create-home --uid 2100 --shell /bin/bash admin
    printf 'admin ALL=(ALL) NOPASSWD: ALL\n' >/etc/sudoers.d/admin
    chmod 440 /etc/sudoers.d/admin
}

configure_sendmail() {
    local mc=/etc/mail/sendmail.mc
    # Debian listens on the loopback only. Its limit of 15 connections a second is less than the probe opens, and its
    # load limits close the port on a busy test machine; the limits by client in access stay as Debian has them.
    sed -i -e '/Name=MTA-v4/s/, Addr=127.0.0.1//' \
        -e "s/\`confCONNECTION_RATE_THROTTLE', \`15'/\`confCONNECTION_RATE_THROTTLE', \`400'/" \
        -e '/^MAILER_DEFINITIONS/e cat mail/features.mc' "$mc"
    grep -q 'Name=MTA-v4, Port=smtp.)dnl' "$mc"
    grep -q 'local_procmail' "$mc"
    cp mail/local-host-names mail/virtusertable /etc/mail/
    cat mail/aliases >>/etc/aliases
    # Sendmail looks for its full name for a minute where it has none; this file is not kept in the image.
    printf '127.0.0.1 %s.localdomain %s localhost\n' "$(hostname)" "$(hostname)" >/etc/hosts
    # Debian's first pass learns of a new map and writes it into its Makefile; the second one builds it.
    make -s -C /etc/mail >/dev/null 2>&1
    make -s -C /etc/mail >/dev/null 2>&1
    test -s /etc/mail/virtusertable.db
}

configure_daemons() {
    local name
    # The name servers are hosts of their own, and a container has no clock to set.
    for name in named rsync sudo hwclock.sh; do update-rc.d -f "$name" remove; done
    # There is no kernel log to read in a container.
    sed -i '/imklog/d' /etc/rsyslog.conf
    printf '%s\n' 'PermitRootLogin prohibit-password' 'PasswordAuthentication no' 'UseDNS no' \
        'HostKey /etc/ssh/ssh_host_ed25519_key' >/etc/ssh/sshd_config.d/lab.conf
    printf 'ServerName localhost\n' >/etc/apache2/conf-available/name.conf
    cp web/webmail.conf /etc/apache2/sites-available/
    install -d /var/www/webmail
    printf '<h1>Web mail of example.test</h1>\n' >/var/www/webmail/index.html
    a2enconf -q name
    a2dissite -q 000-default
    a2ensite -q webmail
}

make_accounts
configure_daemons
configure_sendmail
