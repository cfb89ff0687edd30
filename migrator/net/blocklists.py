"""Whether a blocklist of addresses in the DNS works: by the two entries that RFC 5782 (section 5) demands of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

TODAY = ("zen.spamhaus.org", "bl.spamcop.net", "psbl.surriel.com")
"""Lists that answer at the time of writing; dial-up addresses, once dul.dnsbl.sorbs.net, are in zen.spamhaus.org."""

_ZONE = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
_LISTED = "2.0.0.127"
_UNLISTED = "1.0.0.127"


class Health(Enum):
    """What became of the test entries of a list."""

    ANSWERS = "answers"
    DEAD = "does not list its test entry: it is dead, or it does not answer this resolver"
    ALL = "lists every address, or refuses this resolver with an answer: it would reject all mail"


@dataclass(frozen=True, slots=True)
class Questions:
    """The names to look up for one list."""

    listed: str
    unlisted: str


def checked_zone(zone: str) -> str:
    """Given the name of a list, return it in lower case. Raises ValueError for what is no domain name."""
    name = zone.lower().rstrip(".")
    if len(name) > 200 or not _ZONE.fullmatch(name):
        raise ValueError(f"{zone!r} is no name of a blocklist")
    return name


def questions(zone: str) -> Questions:
    """Given a list, return the names of its test entries: 127.0.0.2 is listed, 127.0.0.1 is not."""
    return Questions(f"{_LISTED}.{zone}", f"{_UNLISTED}.{zone}")


def health(zone: str, addresses: Mapping[str, tuple[str, ...]]) -> Health:
    """Given a list and what each of its names resolved to, return whether it can be used."""
    asked = questions(zone)
    found = addresses.get(asked.listed, ())
    if addresses.get(asked.unlisted, ()) or any(address.startswith("127.255.255.") for address in found):
        return Health.ALL
    return Health.ANSWERS if any(address.startswith("127.") for address in found) else Health.DEAD
