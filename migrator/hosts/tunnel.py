"""rsync between two hosts that have no key for each other, relayed by the operator's machine.

The receiving host's rsync gets a remote shell that hands the sender's command line, and then both streams, to the ssh
channel it runs in; the operator's machine runs that command on the sender, and carries the bytes without keeping any.
The sender only ever reads; a rehearsal writes nothing on the receiver either.
"""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from migrator import host_text
from migrator.errors import HostError
from migrator.hosts.base import Output
from migrator.hosts.channel import KEPT, unless_gone
from migrator.hosts.spool import Spool

if TYPE_CHECKING:
    from paramiko import Channel

TIMEOUT = 3600.0
"""How long a rehearsal may take, in seconds: comparing contents reads every byte on both hosts."""

LONGEST_OUTPUT = 8 * 1024**3
"""The most that rsync may say, in bytes: it is kept on the disk, and is that of a hundred million names."""

CARRY_TIMEOUT = 86400.0
"""How long files may be on their way, in seconds; rsync itself gives up when nothing moves."""

# rsync waits for its remote shell, which therefore ends when the other side does, as ssh would.
_ENDING = 10.0  # seconds in which what is under way ends once its channels are closed
_RELAY = """sh -c 'shift; echo "$*" >&4; exec 5<&0; cat <&5 >&4 2>/dev/null & exec cat <&3 4>&- 5<&-' relay"""
_OPTION = re.compile(r"-[A-Za-z]*(e\.[A-Za-z0-9.]*)?|--[a-z-]+(=[A-Za-z0-9.,%_-]*)?")
_FORBIDDEN = re.compile(
    r"--(remove-|log-file|files-from|daemon|config|write-|only-write|rsh|rsync-path|backup)|-[^-e]*[sLkK]"
)
_LISTED = frozenset(["--files-from=-", "--from0"])
_CHANGING = re.compile(
    r"--(?:delete|del$|remove|inplace|append|force|existing|partial|backup|write-|rsh|rsync-)|-e"
)


@dataclass(frozen=True, slots=True)
class Listing(Output):
    """What an rsync gave that may have said more than anybody keeps in memory: `stdout` is the end of it."""

    whole: Spool

    def lines(self) -> Iterator[str]:
        """Yield each line that rsync said, from the first one on."""
        for line in self.whole.records():
            yield line.decode("utf-8", "surrogateescape")


def lines_of(output: Output) -> Iterator[str]:
    """Yield the lines of what a rehearsal said, all of them, whether they are in memory or not."""
    return output.lines() if isinstance(output, Listing) else iter(output.stdout.split("\n"))


class Tunnelled(Protocol):
    """A host on which a command can be started whose streams the caller serves."""

    @property
    def name(self) -> str:
        """Return "old" or "new"."""

    def raw(self, script: str) -> Channel:
        """Start a script and return its channel."""


def rehearse(
    sender: Tunnelled, receiver: Tunnelled, words: Sequence[str], *, source: str, target: str
) -> Output:
    """Given rsync's dry-run options for the receiving host and both folders, return what it printed, and its status.

    What rsync says comes as `stdout`, of more than KEPT bytes the end (lines_of has all of it), the complaints of the
    sender as `stderr`. Raises ValueError where the options are not those of a dry run, HostError where a connection
    ends, too much is said, or the sender is asked for more than reading.
    """
    if not {"--dry-run", "-n"} & set(words):
        raise ValueError("only a dry run is a rehearsal")
    return _relayed(sender, receiver, words, source=source, target=target, timeout=TIMEOUT)


def carry(
    sender: Tunnelled, receiver: Tunnelled, words: Sequence[str], *, source: str, target: str, lock: str
) -> Output:
    """Given rsync's options for the receiving host and both folders, carry the files of a list, and return as rehearse.

    The list is a file of the receiver: `--files-from=PATH --from0`. `lock` is sh text after which no other script of
    the migration changes the receiver. Raises ValueError where there is no list, or where an option would delete or
    leave half a file; else as rehearse.
    """
    if not any(word.startswith("--files-from=/") for word in words) or "--from0" not in words:
        raise ValueError("only what is listed is carried")
    if any(map(_CHANGING.match, words)):
        raise ValueError("what is carried is added, whole, and nothing else changes")
    return _relayed(
        sender, receiver, words, source=source, target=target, timeout=CARRY_TIMEOUT, lock=lock, listed=True
    )


def _relayed(
    sender: Tunnelled,
    receiver: Tunnelled,
    words: Sequence[str],
    *,
    source: str,
    target: str,
    timeout: float,
    lock: str = "",
    listed: bool = False,
) -> Output:
    # Else rsync gives its remote shell a pipe that does not block (pipe.c, piped_child), and a full one ends `cat`.
    command = shlex.join((*words, "--blocking-io", "-e", _RELAY, "relay:.", target))
    receiving = receiver.raw(
        f"{lock}RSYNC_PROTECT_ARGS=0; export RSYNC_PROTECT_ARGS; exec 3<&0 4>&1; {command} </dev/null >&2"
    )
    receiving.settimeout(timeout)
    told = _Collector(receiving, receiver.name)
    try:
        asked = _first_line(receiving)
        if asked is None:
            return told.listing(receiving.recv_exit_status(), "")
        served = server_words(asked, host=receiver.name, listed=listed)
        sending = sender.raw(f"cd -- {shlex.quote(source)} && exec {shlex.join(served)}")
        sending.settimeout(timeout)
        pairs = ((receiving, sending), (sending, receiving))
        pumps = [threading.Thread(target=_pump, args=pair, daemon=True) for pair in pairs]
        for pump in pumps:
            pump.start()
        try:
            return _ended(sending, receiving, told, sender.name, receiver.name, timeout)
        finally:
            for end in (sending, receiving):
                _close(end)
            # What they still had to send must not come later: the sshd may give a channel's number to another command.
            for pump in pumps:
                pump.join(_ENDING)
    finally:
        _close(receiving)


def _ended(
    sending: Channel, receiving: Channel, told: _Collector, sender: str, receiver: str, timeout: float
) -> Output:
    complaints = _Collector(sending, sender)
    if not receiving.status_event.wait(timeout):
        raise HostError("rsync between the hosts took too long and was given up", host=receiver)
    return told.listing(receiving.recv_exit_status(), complaints.listing(0, "").stdout)


def server_words(asked: str, *, host: str = "new", listed: bool = False) -> tuple[str, ...]:
    """Given the command line that the rsync of a host wants to run on the other, return the one to run there.

    With `listed` it may ask for the files that it names. Raises HostError where it is not a reading rsync server on
    the folder it is started in.
    """
    words = host_text.words(asked)
    options = [word for word in words[3:-2] if not (listed and word in _LISTED)]
    if (
        words[1:3] != ["--server", "--sender"]
        or words[-2:] != [".", "."]
        or not all(_OPTION.fullmatch(option) for option in options)
        or any(_FORBIDDEN.match(option.partition("e.")[0]) for option in options)
    ):
        raise HostError(
            f"the {host} host's rsync asks for something else than reading",
            host=host,
            expected="--server --sender OPTIONS . .",
            seen=asked[:200],
        )
    return ("rsync", *words[1:])


class _Collector:
    """Reads what a channel says on its standard error, up to the most that is kept: on the disk, where it is long."""

    def __init__(self, channel: Channel, host: str) -> None:
        self._channel = channel
        self._host = host
        self._content = Spool(KEPT)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with unless_gone():
            while piece := self._channel.recv_stderr(65536):
                if self._content.length <= LONGEST_OUTPUT:
                    self._content.write(piece)

    def listing(self, status: int, stderr: str) -> Listing:
        """Return all of it, once the channel has ended. Raises HostError where it was too much to keep."""
        self._thread.join(_ENDING)
        if self._content.length > LONGEST_OUTPUT:
            raise HostError(
                f"rsync said more than {LONGEST_OUTPUT // 1024**2} MB and was given up", host=self._host
            )
        end = self._content.end(KEPT).decode("utf-8", "surrogateescape")
        return Listing(status, end, stderr, self._content)


def _first_line(channel: Channel) -> str | None:
    line = bytearray()
    with unless_gone():
        # Not more than a byte: what follows the line belongs to the other host.
        while len(line) <= 4096 and (piece := channel.recv(1)):
            if piece == b"\n":
                return line.decode("utf-8", "replace")
            line += piece
    return None


def _close(channel: Channel) -> None:
    with unless_gone():
        channel.close()


def _pump(source: Channel, sink: Channel) -> None:
    with unless_gone():
        while piece := source.recv(65536):
            sink.sendall(piece)
    with unless_gone():
        sink.shutdown_write()
