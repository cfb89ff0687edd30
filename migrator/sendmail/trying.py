"""How a mailer rewrites a sender: `/tryflags` and `/try` of address test mode.

The commands are those of the Sendmail Installation and Operation Guide (chapter 2, "Address test mode").
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from migrator.sendmail.text_error import TextError
from migrator.sendmail.verification import checked_addresses

_TRYING = re.compile(r"^(?:> )*Trying (header|envelope) sender address (\S+) for mailer \S+$", re.MULTILINE)
_RESULT = re.compile(r"^Rcode = (\d+), addr = (.*)$", re.MULTILINE)


def questions(addresses: Sequence[str], mailer: str = "esmtp") -> str:
    """Given sender addresses and a mailer, return the standard input for `sendmail -bt`: header, then envelope.

    Raise TextError for what is no plain address or no mailer.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", mailer):
        raise TextError(f"{mailer!r} is no mailer")
    tries = "".join(f"/try {mailer} {address}\n" for address in checked_addresses(addresses))
    return f"/tryflags HS\n{tries}/tryflags ES\n{tries}"


def answers(output: str) -> dict[str, tuple[str, str]]:
    """Given what test mode printed, return for each address what stands in the header and in the envelope.

    Raise TextError where an answer is missing; what Sendmail cannot rewrite is "".
    """
    found: dict[tuple[str, str], str] = {}
    tries = list(_TRYING.finditer(output))
    for number, one in enumerate(tries):
        end = tries[number + 1].start() if number + 1 < len(tries) else len(output)
        result = _RESULT.search(output, one.end(), end)
        if result is None:
            raise TextError(f"sendmail -bt gave no answer for {one[2]}")
        found[one[1], one[2]] = result[2].rstrip("\r") if result[1] == "0" else ""
    addresses = dict.fromkeys(address for _, address in found)
    try:
        return {address: (found["header", address], found["envelope", address]) for address in addresses}
    except KeyError as missing:
        raise TextError(f"sendmail -bt gave no answer for {missing}") from None
