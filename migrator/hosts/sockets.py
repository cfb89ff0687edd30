"""Which TCP ports a host listens on, and at which addresses: from /proc/net/tcp and tcp6 (proc(5))."""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address

LISTING = "cat /proc/net/tcp /proc/net/tcp6 2>/dev/null || :\n"
"""The sh text whose output `listening` reads."""

Address = IPv4Address | IPv6Address

_ROW = re.compile(r"\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A ")


def listening(text: str) -> frozenset[tuple[Address, int]]:
    """Given what LISTING printed on a little-endian host, return the addresses and ports that are listened on."""
    found = (_ROW.match(line) for line in text.split("\n"))
    return frozenset((_address(row[1]), int(row[2], 16)) for row in found if row)


def answers(listened: Collection[tuple[Address, int]], address: str, port: int) -> bool:
    """Given what is listened on, return whether a connection to an address and port finds somebody.

    The unspecified address stands for all of its family, and that of IPv6 for IPv4 as well, as Linux does it.
    """
    wanted = ip_address(address)
    return any(
        at == port and (here == wanted or (here.is_unspecified and here.version >= wanted.version))
        for here, at in listened
    )


def _address(text: str) -> Address:
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    return ip_address(b"".join(words))
