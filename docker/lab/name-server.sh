#!/bin/bash
# The name server of the lab: `dns` is the primary of every zone and takes TSIG updates, `secondary` copies it.
#
# LAB_SECONDARY=yes makes the primary name the secondary in its zones.
set -euo pipefail

readonly role=$1
readonly zones=/var/cache/bind
IFS=. read -r first second third <<<"$LAB_NET"
readonly reverse=$third.$second.$first.in-addr.arpa
readonly names=(example.test example2.test outside.test "$reverse" .)

start_zone() {
    printf '$TTL 3600\n@ SOA ns1.example.test. hostmaster.example.test. 1 3600 600 86400 60\n@ NS ns1.example.test.\n'
    if [ "${LAB_SECONDARY:-no}" = yes ]; then printf '@ NS ns2.example.test.\n'; fi
}

write_zones() {
    {
        start_zone
        printf 'ns1 A %s.53\nns2 A %s.54\n' "$LAB_NET" "$LAB_NET"
        printf '@ MX 10 mail\n@ TXT "v=spf1 mx ip4:%s.10 -all"\n' "$LAB_NET"
        printf 'mail 20 A %s.10\nwebmail A %s.10\nwebmail2 A %s.20\n' "$LAB_NET" "$LAB_NET" "$LAB_NET"
    } >"$zones/example.test.zone"
    { start_zone && printf '@ MX 10 mail.example.test.\n'; } >"$zones/example2.test.zone"
    { start_zone && printf '@ A %s.1\nsenders A %s.1\n@ MX 10 mx\nmx A %s.30\n' "$LAB_NET" "$LAB_NET" "$LAB_NET"; } \
        >"$zones/outside.test.zone"
    {
        start_zone
        printf '1 PTR senders.outside.test.\n10 PTR mail.example.test.\n20 PTR mail.example.test.\n'
        printf '53 PTR ns1.example.test.\n54 PTR ns2.example.test.\n'
    } >"$zones/$reverse.zone"
    # An empty root: a name outside the lab does not exist, at once, instead of after a time-out.
    { start_zone && printf 'ns1.example.test. A %s.53\nns2.example.test. A %s.54\n' "$LAB_NET" "$LAB_NET"; } >"$zones/..zone"
}

write_configuration() {
    local name notified=''
    if [ "$role" = dns ] && [ "${LAB_SECONDARY:-no}" = yes ]; then notified="also-notify { $LAB_NET.54; };"; fi
    printf 'options { directory "%s"; recursion no; allow-query { any; }; dnssec-validation no; session-keyfile none;\n' "$zones"
    printf '  listen-on-v6 { none; }; allow-transfer { %s.54; key lab.; }; notify explicit; %s };\n' \
        "$LAB_NET" "$notified"
    printf 'controls { };\nkey "lab." { algorithm hmac-sha256; secret "%s"; };\n' "$(cat "$LAB_STATE/tsig.key")"
    for name in "${names[@]}"; do
        if [ "$role" = dns ]; then
            printf 'zone "%s" { type primary; file "%s.zone"; allow-update { key lab.; }; };\n' "$name" "$name"
        else
            printf 'zone "%s" { type secondary; file "%s.copy"; primaries { %s.53; }; min-retry-time 1; max-retry-time 2; };\n' \
                "$name" "$name" "$LAB_NET"
        fi
    done
}

umask 027
write_configuration >/etc/bind/named.conf
chgrp bind /etc/bind/named.conf
if [ "$role" = dns ]; then write_zones; fi
chown -R bind: "$zones"
exec named -g -u bind -n 1 -c /etc/bind/named.conf
