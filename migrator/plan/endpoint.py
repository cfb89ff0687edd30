"""Where ssh goes: user@host[:port], [IPv6]:port, or an alias of ssh_config."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address, ip_address

_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]*")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_BRACKETED = re.compile(r"\[([^\]]*)\](?::(.*))?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The parts of an ssh destination; user "" and port None are left to ssh_config, as OpenSSH does."""

    user: str
    host: str
    port: int | None

    @property
    def is_address(self) -> bool:
        """Return whether the host is an IPv4 or IPv6 address rather than a name or an alias."""
        try:
            ip_address(self.host)
        except ValueError:
            return False
        return True


def parse_endpoint(text: str) -> Endpoint:
    """Given `user@host[:port]` with the user optional and IPv6 in brackets, return its parts.

    Raises ValueError for anything that ssh could take for an option, or that holds a space or a control
    character.
    """
    user, at, place = text.rpartition("@")
    if at and not _USER.fullmatch(user):
        raise ValueError(
            "the user before @ may hold letters, digits and . _ @ + -, and not begin with a dash"
        )
    host, port = split_port(place)
    return Endpoint(user, host, port)


def split_port(place: str) -> tuple[str, int | None]:
    """Given `host`, `host:port`, `[IPv6]` or `[IPv6]:port`, return host and port (None: not given).

    Raises ValueError for a host that is none, or a port outside 1 to 65535.
    """
    bracketed = _BRACKETED.fullmatch(place)
    if bracketed:
        return _ipv6(bracketed[1]), _port(bracketed[2])
    if place.count(":") > 1:
        raise ValueError("an IPv6 address stands in brackets: [2001:db8::10] or [2001:db8::10]:22")
    host, colon, port = place.partition(":")
    if not _HOST.fullmatch(host):
        raise ValueError("the host may hold letters, digits and . _ -, and not begin with a dash")
    return host, _port(port if colon else None)


def _ipv6(text: str) -> str:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        raise ValueError("what stands in brackets is no IPv6 address") from None
    if address.scope_id:
        raise ValueError("an address with a zone (%…) means something on one machine only")
    return str(address)


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError("a port is a number from 1 to 65535")
    return int(text)
