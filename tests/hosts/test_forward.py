"""Through the operator's two connections, the new host's loopback leads to the old host's sshd."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import paramiko
import pytest

from migrator.errors import HostError
from migrator.hosts.forward import forward
from migrator.hosts.ssh import SshHost
from migrator.plan import HostPlan
from tests.hosts.server import Server


@dataclass
class Pair:
    """Both hosts, and the servers that they are."""

    servers: dict[str, Server]
    old: SshHost
    new: SshHost

    def ask(self, port: int, *words: str) -> subprocess.CompletedProcess[str]:
        """Log in to the old host by ssh, as a program on the new one would, through the port."""
        server = self.servers["old"]
        options = (
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "IdentitiesOnly=yes",
            "BatchMode=yes",
        )
        argv = ["ssh", "-F", "none", "-i", str(server.key_file), "-p", str(port)]
        argv += [word for option in options for word in ("-o", option)]
        return subprocess.run(
            [*argv, "mover@127.0.0.1", *words], capture_output=True, text=True, timeout=30, check=False
        )


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with ExitStack() as stack:
        servers, hosts = {}, {}
        for name in ("old", "new"):
            folder = tmp_path / name
            folder.mkdir()
            servers[name] = server = Server(folder)
            stack.callback(server.close)
            server.forwards = True
            (folder / "known").write_text(server.known_hosts)
            place = f"mover@127.0.0.1:{server.port}"
            plan = HostPlan(
                place, ("127.0.0.1",), identity_file=server.key_file, known_hosts=folder / "known"
            )
            hosts[name] = SshHost(name, plan, "unit", sleep=lambda _seconds: None)
            stack.callback(hosts[name].close)
        yield Pair(servers, hosts["old"], hosts["new"])


def test_the_port_leads_to_the_old_host(pair: Pair) -> None:
    with forward(pair.new, pair.old) as port:
        assert (
            pair.ask(port, "echo here; cat /dev/zero | head -c 3000000 | wc -c").stdout == "here\n3000000\n"
        )
        assert pair.ask(port, "exit 7").returncode == 7
    assert pair.servers["old"].commands[-1] == "exit 7"


def test_at_the_end_it_is_closed_with_what_goes_through(pair: Pair) -> None:
    with ExitStack() as stack:
        with forward(pair.new, pair.old) as port:
            through = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            assert through.recv(4) == b"SSH-"
        assert ended(through)
    with (
        contextlib.suppress(ConnectionError),
        socket.create_connection(("127.0.0.1", port), timeout=10) as late,
    ):
        assert ended(late)


def ended(connection: socket.socket) -> bool:
    """Read until the other side has ended the connection, however it did; raise TimeoutError where it does not."""
    with contextlib.suppress(ConnectionError):
        while connection.recv(65536):
            pass
    return True


def test_two_forwards_do_not_disturb_each_other(pair: Pair) -> None:
    with forward(pair.new, pair.old) as first:
        with forward(pair.new, pair.old) as second:
            assert first != second
            assert pair.ask(second, "echo two").stdout == "two\n"
        assert pair.servers["new"].connections == 1


def test_a_connection_of_the_operator_that_breaks_ends_what_goes_through(pair: Pair) -> None:
    with forward(pair.new, pair.old) as port:
        done: list[int] = []
        asking = threading.Thread(target=lambda: done.append(pair.ask(port, "exec sleep 20").returncode))
        asking.start()
        while "exec sleep 20" not in pair.servers["old"].commands:
            asking.join(0.05)
        pair.servers["new"].hang_up()
        asking.join(10)
        assert done == [255]
    with forward(pair.new, pair.old) as again:
        assert pair.ask(again, "echo again").stdout == "again\n"


def test_where_the_old_host_forbids_it_this_machine_connects_as_before(pair: Pair) -> None:
    pair.servers["old"].forwards = False
    with forward(pair.new, pair.old) as port:
        assert pair.ask(port, "echo here").stdout == "here\n"


def test_where_nothing_leads_to_the_old_host_it_says_what_to_allow(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.servers["old"].forwards = False
    with monkeypatch.context() as patch:
        patch.setattr(pair.old.transport(), "sock", object())  # as behind a command of ssh_config
        with pytest.raises(HostError, match="no connection to itself") as failed, forward(pair.new, pair.old):
            pass
    assert "AllowTcpForwarding" in (failed.value.advice or "")


def test_where_the_new_host_forbids_it_it_says_what_to_allow(pair: Pair) -> None:
    pair.servers["new"].forwards = False
    with (
        pytest.raises(HostError, match="the new host's sshd opens no port") as failed,
        forward(pair.new, pair.old),
    ):
        pass
    assert "AllowTcpForwarding" in (failed.value.advice or "")
    assert isinstance(failed.value.__cause__, paramiko.SSHException)
