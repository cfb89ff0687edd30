"""The SMTP port in iptables and ip6tables: a chain of this migration's own, and one jump to it.

Everything goes through iptables-save and iptables-restore, which every release has and which commit at
once. The name and the addresses come in checked, from `migrator.net.firewall`.
"""

from collections.abc import Sequence

# A neighbour beyond the link can reach this host by IPv6: columns of /proc/net/if_inet6 are address, index,
# prefix length, scope, flags, interface, and scope 20 is the link's own.
_FUNCTIONS = """has_ipv6() {
    [ -r /proc/net/if_inet6 ] &&
        awk '$6 != "lo" && $4 != "20" { found = 1 } END { exit !found }' /proc/net/if_inet6
}
restore() {
    wait=
    if "$1-restore" --help 2>&1 | grep -q -e --wait; then wait='-w 10'; fi
    "$1-restore" --noflush $wait >/dev/null
}
unjump() {
    printf '%s\\n' "$rules" | sed -n "s/^-A INPUT -j $chain *\\$/-D INPUT -j $chain/p"
}
"""

_CLOSE = """close_family() {
    rules=$("$1-save" -t filter) || return 1
    {
        printf '%s\\n' '*filter' ":$chain - [0:0]" "-A $chain -i lo -j RETURN"
        for address in $2; do printf '%s\\n' "-A $chain -s $address -j RETURN"; done
        printf '%s %s\\n' "-A $chain -p tcp -m tcp --dport 25 --tcp-flags FIN,SYN,RST,ACK SYN" \\
            '-j REJECT --reject-with tcp-reset'
        unjump
        printf '%s\\n' "-I INPUT 1 -j $chain" COMMIT
    } | restore "$1"
}
"""

_OPEN = """open_family() {
    rules=$("$1-save" -t filter) || return 1
    {
        printf '%s\\n' '*filter'
        unjump
        printf '%s\\n' "$rules" | sed -n "/^:$chain /{s/.*/-F $chain/p;s/.*/-X $chain/p;}"
        printf '%s\\n' COMMIT
    } | restore "$1"
}
"""

_STATE = """family_state() {
    rules=$("$1-save" -t filter) || return 1
    word=open
    if printf '%s\\n' "$rules" | grep -q -e "^-A INPUT -j $chain *\\$" &&
        printf '%s\\n' "$rules" | grep -q -e "^-A $chain .*-j REJECT"
    then word=closed; fi
    allowed=$(printf '%s\\n' "$rules" |
        sed -n "s/^-A $chain -s \\([0-9a-f:.]*\\)[0-9/]* -j RETURN *\\$/\\1/p")
}
family_state iptables || exit 1
four=$word passing=$allowed
if has_ipv6; then family_state ip6tables || exit 1
elif ! family_state ip6tables 2>/dev/null; then word=$four allowed=; fi
set -- $passing $allowed
if [ "$four" != "$word" ]; then echo partly closed
elif [ "$word" = closed ] && [ $# -gt 0 ]; then echo "closed except $*"
else echo "$word"; fi
"""


def close(name: str, addresses: Sequence[str]) -> str:
    """Return the script that fills the chain anew and jumps to it, each family in one transaction.

    Where the host has no IPv6 address beyond its own link, a missing or unusable ip6tables is no failure.
    """
    four = " ".join(address for address in addresses if ":" not in address)
    six = " ".join(address for address in addresses if ":" in address)
    return (
        f"chain=MIGRATE25_{name}\n{_FUNCTIONS}{_CLOSE}"
        f"if has_ipv6; then close_family ip6tables '{six}' || exit 1\n"
        f"else close_family ip6tables '{six}' >/dev/null 2>&1 || :; fi\n"
        f"close_family iptables '{four}'\n"
    )


def open_again(name: str) -> str:
    """Return the script that takes jump and chain away from both families, and fails where one stays."""
    return (
        f"chain=MIGRATE25_{name}\n{_FUNCTIONS}{_OPEN}status=0\n"
        "open_family iptables || status=1\n"
        "if has_ipv6; then open_family ip6tables || status=1\n"
        "else open_family ip6tables >/dev/null 2>&1 || :; fi\n"
        "exit $status\n"
    )


def state(name: str) -> str:
    """Return the script that prints `open`, `partly closed`, `closed` or `closed except ADDRESS …`."""
    return f"chain=MIGRATE25_{name}\n{_FUNCTIONS}{_STATE}"


def works() -> str:
    """Return a shell command that succeeds where iptables can be read and written; it changes nothing."""
    return "iptables-save -t filter >/dev/null 2>&1 && command -v iptables-restore >/dev/null\n"
