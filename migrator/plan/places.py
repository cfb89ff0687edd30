"""Names, addresses and paths in a plan: what later reaches a configuration file or a command line."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import PurePosixPath

from migrator.plan.endpoint import split_port
from migrator.plan.values import shown, text

_LONGEST = 254  # one more than a name may have (RFC 1035, section 2.3.4), so that cutting shows
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# IDNA 2003, which Python's codec speaks, turns these into others; IDNA 2008 keeps them (RFC 5894, 7.2).
_DISPUTED = frozenset("ßς\u200c\u200d")
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~][A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{0,63}")
# A final pass deletes what the old host lacks: in these folders that would be the new host's own.
_PROTECTED = tuple(
    f"{path}/"
    for path in (
        *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/tmp"),  # noqa: S108
        *(
            "/root/.ssh",
            "/usr/bin",
            "/usr/lib",
            "/usr/sbin",
            "/usr/share",
            "/var/cache",
            "/var/log",
            "/var/run",
        ),
        *("/var/lib/dpkg", "/var/lib/rpm", "/var/lib/systemd", "/var/spool/clientmqueue", "/var/spool/cron"),
        *("/var/spool/mqueue", "/var/spool/mqueue-client"),
    )
)


def domain(value: object) -> str:
    """Given a domain name in any script, return its A-labels (RFC 5890) in lower case, no dot at the end."""
    name = text(value).removesuffix(".")[:_LONGEST]
    if disputed := _DISPUTED & set(name):
        raise ValueError(f"{shown(value)}: write a name with {''.join(disputed)!a} as its xn-- form")
    try:
        name = name.encode("idna").decode("ascii").lower()
        name.encode("ascii").decode("idna")
    except UnicodeError:
        raise ValueError(f"{shown(value)} is not a domain name") from None
    labels = name.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or len(name) >= _LONGEST:
        raise ValueError(f"{shown(value)} is not a domain name")
    if len(labels) < 2 or labels[-1].isdecimal():
        raise ValueError(f"{shown(value)} is not a full domain name such as example.test")
    return name


def addresses(value: object) -> tuple[str, ...]:
    """Given an address, or a list of at most one IPv4 and one IPv6 address, return them in shortest form."""
    texts = value if isinstance(value, list) else [value]
    found = [_address(each) for each in texts]
    if not found:
        raise ValueError("needs at least one address")
    if len({each.version for each in found}) < len(found):
        raise ValueError("holds more than one IPv4 or more than one IPv6 address")
    return tuple(str(each) for each in found)


def _address(value: object) -> IPv4Address | IPv6Address:
    if value == "":
        raise ValueError("is empty: fill it in, or take the line away")
    try:
        address = ip_address(text(value))
    except ValueError:
        raise ValueError(f"{shown(value)} is not an IPv4 or IPv6 address") from None
    if address.is_unspecified or address.is_multicast or address.is_loopback or address.is_link_local:
        raise ValueError(f"{address} is no address that other mail servers could connect to")
    if isinstance(address, IPv6Address) and (address.ipv4_mapped or address.scope_id):
        raise ValueError(f"{address}: write the IPv4 address itself, and IPv6 without a zone")
    return address


def server(value: object) -> str:
    """Return a name server as it stands: a host name or an address, with [IPv6]:port or host:port as well."""
    place = text(value)
    try:
        ip_address(place)
    except ValueError:
        split_port(place)
    if "%" in place:
        raise ValueError("an address with a zone (%…) means something on one machine only")
    return place


def mailbox(value: object) -> str:
    """Given an address local@domain, return it with its domain as A-labels. "" stands for the default.

    Quoted local parts (RFC 5321, section 4.1.2) are refused: they would reach command lines.
    """
    if value == "":
        return ""
    local, at, name = text(value).rpartition("@")
    if (
        not at
        or not _LOCAL_PART.fullmatch(local)
        or ".." in local
        or local.startswith(".")
        or local.endswith(".")
    ):
        raise ValueError(f"{shown(value)} is not a mail address such as user@example.test")
    return f"{local}@{domain(name)}"


def host_path(value: object) -> str:
    """Return an absolute path on a host, without . and .. and empty folder names, and not the root folder."""
    path = text(value)
    if not path.startswith("/"):
        raise ValueError(f"{shown(value)} is not an absolute path")
    if ".." in path.split("/") or "." in path.split("/"):
        raise ValueError(f"{shown(value)} holds a . or .. folder")
    if "//" in path:
        raise ValueError(f"{shown(value)} holds an empty folder name (//)")
    if path == "/":
        raise ValueError("the root folder cannot be meant")
    return path


def folder(value: object) -> str:
    """Return an absolute path of a folder on a host, without a slash at its end."""
    return host_path(value).rstrip("/")


def target(value: object) -> str:
    """Return the path of a tree on the new host. Raises ValueError where deleting would hurt the system."""
    path = _as_folder(host_path(value))
    for protected in _PROTECTED:
        if path.startswith(protected) or protected.startswith(path):
            raise ValueError(
                f"{shown(value)}: the final pass deletes, and {protected.rstrip('/')} is the new host's own"
            )
    return text(value)


def overlaps(one: str, other: str) -> bool:
    """Return whether two paths are the same or one lies in the other."""
    first, second = _as_folder(one), _as_folder(other)
    return first.startswith(second) or second.startswith(first)


def _as_folder(path: str) -> str:
    return f"{PurePosixPath(path)}".rstrip("/") + "/"


def pattern(value: object) -> str:
    """Return an exclude pattern of rsync, refusing what it would read as a rule (rsync(1), FILTER RULES)."""
    if not text(value) or text(value).startswith(("+ ", "- ", "!")):
        raise ValueError(f"{shown(value)} is not a pattern; no '+ ', '- ' or '!' in front")
    return text(value)
