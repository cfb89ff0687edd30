"""The entries that a move writes into mailertable and access.

Sources: Sendmail's cf/README ("mailertable", "ANTI-SPAM CONFIGURATION CONTROL", "greet_pause", "ratecontrol",
"conncontrol"); sendmail/deliver.c (hostsignature) for lists of hosts; sendmail/daemon.c (anynet_ntop) for the
form in which an address is looked up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from migrator.sendmail.maps import Entry
from migrator.sendmail.text_error import TextError

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")


def mailertable_entry(domain: str, addresses: Sequence[str], *, mailer: str = "esmtp") -> Entry:
    """Given a domain and the new host's addresses, return the mailertable entry that relays its mail there.

    The addresses are tried in their order: deliver.c takes the next host of a list, parted by `:`, when one
    cannot be reached. Brackets mean that no MX is looked up. Raise TextError for what is no domain or no
    address.
    """
    if not addresses or not re.fullmatch(r"[a-z][a-z0-9_-]*", mailer):
        raise TextError(f"no address, or no mailer, to relay {domain!r} to: {mailer!r}")
    return Entry(checked_domain(domain), f"{mailer}:{':'.join(map(bracketed, addresses))}")


def as_verified(addresses: Sequence[str]) -> str:
    """Given addresses that a mailertable entry relays to, return the route as `sendmail -bv` prints it, in lower case.

    Raise TextError for what is no address.
    """
    return f"mailer esmtp, host {':'.join(map(bracketed, addresses)).lower()}"


def access_relay_entry(domain: str) -> Entry:
    """Given a domain, return the access entry that lets mail to it pass, and none from it.

    Without `To:` it would relay for senders who claim to be of the domain too. Raise TextError for no domain.
    """
    return Entry(f"To:{checked_domain(domain)}", "RELAY")


def exemption_entries(address: str) -> tuple[Entry, ...]:
    """Given the old host's address, return the access entries that spare it every check of connections.

    Connect: OK passes blocklists; 0 means no limit and no pause. Raise TextError for what is no address.
    """
    tags = (("Connect", "OK"), ("ClientRate", "0"), ("ClientConn", "0"), ("GreetPause", "0"))
    return tuple(Entry(f"{tag}:{form}", value) for form in address_keys(address) for tag, value in tags)


def address_keys(address: str) -> tuple[str, ...]:
    """Given an address, return the forms in which Sendmail may look it up in access.

    An IPv6 address is tagged, and written short or in full: UseCompressedIPv6Addresses decides, whose default
    changed in 8.15. An IPv4 address inside IPv6 is looked up as IPv4. Raise TextError for what is no address.
    """
    parsed = _parsed(address)
    if isinstance(parsed, IPv4Address):
        return (str(parsed),)
    full = ":".join(f"{int(group, 16):x}" for group in parsed.exploded.split(":"))
    return tuple(dict.fromkeys((f"IPv6:{parsed.compressed}", f"IPv6:{full}")))


def bracketed(address: str) -> str:
    """Given an address, return it as Sendmail names a host: [192.0.2.1], [IPv6:2001:db8::1].

    Raise TextError for what is no address.
    """
    return f"[{address_keys(address)[0]}]"


def checked_domain(domain: str) -> str:
    """Given a domain name in ASCII (IDNA), return it in lower case. Raise TextError for anything else."""
    if len(domain) > 253 or not _DOMAIN.fullmatch(domain):
        raise TextError(f"{domain!r} is no domain name")
    return domain.lower()


def _parsed(address: str) -> IPv4Address | IPv6Address:
    try:
        parsed = ip_address(address)
    except ValueError as error:
        raise TextError(f"{address!r} is no IP address") from error
    if isinstance(parsed, IPv4Address):
        return parsed
    if parsed.scope_id is not None:
        raise TextError(f"{address!r} is an address of one link only")
    return parsed.ipv4_mapped or parsed
