"""One command over an open connection: bounded in time and size, all its streams served at once."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from migrator.errors import HostError
from migrator.hosts.base import Output
from migrator.hosts.framing import Frame, Stream
from migrator.hosts.script import HEARTBEAT, LAST

if TYPE_CHECKING:
    from paramiko import Channel, Transport

LONGEST_OUTPUT = 64 * 1024 * 1024
"""The most that a command may print, in bytes; of one whose lines are handed over, on its standard error."""

KEPT = 1024 * 1024
"""How much of what a streaming command prints is kept, in bytes: its end. rsync tells of every file it copies."""

LONGEST_LINE = 64 * 1024
"""The longest line that is handed over as one, in bytes."""

BEAT = 10.0
"""Seconds between two signs to a streaming script: several within the silence it bears."""

OPENING = 60.0
"""How long a shell may take to begin with a script, in seconds: a login shell may have much to read."""

LONGEST_GREETING = 1024 * 1024
"""The most that is read before a script whose streams others serve, in bytes."""

_LAST_WORDS = 5.0
_TICK = 0.5


@contextlib.contextmanager
def unless_gone() -> Iterator[None]:
    """Pass over what paramiko raises where a channel's connection is gone: there is nobody left to tell.

    Reading and closing meet it too, for both send a message: a window that opens (RFC 4254, 5.2), an end (5.3).
    """
    import paramiko

    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        yield


class LostError(HostError):
    """The connection ended before the command did."""


class Running:
    """A command that was started on a channel; its input and errors are served by threads of its own.

    Its input is never ended by a message of its own (RFC 4254, 5.3): the channel may be closed between the making of
    such a message and its sending, and the sshd give its number to another command, which would then wait for ever.
    So a script ends by itself when it has come to its end, and what is sent besides means nothing to a shell.
    """

    def __init__(
        self, channel: Channel, stdin: bytes, *, beat: bool = False, frame: Frame | None = None
    ) -> None:
        """Serve a command that was started on a channel and has got no input yet.

        With `beat`, its input stays open and gets a sign of life every BEAT seconds. With `frame` the command is a
        shell, and what was printed before it began with its input is cut off.
        """
        self._out, self._err = (frame.stream(), frame.stream()) if frame else (Stream(b""), Stream(b""))
        stdin = frame.begin() + stdin if frame else stdin
        self.channel = channel
        self.channel.settimeout(_TICK)
        self._stderr = bytearray()
        self._over = threading.Event()
        self._ending = False
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._writer = threading.Thread(target=self._write, args=(stdin, beat), daemon=True)
        self._reader.start()
        self._writer.start()

    @classmethod
    def start(
        cls,
        transport: Transport,
        command: str,
        stdin: bytes,
        *,
        beat: bool = False,
        frame: Frame | None = None,
    ) -> Running:
        """Start a command. Raises paramiko.SSHException or EOFError where the connection is gone."""
        channel = transport.open_session(timeout=20)
        channel.exec_command(command)
        return cls(channel, stdin, beat=beat, frame=frame)

    def finish(self, *, host: str, timeout: float, on_line: Callable[[str], None] | None = None) -> Output:
        """Return what the command gave; with `on_line`, to which each line is handed as it comes, its last KEPT bytes.

        Raises HostError after `timeout` seconds or too much output, LostError where the connection ended
        first.
        """
        deadline = time.monotonic() + timeout
        lines = _Lines(on_line)
        stdout = bytearray()
        try:
            for given in self._pieces(deadline, host):
                piece = self._out.feed(given)
                stdout += piece
                lines.feed(piece)
                if on_line and len(stdout) > 2 * KEPT:
                    del stdout[:-KEPT]
                if len(stdout) + self._out.size > LONGEST_OUTPUT:
                    raise _too_much(host)
            lines.end()
            status = self._status(deadline, host)
            self._reader.join(max(_TICK, deadline - time.monotonic()))
        finally:
            self._over.set()
            with unless_gone():
                self.channel.close()
        if len(self._stderr) > LONGEST_OUTPUT:
            raise _too_much(host)
        said = self._err.feed(bytes(self._stderr))
        return Output(status, _text(stdout + self._out.rest()), _text(said + self._err.rest()))

    @property
    def begun(self) -> bool:
        """Whether the shell began with the script, as far as it was heard of."""
        return self._out.begun

    @property
    def greeting(self) -> str:
        """Return what the login shell printed before the script began, on either stream."""
        return _text(self._out.before or self._err.before)

    def end(self) -> None:
        """Let the last of the signs of life be sent: the command may come to its own end."""
        self._ending = True
        self._over.set()

    def _pieces(self, deadline: float, host: str) -> Iterator[bytes]:
        while True:
            if time.monotonic() > deadline:
                raise HostError(
                    "a command took too long and was given up",
                    host=host,
                    expected="an end within the time that it is given",
                    advice="see what keeps that host busy (ps, df, a folder that hangs on the network), then run the "
                    "same command again",
                )
            if len(self._stderr) > LONGEST_OUTPUT:
                raise _too_much(host)
            piece = self._read(self.channel.recv)
            if piece == b"":
                return
            if piece:
                yield piece

    def _status(self, deadline: float, host: str) -> int:
        if not self.channel.status_event.wait(max(_TICK, deadline - time.monotonic())):
            raise HostError(
                "a command ended its output and not itself",
                host=host,
                advice="see with ps what is left of it there, then run the same command again",
            )
        status = self.channel.recv_exit_status()
        if status < 0:
            raise LostError(
                "the connection ended before the command did, or a signal ended the command",
                host=host,
                expected="a command that was started there tells how it ended",
                seen="the ssh connection broke, by the network or by a reboot, or the command was killed",
                advice="when the host answers, run the same command again: it goes on from there",
            )
        return status

    def _read_errors(self) -> None:
        while not self._over.is_set():
            piece = self._read(self.channel.recv_stderr)
            if piece == b"":
                return
            if piece and len(self._stderr) <= LONGEST_OUTPUT:
                self._stderr += piece

    def _read(self, receive: Callable[[int], bytes]) -> bytes | None:
        """Return what came: nothing more (b"") at the end, also that of the connection; None where nothing did yet."""
        with unless_gone():
            try:
                return receive(65536)
            except TimeoutError:
                return None
        return b""

    def _write(self, stdin: bytes, beat: bool) -> None:
        with unless_gone():  # a command that ended early takes no more input
            self._send(stdin)
            while beat and not self._over.wait(BEAT):
                self._send(HEARTBEAT)
            if self._ending:
                self.channel.send(LAST)

    def _send(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest and not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                rest = rest[self.channel.send(bytes(rest[:32768])) :]


def opened(channel: Channel, script: str, *, timeout: float = OPENING) -> tuple[bool, Output]:
    """Hand a shell on a channel its script, and wait until it has begun: what comes from then on is the script's own.

    Return whether it did, and else what there was instead. Raises what paramiko raises where the connection is gone.
    """
    frame = Frame()
    stream = frame.stream()
    channel.settimeout(timeout)
    with unless_gone():  # a login shell that ended by now has told why
        channel.sendall(frame.begin() + script.encode("utf-8", "surrogateescape"))
    # Not more than a byte: what follows the mark belongs to whoever serves the script.
    while not stream.begun and stream.size < LONGEST_GREETING and (piece := channel.recv(1)):
        stream.feed(piece)
    if stream.begun:
        channel.settimeout(None)
        return True, Output(0, "", "")
    said = bytearray()
    channel.settimeout(_LAST_WORDS)
    with unless_gone():  # one that says nothing more is given up, too
        while len(said) < LONGEST_GREETING and (piece := channel.recv_stderr(4096)):
            said += piece
    status = channel.recv_exit_status() if channel.status_event.wait(_LAST_WORDS) else -1
    with unless_gone():
        channel.close()
    return False, Output(status, _text(stream.rest()), _text(said))


class _Lines:
    """Hands over each line as soon as it is whole; a progress meter ends its lines with a carriage return."""

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        self._on_line = on_line
        self._rest = b""

    def feed(self, piece: bytes) -> None:
        if self._on_line is None:
            return
        *lines, self._rest = (self._rest + piece).replace(b"\r", b"\n").split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._on_line(_text(line))

    def end(self) -> None:
        if self._on_line is not None and self._rest:
            self._on_line(_text(self._rest))


def _text(content: bytes | bytearray) -> str:
    return content.decode("utf-8", "surrogateescape")


def _too_much(host: str) -> HostError:
    return HostError(
        f"a command printed more than {LONGEST_OUTPUT // 1024 // 1024} MB and was given up",
        host=host,
        expected="what a look or a change prints",
        advice="log in by hand and see what the login shell and the programs there print",
    )
