"""A conversation with port 25 the way a person tests with telnet, kept line by line."""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from migrator.errors import SmtpError
from migrator.net.dialogue import Broken, Line, Reply, Wire
from migrator.net.message import Hop, checked_address, received_hosts, smoke_message

__all__ = ["Conversation", "Hop", "Line", "Reply", "converse", "received_hosts", "smoke_message"]

_HELO = re.compile(r"(?!-)[A-Za-z0-9.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\]|\[IPv6:[0-9A-Fa-f:.]{2,45}\]")
# Sendmail: "2.0.0 4AT2U1aB000123 Message accepted for delivery"; Postfix: "2.0.0 Ok: queued as 4F1A2B".
_QUEUE_ID = re.compile(r"([0-9A-Za-z]{6,20}) Message accepted|queued as ([0-9A-Za-z]{6,20})")


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was said, and what came of it.

    `accepted`: every recipient was, and the message too if there was one. `error` is why the dialogue could not be
    held to its end, None where it was, whatever the replies. `connected`: TCP came about. `uncertain`: the message
    was sent whole, and no reply says whether the server took it (RFC 1047).
    """

    address: str
    port: int
    lines: tuple[Line, ...]
    replies: tuple[Reply, ...]
    accepted: bool
    error: str | None = None
    connected: bool = True
    uncertain: bool = False

    @property
    def queue_id(self) -> str | None:
        """The id under which the server queued the message; None where it was not taken or names none."""
        reply = self.reply("message")
        found = _QUEUE_ID.search(reply.text) if reply and reply.good else None
        return (found[1] or found[2]) if found else None

    @property
    def deciding(self) -> Reply | None:
        """The reply that decided: the first that refused, else the last before QUIT; None where there was none."""
        told = [reply for reply in self.replies if reply.phase not in ("rset", "quit")]
        refused = [reply for reply in told if not reply.good and reply.code != 354 and reply.phase != "ehlo"]
        return refused[0] if refused else (told[-1] if told else None)

    @property
    def text(self) -> str:
        """The dialogue as text, a line each, `<` received and `>` sent."""
        return "\n".join(f"{line.direction} {line.text}" for line in self.lines)

    def reply(self, phase: str) -> Reply | None:
        """Return the last reply to `banner`, `ehlo`, `helo`, `mail`, `rcpt`, `data`, `message`, `rset` or `quit`."""
        return next((reply for reply in reversed(self.replies) if reply.phase == phase), None)

    def require(self) -> "Conversation":
        """Return this conversation if it was held to its end. Raise SmtpError with the dialogue otherwise."""
        if self.error is None:
            return self
        raise SmtpError(
            f"no SMTP dialogue with {self.address} port {self.port}: {self.error}",
            host="operator",
            expected="a dialogue to its end",
            seen=self.text or self.error,
            advice="see that Sendmail runs there and listens on this address, and that no firewall is in between",
        )


def converse(
    address: str,
    port: int = 25,
    *,
    helo: str,
    sender: str,
    recipients: Sequence[str],
    message: bytes | None = None,
    source: str = "",
    timeout: float = 60.0,
    total: float = 300.0,
) -> Conversation:
    """Hold a dialogue with an SMTP server at an IPv4 or IPv6 address, and return it whatever the server does.

    An empty `sender` is the null one. The message goes only when every recipient is taken; without a message, or
    when one is refused, the transaction is reset before QUIT. `source` is the local address to come from. Each
    reply has `timeout` seconds (a slow greeting is normal: GreetPause), and the whole dialogue `total`.
    Raise SmtpError, before anything is sent, where `helo` or an address cannot stand in a command.
    """
    if not _HELO.fullmatch(helo):
        raise SmtpError("not a host name for EHLO", expected="a host name or [address]", seen=repr(helo))
    checked = [checked_address(recipient) for recipient in recipients]
    sender = checked_address(sender) if sender else ""
    try:
        connection = socket.create_connection((address, port), timeout, (source, 0) if source else None)
    except OSError as error:
        return Conversation(address, port, (), (), False, _unconnected(error, timeout), connected=False)
    with connection:
        wire = Wire(connection, timeout=timeout, total=total)
        error_text = None
        try:
            accepted = _transaction(wire, helo, sender, checked, message)
        except Broken as broken:
            accepted, error_text = False, str(broken)
        else:
            _leave(wire)
    answered = any(reply.phase == "message" for reply in wire.replies)
    return Conversation(
        *(address, port, tuple(wire.lines), tuple(wire.replies), accepted, error_text),
        uncertain=wire.message_sent and not answered,
    )


def _transaction(
    wire: Wire, helo: str, sender: str, recipients: Sequence[str], message: bytes | None
) -> bool:
    """Return whether the recipients, and the message if there is one, were accepted. Raise Broken."""
    if not wire.reply("banner").good:
        return False
    # A server from before ESMTP refuses EHLO and takes HELO (RFC 5321, 3.2).
    if not (wire.ask("ehlo", f"EHLO {helo}").good or wire.ask("helo", f"HELO {helo}").good):
        return False
    if not wire.ask("mail", f"MAIL FROM:<{sender}>").good:
        return False
    taken = [wire.ask("rcpt", f"RCPT TO:<{recipient}>").good for recipient in recipients]
    accepted = bool(taken) and all(taken)
    if message is None or not accepted:
        return accepted
    return wire.ask("data", "DATA").code == 354 and wire.send_message(message).good


def _leave(wire: Wire) -> None:
    """Say goodbye, and drop what is open. What was agreed stands whether or not the server answers that."""
    open_transaction = any(reply.phase == "mail" for reply in wire.replies) and not wire.message_sent
    try:
        if open_transaction:
            wire.ask("rset", "RSET")
        wire.ask("quit", "QUIT")
    except Broken:
        return


def _unconnected(error: OSError, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no connection within {timeout:g} s; a firewall may drop the packets"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: nothing listens there, or a firewall rejects"
    return f"no connection: {error.strerror or error}"
