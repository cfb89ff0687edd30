"""The wire of an SMTP dialogue: commands out, replies in, every line kept as text, every wait bounded."""

import re
import socket
import time
from dataclasses import dataclass
from typing import Literal, NamedTuple

# RFC 5321, 4.5.3.1.5 allows 512 octets; servers go beyond, but not that far.
_LONGEST_LINE = 2048
_MOST_LINES = 100
_REPLY = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)


class Line(NamedTuple):
    """One line of a dialogue: whether it was sent (`>`) or received (`<`), and when, in seconds from the start.

    The text is fit for a terminal: whatever is not printable ASCII stands as an escape.
    """

    direction: Literal["<", ">"]
    text: str
    at: float


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, of any number of lines: to what it answers, its code, and its lines joined by newlines."""

    phase: str
    code: int
    text: str

    @property
    def good(self) -> bool:
        """Whether the code is 2xx: done as asked (RFC 5321, 4.2.1)."""
        return 200 <= self.code < 300


class Broken(Exception):
    """The dialogue cannot go on; the message says why."""


class Wire:
    """A connected socket that speaks SMTP. `timeout` bounds each reply, `total` the whole dialogue, in seconds."""

    def __init__(self, connection: socket.socket, *, timeout: float, total: float) -> None:
        self.lines: list[Line] = []
        self.replies: list[Reply] = []
        self.message_sent = False
        self._connection = connection
        self._timeout = timeout
        self._start = time.monotonic()
        self._end = self._start + total
        self._received = b""

    def ask(self, phase: str, command: str) -> Reply:
        """Send a command and return the reply. Raise Broken where there is none."""
        self._note(">", command)
        self._send(phase, command.encode("ascii") + b"\r\n")
        return self.reply(phase)

    def send_message(self, message: bytes) -> Reply:
        """Send a message after DATA, dot-stuffed and with CRLF line ends (RFC 5321, 4.5.2), and return the reply."""
        body = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
        if not body.endswith(b"\r\n"):
            body += b"\r\n"
        body = re.sub(rb"^\.", b"..", body, flags=re.MULTILINE) + b".\r\n"
        for line in body.split(b"\r\n")[:-1]:
            self._note(">", _printable(line))
        self._send("message", body)
        self.message_sent = True
        return self.reply("message")

    def reply(self, phase: str) -> Reply:
        """Read a reply, of one line or several. Raise Broken where it does not come or is no SMTP."""
        deadline = min(time.monotonic() + self._timeout, self._end)
        code = b""
        texts: list[str] = []
        for _ in range(_MOST_LINES):
            line = self._line(phase, deadline)
            found = _REPLY.fullmatch(line)
            if found is None or (code and found[1] != code):
                raise Broken(f"this is no SMTP reply to {phase}: {_printable(line)[:200]}")
            code = found[1]
            texts.append(_printable(found[3] or b""))
            if found[2] != b"-":
                reply = Reply(phase, int(code), "\n".join(texts))
                self.replies.append(reply)
                return reply
        raise Broken(f"the reply to {phase} has more than {_MOST_LINES} lines")

    def _line(self, phase: str, deadline: float) -> bytes:
        while b"\n" not in self._received:
            if len(self._received) > _LONGEST_LINE:
                self._note("<", _printable(self._received[:200]) + " …")
                raise Broken(f"the reply to {phase} has a line of more than {_LONGEST_LINE} bytes")
            self._received += self._receive(phase, deadline)
        line, _, self._received = self._received.partition(b"\n")
        line = line.removesuffix(b"\r")
        self._note("<", _printable(line))
        return line

    def _receive(self, phase: str, deadline: float) -> bytes:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Broken(f"no whole reply to {phase} in time")
        try:
            self._connection.settimeout(left)
            part = self._connection.recv(_LONGEST_LINE)
        except TimeoutError:
            raise Broken(f"no whole reply to {phase} in time") from None
        except OSError as error:
            raise Broken(f"the connection broke before the reply to {phase}: {error.strerror}") from error
        if not part:
            raise Broken(f"the server closed the connection before its reply to {phase}")
        return part

    def _send(self, phase: str, octets: bytes) -> None:
        left = min(self._timeout, self._end - time.monotonic())
        try:
            self._connection.settimeout(max(left, 0.001))
            self._connection.sendall(octets)
        except TimeoutError:
            raise Broken(f"the server took no more at {phase}") from None
        except OSError as error:
            raise Broken(f"the connection broke at {phase}: {error.strerror}") from error

    def _note(self, direction: Literal["<", ">"], text: str) -> None:
        self.lines.append(Line(direction, text, round(time.monotonic() - self._start, 3)))


def _printable(line: bytes) -> str:
    """Return the octets as ASCII with escapes, so that no server writes control codes to a terminal."""
    return "".join(chr(octet) if 32 <= octet < 127 else f"\\x{octet:02x}" for octet in line)
