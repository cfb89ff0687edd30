"""A rehearsal of rsync between two hosts that do not know each other yet, relayed by the operator's machine.

The new host's rsync gets a remote shell that hands the old host's command line, and then both streams, to the ssh
channel it runs in; the operator's machine runs that command on the old host and carries the bytes. Nothing is
installed or written on either host.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from migrator.errors import HostError
from migrator.hosts.base import Output
from migrator.hosts.channel import LONGEST_OUTPUT

if TYPE_CHECKING:
    from paramiko import Channel

TIMEOUT = 3600.0
"""How long a rehearsal may take, in seconds: comparing contents reads every byte on both hosts."""

# rsync waits for its remote shell, which therefore ends when the other side does, as ssh would.
_RELAY = """sh -c 'shift; echo "$*" >&4; exec 5<&0; cat <&5 >&4 2>/dev/null & exec cat <&3 4>&- 5<&-' relay"""
_OPTION = re.compile(r"-[A-Za-z]*(e\.[A-Za-z0-9.]*)?|--[a-z-]+(=[A-Za-z0-9.,%_-]*)?")
_FORBIDDEN = re.compile(
    r"--(remove-|log-file|files-from|daemon|config|write-|only-write|rsh|rsync-path|backup)|-[^-e]*[sLkK]"
)


class Tunnelled(Protocol):
    """A host on which a command can be started whose streams the caller serves."""

    @property
    def name(self) -> str:
        """Return "old" or "new"."""

    def raw(self, script: str) -> Channel:
        """Start a script and return its channel."""


def rehearse(old: Tunnelled, new: Tunnelled, words: Sequence[str], *, source: str, target: str) -> Output:
    """Given rsync's dry-run options for the new host and both folders, return what it printed, and its status.

    What rsync says comes as `stdout`, the complaints of the old host as `stderr`. Raises ValueError where the
    options are not those of a dry run, HostError where a connection ends or the old host's part is not a reading
    one.
    """
    if not {"--dry-run", "-n"} & set(words):
        raise ValueError("only a dry run goes through the tunnel")
    command = shlex.join((*words, "-e", _RELAY, "relay:.", target))
    receiving = new.raw(
        f"RSYNC_PROTECT_ARGS=0; export RSYNC_PROTECT_ARGS; exec 3<&0 4>&1; {command} </dev/null >&2"
    )
    try:
        return _connected(old, receiving, source)
    finally:
        receiving.close()


def _connected(old: Tunnelled, receiving: Channel, source: str) -> Output:
    receiving.settimeout(TIMEOUT)
    told = _Collector(receiving)
    asked = _first_line(receiving)
    if asked is None:
        return Output(receiving.recv_exit_status(), told.text(), "")
    served = server_words(asked)
    sending = old.raw(f"cd -- {shlex.quote(source)} && exec {shlex.join(served)}")
    sending.settimeout(TIMEOUT)
    complaints = _Collector(sending)
    pumps = [
        threading.Thread(target=_pump, args=pair, daemon=True)
        for pair in ((receiving, sending), (sending, receiving))
    ]
    try:
        for pump in pumps:
            pump.start()
        if not receiving.status_event.wait(TIMEOUT):
            raise HostError("the rehearsal of rsync took too long and was given up", host="new")
        return Output(receiving.recv_exit_status(), told.text(), complaints.text())
    finally:
        sending.close()


def server_words(asked: str) -> tuple[str, ...]:
    """Given the command line that the new host's rsync wants to run, return the one to run on the old host.

    Raises HostError where it is not a reading rsync server on the folder it is started in.
    """
    words = asked.split()
    options = words[3:-2]
    if (
        words[1:3] != ["--server", "--sender"]
        or words[-2:] != [".", "."]
        or not all(_OPTION.fullmatch(option) for option in options)
        or any(_FORBIDDEN.match(option.partition("e.")[0]) for option in options)
    ):
        raise HostError(
            "the new host's rsync asks for something else than reading",
            host="new",
            expected="--server --sender OPTIONS . .",
            seen=asked[:200],
        )
    return ("rsync", *words[1:])


class _Collector:
    """Reads what a channel says on its standard error, up to the most that is kept."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._content = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while piece := self._channel.recv_stderr(65536):
                if len(self._content) < LONGEST_OUTPUT:
                    self._content += piece

    def text(self) -> str:
        """Return all of it, once the channel has ended."""
        self._thread.join(10)
        return self._content.decode("utf-8", "surrogateescape")


def _first_line(channel: Channel) -> str | None:
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = channel.recv(1)  # not more: what follows belongs to the other host
        if not piece or len(line) > 4096:
            return None
        line += piece
    return line.decode("utf-8", "replace").rstrip("\n")


def _pump(source: Channel, sink: Channel) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    with contextlib.suppress(OSError, EOFError):
        sink.shutdown_write()
