"""What STARTTLS of a port 25 really offers (RFC 3207), measured by handshakes and not read in a file."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from migrator import host_text
from migrator.errors import SmtpError
from migrator.net.dialogue import Broken, Wire
from migrator.net.handshake import DHE, EVERY, VERSIONS, ServerAnswer, client_hello, read_answer

_HELO = "migrate.localdomain"


@dataclass(frozen=True, slots=True)
class Offer:
    """A server's answer to one hello; `offered` says whether it has STARTTLS at all."""

    offered: bool
    answer: ServerAnswer = field(default_factory=ServerAnswer)


def diffie_hellman(address: str, port: int = 25, *, timeout: float = 30.0) -> Offer:
    """Given where a server listens, return what it answers to a hello with nothing but DHE suites, up to TLS 1.2.

    Raises SmtpError where there is no dialogue: no connection, a refusal, silence for `timeout` seconds.
    """
    return _ask(address, port, VERSIONS["TLSv1.2"], DHE, timeout)


def protocols(address: str, port: int = 25, *, timeout: float = 30.0) -> dict[str, bool]:
    """Given where a server listens, return for each protocol whether it takes it; one connection each.

    Empty where it has no STARTTLS. Raises SmtpError as `diffie_hellman` does.
    """
    found: dict[str, bool] = {}
    for name, version in VERSIONS.items():
        offer = _ask(address, port, version, EVERY, timeout)
        if not offer.offered:
            return {}
        found[name] = offer.answer.version == version and offer.answer.suite != 0
    return found


def _ask(address: str, port: int, version: int, suites: tuple[int, ...], timeout: float) -> Offer:
    try:
        with socket.create_connection((address, port), timeout) as connection:
            wire = Wire(connection, timeout=timeout, total=2 * timeout)
            if not _started(wire):
                return Offer(False)
            connection.settimeout(timeout)
            connection.sendall(client_hello(version, suites))
            return Offer(True, _answer(connection))
    except (OSError, Broken) as error:
        raise _no_dialogue(address, port, str(error)) from error


def _started(wire: Wire) -> bool:
    """Return whether the server waits for a hello now. Raise Broken where it refuses to talk at all."""
    for phase, command in (("banner", ""), ("ehlo", f"EHLO {_HELO}")):
        reply = wire.ask(phase, command) if command else wire.reply(phase)
        if not reply.good:
            raise Broken(f"{phase} is answered with {reply.code} {reply.text}")
    if "STARTTLS" not in [host_text.stripped(line).upper() for line in reply.text.split("\n")]:
        return False
    return wire.ask("starttls", "STARTTLS").good


def _answer(connection: socket.socket) -> ServerAnswer:
    try:
        return read_answer(connection.recv)
    except ConnectionResetError:
        return ServerAnswer(alert="the server closed the connection")


def _no_dialogue(address: str, port: int, seen: str) -> SmtpError:
    return SmtpError(
        f"STARTTLS of {address} port {port} could not be measured",
        host="operator",
        expected="an SMTP dialogue as far as STARTTLS",
        seen=seen,
        advice="see that Sendmail listens there and that this machine reaches port 25; a 421 of a limit "
        "(ClientRate, ClientConn in the access map) passes after some minutes",
    )
