"""One name server at one of its addresses, and how a plan names it."""

import ipaddress
import re
from dataclasses import dataclass

from migrator.errors import DnsError

DNS_PORT = 53
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")


@dataclass(frozen=True, slots=True, order=True)
class Server:
    """A name server; one with several addresses is several of these.

    `name` is its host name, or its address where it has no other name; `address` is "" where none was found.
    """

    name: str
    address: str
    port: int = DNS_PORT

    def __str__(self) -> str:
        place = self.address or "no address"
        if self.port != DNS_PORT:
            place = f"[{place}]:{self.port}" if ":" in place else f"{place}:{self.port}"
        return place if self.name == self.address and self.port == DNS_PORT else f"{self.name} ({place})"


PUBLIC_RESOLVERS = (
    Server("one.one.one.one", "1.1.1.1"),
    Server("dns.google", "8.8.8.8"),
    Server("dns.quad9.net", "9.9.9.9"),
)
"""The resolvers that are watched where the plan names none: three operators with caches of their own."""


def host_and_port(text: str) -> tuple[str, int]:
    """Given `host`, `host:port`, an IPv6 address or `[IPv6]:port`, return the host or address, and the port.

    Raise DnsError where it is none of these.
    """
    bracketed = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?", text)
    plain = re.fullmatch(r"([^:\[\]]+)(?::([0-9]{1,5}))?", text)
    if bracketed:
        host, port = bracketed.groups()
    elif plain:
        host, port = plain.groups()
    else:
        host, port = text, None
    number = int(port) if port is not None else DNS_PORT
    if not 0 < number < 65536 or not (is_address(host) or (not bracketed and _is_host_name(host))):
        raise DnsError(
            "this names no name server",
            expected="host, host:port, an address or [IPv6]:port",
            seen=repr(text),
        )
    return host.rstrip("."), number


def is_address(text: str) -> bool:
    """Return whether the text is an IPv4 or IPv6 address without a zone."""
    try:
        return not getattr(ipaddress.ip_address(text), "scope_id", None)
    except ValueError:
        return False


def _is_host_name(text: str) -> bool:
    # A last label of digits alone would be a mistyped IPv4 address (RFC 1123, 2.1).
    return bool(_HOST_NAME.fullmatch(text)) and not text.rstrip(".").rpartition(".")[2].isdigit()
