"""The message of a smoke test, and what the Received lines of one that arrived say of its way."""

import email.utils
import re
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import NamedTuple

from migrator import host_text
from migrator.errors import SmtpError

MARK_HEADER = "X-Migrate-Token"
_TOKEN = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ADDRESS = re.compile(r"(?!-)[\x21-\x7e]{1,254}")
_FORBIDDEN = frozenset('<>()[]\\,;:"')
_BRACKETED = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f:.]+)\]")
_LOOKED_UP = re.compile(r"(?:[^\s@\[]+@)?([A-Za-z0-9._-]+)(?=\s|$)")
_RECEIVED = re.compile(r"^Received:[ \t]*(.*(?:\r?\n[ \t]+.*)*)", re.IGNORECASE | re.MULTILINE)
_BLANK = re.compile(r"\r?\n[ \t]*\r?\n")
_MOST_HOPS = 100


class Hop(NamedTuple):
    """One Received line: what the sender called itself, its looked-up name, its address, and the receiving host.

    What a line does not say is "".
    """

    helo: str
    name: str
    address: str
    by: str


def checked_address(text: str) -> str:
    """Return a mail address that is safe in an SMTP command and in a header.

    It may be a bare local part (RFC 5321, 4.5.1 has postmaster); quoted local parts and non-ASCII are not taken.
    Raise SmtpError where it is none.
    """
    local, at, domain = text.rpartition("@")
    good = _ADDRESS.fullmatch(text) and not _FORBIDDEN & set(text) and (not at or (local and domain))
    if not good or "@" in local:
        raise SmtpError("not a mail address", expected="user@domain in plain ASCII", seen=repr(text))
    return text


def smoke_message(token: str, sender: str, recipient: str, date: datetime) -> bytes:
    """Return a short message that can be told from any other by `token`, with CRLF line ends.

    `date` is aware. Raise SmtpError where the token is not made of letters, digits and `._-`, or an address is none.
    """
    if not _TOKEN.fullmatch(token):
        raise SmtpError("a token is letters, digits and ._- only", seen=repr(token))
    # Nothing is folded or encoded: the token must be found as it is. The limit is that of RFC 5321, 4.5.3.1.6.
    message = EmailMessage(policy=SMTP.clone(max_line_length=998))
    message["From"] = checked_address(sender) if sender else "MAILER-DAEMON"
    message["To"] = checked_address(recipient)
    message["Date"] = email.utils.format_datetime(date)
    message["Subject"] = f"Test of the mail server ({token})"
    domain = sender.rpartition("@")[2] or "localhost"
    message["Message-ID"] = f"<{token}.{date.timestamp():.6f}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"  # so that no vacation program answers (RFC 3834)
    message[MARK_HEADER] = token
    message.set_content(
        f"A test of the mail server while it moves to another host.\nIt can be deleted. {token}\n",
        cte="7bit",
    )
    return message.as_bytes()


def received_hosts(raw: bytes, holding: str = "") -> Sequence[Hop]:
    """Return the hops of a message's header, the last one (the top line) first.

    Only the header counts: text of the body that looks like a Received line does not. `raw` may also be a piece of
    an mbox file that begins in an earlier message: then the header is the first block of lines with a Received
    line, or, given `holding` (the message's token), the first that holds that as well.
    """
    text = raw.decode("utf-8", "surrogateescape")
    for block in _BLANK.split(text):
        lines = _RECEIVED.findall(block)
        if lines and holding in block:
            return tuple(_hop(" ".join(host_text.words(line))) for line in lines[:_MOST_HOPS])
    return ()


def _hop(line: str) -> Hop:
    """Read one unfolded Received line, whose form is RFC 5321, 4.4, with Sendmail's comment after the name."""
    line = line.rpartition(";")[0] or line
    source, _, rest = line.partition(" by ")
    if line.startswith("by "):
        source, rest = "", line.removeprefix("by ")
    helo = source.removeprefix("from ").split(" ")[0] if source.startswith("from ") else ""
    comment = re.search(r"\(([^()]*)", source)
    said = comment[1].removeprefix("from ") if comment else ""
    address = _BRACKETED.search(said or source)
    name = _LOOKED_UP.match(said)
    return Hop(helo, name[1] if name else "", address[1] if address else "", rest.split(" ")[0])
