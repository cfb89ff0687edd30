"""Shell text that closes and opens the incoming SMTP port of a host: POSIX sh, for nft and for iptables.

Only new connections are rejected, with a TCP reset, so a sender learns at once and retries; sessions that
are open go on to their end. Loopback is never touched: the submission program hands its queue to the local
port 25. Each script sets an absolute state, so it may run any number of times, and replaces an earlier rule
set in one transaction.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from migrator import host_text
from migrator.errors import MigrateError
from migrator.net import iptables, nft

Tool = Literal["nft", "iptables"]

OPEN = "open"
CLOSED = "closed"
PARTLY = "partly closed"
"""One address family is closed and the other is not."""

_SEARCH_PATH = "PATH=$PATH:/usr/sbin:/sbin\n"
# A chain name of iptables holds at most 28 characters, of which its prefix takes ten.
_LONGEST_NAME = 18


@dataclass(frozen=True, slots=True)
class PortState:
    """What the firewall of one host does to new SMTP connections.

    `allowed` are the addresses that still pass.
    """

    word: str
    allowed: tuple[str, ...] = ()

    @property
    def closed(self) -> bool:
        """Whether new connections are rejected over every address family the host has."""
        return self.word == CLOSED


def close_script(tool: Tool, name: str, allowed: Sequence[str] = ()) -> str:
    """Given the host's tool and the migration's name, return the script that closes port 25,
    except to `allowed`.

    Raise MigrateError where one of `allowed` is not an address.
    """
    close = nft.close if tool == "nft" else iptables.close
    return _SEARCH_PATH + close(rule_name(name), checked_addresses(allowed))


def open_script(tool: Tool, name: str) -> str:
    """Return the script that takes this migration's rules away; the host's own rules are as they were."""
    open_again = nft.open_again if tool == "nft" else iptables.open_again
    return _SEARCH_PATH + open_again(rule_name(name))


def state_script(tool: Tool, name: str) -> str:
    """Return the script that prints one line for `parse_state`."""
    state = nft.state if tool == "nft" else iptables.state
    return _SEARCH_PATH + state(rule_name(name))


def detect_script() -> str:
    """Return the script that prints the tool that works on the host: `nft`, `iptables` or `none`."""
    return (
        f"{_SEARCH_PATH}if {nft.works()}then echo nft\n"
        f"elif {iptables.works()}then echo iptables\nelse echo none; fi\n"
    )


def closed_text(allowed: Sequence[str] = ()) -> str:
    """Return what the state script prints once a close script with the same `allowed` has run."""
    addresses = checked_addresses(allowed)
    return f"{CLOSED} except {' '.join(addresses)}" if addresses else CLOSED


def parse_state(text: str) -> PortState:
    """Given what the state script printed, return the state. Raise MigrateError for any other text."""
    line = host_text.stripped(text)
    if line in (OPEN, CLOSED, PARTLY):
        return PortState(line)
    word, found, addresses = line.partition(" except ")
    if word != CLOSED or not found:
        raise MigrateError(
            "the firewall's state cannot be read", expected="open, closed or closed except", seen=text
        )
    return PortState(CLOSED, checked_addresses(host_text.words(addresses)))


def checked_addresses(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses once each in their canonical form, IPv4 first.

    Raise MigrateError for what is none.
    """
    checked: set[ipaddress.IPv4Address | ipaddress.IPv6Address] = set()
    for text in addresses:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            raise MigrateError("not an IP address", expected="an IPv4 or IPv6 address", seen=text) from None
        if isinstance(address, ipaddress.IPv6Address):
            if address.scope_id:
                raise MigrateError("an address with a zone cannot stand in a firewall rule", seen=text)
            checked.add(address.ipv4_mapped or address)
        else:
            checked.add(address)
    return tuple(str(address) for address in sorted(checked, key=lambda one: (one.version, int(one))))


def rule_name(name: str) -> str:
    """Return a migration's name as it stands in rules: at most 18 of `[a-z0-9_]`, long names kept apart."""
    plain = re.sub(r"[^a-z0-9_]", "_", name.lower()) or "_"
    if len(plain) <= _LONGEST_NAME:
        return plain
    return f"{plain[: _LONGEST_NAME - 7]}_{sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:6]}"
