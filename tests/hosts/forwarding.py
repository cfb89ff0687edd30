"""What an ssh server does for port forwarding, in both directions (RFC 4254, 7)."""

from __future__ import annotations

import contextlib
import socket
import threading

import paramiko


class Forwarding:
    """The forwards of one connection to the server."""

    def __init__(self, transport: paramiko.Transport) -> None:
        self._transport = transport
        self._listeners: list[socket.socket] = []

    def listen(self, address: str, port: int) -> int:
        listener = socket.create_server((address, port))
        self._listeners.append(listener)
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()
        return int(listener.getsockname()[1])

    def connect(self, chanid: int, destination: tuple[str, int]) -> int:
        try:
            beyond = socket.create_connection(destination, timeout=5)
        except OSError:
            return paramiko.common.OPEN_FAILED_CONNECT_FAILED
        threading.Thread(target=self._join, args=(chanid, beyond), daemon=True).start()
        return paramiko.common.OPEN_SUCCEEDED

    def close(self) -> None:
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                beyond, origin = listener.accept()
                channel = self._transport.open_forwarded_tcpip_channel(origin, listener.getsockname())
            except (OSError, EOFError, paramiko.SSHException):
                return
            both(channel, beyond)

    def _join(self, chanid: int, beyond: socket.socket) -> None:
        while channel := self._transport.accept(5):
            if channel.chanid == chanid:
                both(channel, beyond)
                return
        beyond.close()


def both(channel: paramiko.Channel, beyond: socket.socket) -> None:
    beyond.settimeout(None)
    for source, sink in ((channel, beyond), (beyond, channel)):
        threading.Thread(target=carry, args=(source, sink), daemon=True).start()


def carry(source: paramiko.Channel | socket.socket, sink: paramiko.Channel | socket.socket) -> None:
    with contextlib.suppress(OSError, EOFError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    for end in (source, sink):
        with contextlib.suppress(OSError, EOFError):
            end.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError, EOFError):
            end.close()
