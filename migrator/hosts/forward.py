"""A port on the new host's loopback that leads to the old host's sshd, through the operator's two connections.

For hosts that cannot see each other: the new host's sshd listens (RFC 4254, 7.1), and each connection is pumped into
one that the old host's sshd opens to itself (7.2). What goes through is ssh between the hosts: the operator's machine
carries it, and can neither read nor keep it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from migrator.errors import HostError
from migrator.hosts.base import Reader
from migrator.hosts.channel import unless_gone
from migrator.hosts.sshd import CONNECTION_SCRIPT, Ends, parse_connection

if TYPE_CHECKING:
    from paramiko import Channel, Transport

LOOPBACK = "127.0.0.1"

_PIECE = 65536
_OPENING = 15  # seconds
_ENDING = 5  # seconds
_HANDLERS = "migrate_forwards"
"""The attribute of a transport that holds what is told of new connections, by the port they came to."""

Accept = Callable[["Channel"], None]


class Connected(Reader, Protocol):
    """A host whose open connection can be used for more than commands."""

    def transport(self) -> Transport:
        """Return the open connection itself. Raises HostError where the host cannot be reached."""


@contextmanager
def forward(new: Connected, old: Connected) -> Iterator[int]:
    """Open the port and give its number; close it at the end, and with it what goes through.

    Raises HostError where a host cannot be reached, or forbids forwarding. A connection of the operator that breaks
    ends what goes through it; the next forward has another port.
    """
    ends = parse_connection(old.inspect(CONNECTION_SCRIPT).stdout)
    inward = new.transport()
    pumps = _Pumps(old, ends)
    # What forbids it shall be known before rsync is started, whose own words would not say so.
    pumps.connect().close()
    port = _listen(inward, pumps.accept)
    try:
        yield port
    finally:
        with unless_gone():
            inward.global_request("cancel-tcpip-forward", (LOOPBACK, port), wait=False)
        getattr(inward, _HANDLERS).pop(port, None)
        pumps.close()


def _listen(transport: Transport, accepting: Accept) -> int:
    import paramiko

    # paramiko has one handler for a connection, which several forwards share.
    handlers: dict[int, Accept] = getattr(transport, _HANDLERS, {})
    setattr(transport, _HANDLERS, handlers)

    def dispatch(channel: Channel, _origin: object, server: tuple[str, int]) -> None:
        if accept := handlers.get(server[1]):
            accept(channel)
        else:
            channel.close()

    try:
        port = transport.request_port_forward(LOOPBACK, 0, dispatch)
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise HostError(
            "the new host's sshd opens no port for the way to the old one",
            host="new",
            expected="a port on its loopback, forwarded to this machine",
            seen=str(error) or type(error).__name__,
            advice="allow it there for the time of the migration: AllowTcpForwarding yes (or remote) and no "
            "DisableForwarding in sshd_config; or use another sync.via",
        ) from error
    handlers[port] = accepting
    return port


class _Pumps:
    """The connections that go through one forward. Given the old host, and both ends of the connection to it."""

    def __init__(self, old: Connected, ends: Ends | None) -> None:
        self._old = old
        self._ends = ends
        self._open: set[Channel | socket.socket] = set()
        self._serving: set[threading.Thread] = set()
        self._closed = False
        self._lock = threading.Lock()

    def accept(self, channel: Channel) -> None:
        """Take a new connection; this is called by the thread that reads the connection, so it must not wait."""
        thread = threading.Thread(target=self._serve, args=(channel,), daemon=True)
        with self._lock:
            self._serving.add(thread)
            thread.start()

    def close(self) -> None:
        """End all that goes through, and wait until nothing of it is under way.

        What came later could reach another command, for an sshd gives the number of a closed channel anew.
        """
        with self._lock:
            self._closed = True
            serving = list(self._serving)
        self._end()
        for thread in serving:
            thread.join(_ENDING)

    def _end(self) -> None:
        with self._lock:
            left = list(self._open)
        for end in left:
            _shut(end)

    def connect(self) -> Channel | socket.socket:
        """Return a connection to the old host's sshd. Raises HostError where there is none."""
        import paramiko

        transport = self._old.transport()
        peer = self._peer(transport)
        ends = [(self._ends.server, self._ends.port)] if self._ends else []
        seen = ""
        for address in [*ends, *([(LOOPBACK, peer[1])] if peer else [])]:
            try:
                return transport.open_channel("direct-tcpip", address, (LOOPBACK, 0), timeout=_OPENING)
            except (OSError, EOFError, paramiko.SSHException) as error:
                seen = str(error) or type(error).__name__
        if peer is not None:
            with contextlib.suppress(OSError):
                # Where its sshd forbids forwarding, this machine reaches it as it did before.
                return socket.create_connection(peer, timeout=_OPENING)
        raise HostError(
            "the old host's sshd opens no connection to itself for the new host",
            host="old",
            expected="a connection forwarded to its own port",
            seen=seen,
            advice="allow it there for the time of the migration: AllowTcpForwarding yes (or local) and no "
            "DisableForwarding in sshd_config; or use another sync.via",
        )

    def _peer(self, transport: Transport) -> tuple[str, int] | None:
        if not isinstance(transport.sock, socket.socket):
            return None  # a command of ssh_config, or another host, is on the way
        address = transport.getpeername()
        return str(address[0]), int(address[1])

    def _serve(self, channel: Channel) -> None:
        try:
            self._carry(channel, self.connect())
        except (HostError, OSError):
            _shut(channel)
        finally:
            with self._lock:
                self._serving.discard(threading.current_thread())

    def _carry(self, channel: Channel, beyond: Channel | socket.socket) -> None:
        ends = (channel, beyond)
        with self._lock:
            self._open.update(ends)
            closed = self._closed
        if closed:
            self._end()
        back = threading.Thread(target=_pump, args=(beyond, channel), daemon=True)
        back.start()
        _pump(channel, beyond)
        back.join()
        for end in ends:
            # It tells the other side, and that may be gone with the connection.
            with unless_gone():
                end.close()
        with self._lock:
            self._open.difference_update(ends)


def _pump(source: Channel | socket.socket, sink: Channel | socket.socket) -> None:
    """Carry what comes until it ends; no more than a piece is kept, for `sendall` waits for room."""
    source.settimeout(None)
    with unless_gone():
        while piece := source.recv(_PIECE):
            sink.sendall(piece)
    # ssh ends both directions together, so one that ended leaves nothing to wait for on the other.
    _shut(sink)
    _shut(source)


def _shut(end: Channel | socket.socket) -> None:
    with unless_gone():
        if isinstance(end, socket.socket):
            end.shutdown(socket.SHUT_RDWR)
        else:
            # It tells the end as well, in the right order; what has come can still be read.
            end.close()
