"""Shells that wait on a host: taken once each, only while they live, and never more than the host bears."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest

from migrator.hosts.channel import Running
from migrator.hosts.shells import AHEAD, Shells
from tests.hosts.server import Door, Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.close()


@pytest.fixture
def transport(server: Server) -> Iterator[paramiko.Transport]:
    transport = connected(server)
    yield transport
    transport.close()


def connected(server: Server) -> paramiko.Transport:
    transport = paramiko.Transport(("127.0.0.1", server.port))
    transport.connect(username="mover", pkey=server.user_key)
    return transport


def wait_until(wanted: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def taken(shells: Shells, transport: paramiko.Transport) -> paramiko.Channel:
    """Take a shell as soon as one waits."""
    found: list[paramiko.Channel] = []

    def try_once() -> bool:
        channel = shells.take(transport)
        found.extend([channel] if channel else [])
        return channel is not None

    wait_until(try_once)
    return found[0]


def test_the_only_look_at_a_host_starts_no_shell_beside_it(
    server: Server, transport: paramiko.Transport
) -> None:
    assert Shells("sh -s").take(transport) is None
    assert server.commands == []


def test_a_shell_that_waits_runs_what_it_is_told(server: Server, transport: paramiko.Transport) -> None:
    shells = Shells("sh -s")
    running = Running(taken(shells, transport), b"{\necho told; exit 3\n}\n")
    output = running.finish(host="old", timeout=10)
    assert (output.status, output.stdout) == (3, "told\n")
    wait_until(lambda: len(server.commands) >= AHEAD)


def test_none_is_taken_twice(transport: paramiko.Transport) -> None:
    shells = Shells("sh -s")
    channels = {taken(shells, transport).get_id() for _ in range(2 * AHEAD)}
    assert len(channels) == 2 * AHEAD


def test_a_shell_that_has_ended_is_not_taken(server: Server, transport: paramiko.Transport) -> None:
    shells = Shells("exit 1")
    assert (shells.take(transport), shells.take(transport)) == (None, None)
    wait_until(lambda: len(server.commands) == AHEAD)
    time.sleep(0.5)
    assert shells.take(transport) is None


def test_a_shell_of_a_connection_that_is_gone_is_not_taken(
    server: Server, transport: paramiko.Transport
) -> None:
    shells = Shells("sh -s")
    taken(shells, transport)
    wait_until(lambda: len(server.commands) >= AHEAD)
    again = connected(server)
    try:
        assert shells.take(again) is None
        assert taken(shells, again).get_transport() is again
    finally:
        again.close()


def test_a_host_that_serves_fewer_at_a_time_is_asked_for_fewer(
    server: Server, transport: paramiko.Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def refuse(_door: Door, _kind: str, number: int) -> int:
        asked.append(number)
        return paramiko.common.OPEN_FAILED_RESOURCE_SHORTAGE

    monkeypatch.setattr(Door, "check_channel_request", refuse)
    shells = Shells("sh -s")
    shells.take(transport)
    assert shells.take(transport) is None
    wait_until(lambda: len(asked) == AHEAD)
    time.sleep(0.1)
    assert shells.take(transport) is None
    time.sleep(0.1)
    assert len(asked) == AHEAD
    assert transport.is_active()
