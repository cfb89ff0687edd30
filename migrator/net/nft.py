"""The SMTP port in nftables: a table of this migration's own, so that the host's rules are never edited.

The name and the addresses come in checked, from `migrator.net.firewall`.
"""

from collections.abc import Sequence


def close(name: str, addresses: Sequence[str]) -> str:
    """Return the script that puts the closing table in place of any earlier one, in one transaction."""
    return _transaction(name, _table(name, addresses))


def open_again(name: str) -> str:
    """Return the script that takes the table away."""
    return _transaction(name, "")


def state(name: str) -> str:
    """Return the script that prints `open`, `closed` or `closed except ADDRESS …`."""
    return f"""tables=$(nft list tables) || exit 1
if ! printf '%s\\n' "$tables" | grep -q -x -e 'table inet migrate_{name}'; then echo open; exit 0; fi
rules=$(nft list table inet migrate_{name}) || exit 1
if ! printf '%s\\n' "$rules" | grep -q -e 'reject with tcp reset'; then echo open; exit 0; fi
passing='s/^[[:space:]]*ip6*  *saddr \\([0-9a-fA-F:.]*\\) .*accept.*/\\1/p'
allowed=$(printf '%s\\n' "$rules" | sed -n "$passing")
if [ -n "$allowed" ]; then echo closed except $allowed; else echo closed; fi
"""


def works() -> str:
    """Return a shell command that succeeds where nft would take the closing table; it changes nothing.

    A whole table is checked, since a kernel may know nft and yet lack its reject.
    """
    return f"nft -c -f - >/dev/null 2>&1 <<'RULES'\n{_table('check', ())}RULES\n"


def _table(name: str, addresses: Sequence[str]) -> str:
    passing = "".join(
        f"    {'ip6' if ':' in address else 'ip'} saddr {address} tcp dport 25 accept\n"
        for address in addresses
    )
    # The chain stands before the host's own (priority 0). Its "accept" ends only itself: theirs still decide.
    return f"""table inet migrate_{name} {{
  chain input {{
    type filter hook input priority -10; policy accept;
    iif "lo" accept
{passing}    tcp dport 25 tcp flags & (fin|syn|rst|ack) == syn reject with tcp reset
  }}
}}
"""


def _transaction(name: str, table: str) -> str:
    # Naming the table first creates it where it is absent, so that deleting it never fails.
    reset = f"table inet migrate_{name}\ndelete table inet migrate_{name}\n"
    return f"nft -f - >/dev/null <<'RULES'\n{reset}{table}RULES\n"
