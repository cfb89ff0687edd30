"""A command whose connection is gone at any moment is told as lost, and ends nothing else."""

from __future__ import annotations

import threading
from typing import TypeVar

import pytest

from migrator.hosts.channel import LostError, Running
from migrator.hosts.script import HEARTBEAT

T = TypeVar("T")


class Gone:
    """A channel whose connection is gone: the named call sends a message, so paramiko raises EOFError there.

    It has no shutdown_write: that message may be sent after the channel was closed, and end the input of another one.
    """

    def __init__(self, first: str) -> None:
        self.first = first
        self.status_event = threading.Event()
        self.status_event.set()
        self.sent: list[bytes] = []
        self._pieces = [b"some\n", b""]

    def settimeout(self, _seconds: float) -> None:
        return

    def send(self, content: bytes) -> int:
        self.sent.append(content)
        return self._unless("send", len(content))

    def recv(self, _most: int) -> bytes:
        return self._unless("recv", self._pieces.pop(0))

    def recv_stderr(self, _most: int) -> bytes:
        return self._unless("recv_stderr", b"")

    def close(self) -> None:
        self._unless("close", None)

    def recv_exit_status(self) -> int:
        return -1

    def _unless(self, call: str, value: T) -> T:
        if call == self.first:
            raise EOFError
        return value


@pytest.mark.parametrize("call", ["send", "recv", "recv_stderr", "close"])
def test_a_connection_that_is_gone_is_told_as_lost(call: str) -> None:
    running = Running(Gone(call), b"input")  # type: ignore[arg-type]
    with pytest.raises(LostError, match="connection ended before the command did"):
        running.finish(host="old", timeout=10)


def test_a_command_that_is_to_end_is_told_so_by_what_means_nothing_to_a_shell() -> None:
    channel = Gone("")
    running = Running(channel, b"script\n", beat=True)  # type: ignore[arg-type]
    running.end()
    running._writer.join(10)
    assert channel.sent[-1].strip() == b""
    assert HEARTBEAT.strip() == b":"
