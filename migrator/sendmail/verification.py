"""What Sendmail would do with an address: `sendmail -bv` (sendmail(8), "Verify mode").

sendmail/deliver.c prints `ADDRESS... deliverable: mailer M, host H, user U`, without a host for local
mailers; an alias is printed as what it leads to, not as what was asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from migrator.sendmail.text_error import TextError

_ADDRESS = re.compile(r"[A-Za-z0-9_+=&~^*/?{}!%][A-Za-z0-9._+=&~^*/?{}!%-]*(@[A-Za-z0-9._-]+)?")
_LINE = re.compile(r"(.*?)\.\.\. (.*)", re.DOTALL)
_DELIVERABLE = re.compile(r"deliverable: mailer (\S+?), (?:host (.*?), )?user (.*)", re.DOTALL | re.ASCII)

_HOST = re.compile(r"\[(?:ipv6:)?([^\[\]]+)\]|[^\[:,]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one address: its mailer, host ("" for none) and user; or in `error` why not."""

    address: str
    mailer: str = ""
    host: str = ""
    user: str = ""
    error: str = ""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts in the order of trial; an address without brackets and tag, in the shortest form.

        Sendmail prints the list as mailertable has it, and in lower case (`[ipv6:2001:db8::20]`).
        """
        return tuple(_host(found[1] or found[0]) for found in _HOST.finditer(self.host))


def checked_addresses(addresses: Sequence[str]) -> tuple[str, ...]:
    """Given addresses to verify, return them. Raise TextError for one that `sendmail -bv` could
    misunderstand.

    A blank or a comma makes two addresses of one, `-` an option, and quotes a line that reads like another
    answer.
    """
    for address in addresses:
        if ".." in address or not _ADDRESS.fullmatch(address):
            raise TextError(f"{address!r} is no plain mail address")
    return tuple(addresses)


def parse(output: str) -> tuple[Verdict, ...]:
    """Given what `sendmail -bv` printed, return the verdicts in its order, without its warnings."""
    found = (_LINE.fullmatch(line.rstrip("\r")) for line in output.split("\n"))
    return tuple(_verdict(line[1], line[2]) for line in found if line)


def verdict_on(output: str, address: str) -> Verdict | None:
    """Given what `sendmail -bv` printed, return the verdict on an address in any case, None if it has none.

    An alias has none: what it leads to has one.
    """
    return next((verdict for verdict in parse(output) if verdict.address.lower() == address.lower()), None)


def _verdict(address: str, message: str) -> Verdict:
    found = _DELIVERABLE.fullmatch(message)
    if not found:
        return Verdict(address, error=message)
    return Verdict(address, found[1], found[2] or "", found[3])


def _host(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return text.lower()
