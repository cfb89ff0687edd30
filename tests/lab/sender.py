"""One try to hand over a message, and the sender's idea of where to."""

from __future__ import annotations

import smtplib
import threading
import time
from dataclasses import dataclass, field

import dns.exception
import dns.resolver

from tests.lab.message import Message
from tests.lab.place import Place

MAIL_HOST = "mail.example.test"
CACHE_SECONDS = 2.0
"""Senders with a fresh cache keep an answer no longer, so that a run of minutes shows what takes hours outside."""
TIMEOUT_SECONDS = 10.0


class RefusedError(Exception):
    """A host answered with a code that is no success; `code` is that of RFC 5321, section 4.2."""

    def __init__(self, code: int, answer: bytes) -> None:
        super().__init__(f"{code} {answer.decode(errors='replace')}")
        self.code = code


@dataclass
class AddressBook:
    """What senders believe: the old address for ever, or what the name server said a moment ago."""

    place: Place
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _address: str = ""
    _expires: float = 0.0

    def address(self, stale: bool) -> str:
        """Return where to connect. Raise DNSException where the name server does not tell."""
        if stale:
            return self.place.old
        with self._lock:
            if time.monotonic() >= self._expires:
                self._ask()
            return self._address

    def _ask(self) -> None:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = [self.place.dns]
        answer = resolver.resolve(MAIL_HOST, "A", lifetime=TIMEOUT_SECONDS)
        self._address = str(next(iter(answer)))
        self._expires = time.monotonic() + min(CACHE_SECONDS, float(answer.rrset.ttl if answer.rrset else 0))


def attempt(message: Message, book: AddressBook) -> bool:
    """Try once, and note in the message what came of it; return whether the sender is done with it."""
    address = ""
    try:
        address = book.address(message.stale)
        hand_over(message, address)
    except RefusedError as refusal:
        if refusal.code >= 500:
            message.rejected = str(refusal)
            return True
        trouble = str(refusal)
    except (OSError, smtplib.SMTPException, dns.exception.DNSException) as error:
        trouble = f"{type(error).__name__}: {error}"
    else:
        message.accepted_by = address
        message.accepted_at = time.time()
        return True
    message.refusals += 1
    message.last_trouble = f"{trouble} ({address or 'no address'} at {time.time():.1f})"
    return False


def hand_over(message: Message, address: str) -> None:
    """Say the dialogue of one message. Raise RefusedError, OSError or SMTPException where it does not end in 250."""
    with smtplib.SMTP(local_hostname="senders.outside.test", timeout=TIMEOUT_SECONDS) as client:
        expect(client.connect(address, 25), 220)
        expect(client.ehlo(), 250)
        expect(client.mail("sender@outside.test"), 250)
        expect(client.rcpt(message.recipient), 250)
        if message.linger:
            time.sleep(message.linger)
        expect(send_content(client, message), 250)


def send_content(client: smtplib.SMTP, message: Message) -> tuple[int, bytes]:
    """Send DATA and the content; a line that breaks after it leaves the sender without knowing."""
    try:
        return client.data(message.content())
    except smtplib.SMTPDataError as error:
        raise RefusedError(error.smtp_code, bytes_of(error.smtp_error)) from error
    except (OSError, smtplib.SMTPException):
        message.unanswered += 1
        raise


def bytes_of(text: str | bytes) -> bytes:
    """Return the text of an answer, which smtplib gives in either form."""
    return text.encode() if isinstance(text, str) else text


def expect(answer: tuple[int, bytes], code: int) -> None:
    """Raise RefusedError where the answer has another code."""
    if answer[0] != code:
        raise RefusedError(*answer)
