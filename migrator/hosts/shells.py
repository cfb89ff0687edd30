"""Shells that wait on a host for what they are to run: a look through one takes one round trip, not three."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from migrator.hosts.channel import unless_gone

if TYPE_CHECKING:
    from paramiko import Channel, Transport

AHEAD = 3
"""How many shells wait: looks follow each other faster than one is ready, and an sshd serves ten (MaxSessions)."""


class Shells:
    """Shells that were started ahead on an open connection, by a command that then reads a script.

    Where such a shell is lost with its connection, nobody knows whether it began: a look is then made again, and a
    change takes a shell only of a connection that was heard of just before.
    """

    def __init__(self, command: str) -> None:
        self._command = command
        self._waiting: list[Channel] = []
        self._coming = 0
        self._most = AHEAD
        self._asked: Transport | None = None
        self._changing = threading.Lock()

    def take(self, transport: Transport) -> Channel | None:
        """Return the channel of a shell that waits on this connection, and have others started; None: there is none.

        The first look at a connection starts none, for it may be the only one.
        """
        with self._changing:
            self._waiting = [one for one in self._waiting if _waits(one, transport)]
            taken = self._waiting.pop(0) if self._waiting else None
            missing = self._most - len(self._waiting) - self._coming if self._asked is transport else 0
            self._asked = transport
            self._coming += max(0, missing)
        for _ in range(missing):
            threading.Thread(target=self._start, args=(transport,), daemon=True).start()
        return taken

    def _start(self, transport: Transport) -> None:
        import paramiko

        channel = None
        try:
            channel = transport.open_session(timeout=20)
            channel.exec_command(self._command)
        except (OSError, EOFError, paramiko.SSHException):
            # A host may serve fewer at a time; whether the connection is lost, the next look tells.
            if channel is not None:
                with unless_gone():
                    channel.close()
            channel = None
        with self._changing:
            self._coming -= 1
            if channel is not None:
                self._waiting.append(channel)
            elif transport.is_active():
                self._most = max(0, self._most - 1)


def _waits(channel: Channel, transport: Transport) -> bool:
    return channel.get_transport() is transport and not (channel.closed or channel.exit_status_ready())
