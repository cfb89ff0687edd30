"""The old host holds one port of the new one open, for as long as somebody gives signs of life."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import HostError
from migrator.hosts import push
from migrator.hosts.push import hold_script, push_port, pushed, restrictions
from migrator.hosts.ssh import SshHost
from migrator.plan import HostPlan
from tests.hosts.server import Server

# In the place of ssh: notes its words, and lives from `-M` to `-O exit`.
SSH = """
echo "$*" >>"$TMPDIR/asked"
case "$*" in
    '-O exit'*) [ -e "$TMPDIR/open" ] || exit 255; rm "$TMPDIR/open" ;;
    '-O check'*) [ -e "$TMPDIR/open" ] ;;
    *) if [ -e "$TMPDIR/forbidden" ]; then echo 'remote port forwarding failed' >&2; exit 255; fi
       : >"$TMPDIR/open" ;;
esac
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    server.program("ssh", SSH)
    server.program("getent", f"echo mover:x:1:1::{tmp_path}:/bin/sh")
    server.program("sleep", ":")
    yield server
    server.close()


@pytest.fixture
def old(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshHost]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    known = tmp_path / "known_hosts"
    known.write_text(server.known_hosts)
    place = f"mover@127.0.0.1:{server.port}"
    plan = HostPlan(place, ("127.0.0.1",), identity_file=server.key_file, known_hosts=known)
    host = SshHost("old", plan, "unit", sleep=lambda _seconds: None)
    yield host
    host.close()


SCRIPT = hold_script("unit", ("new.example.test", 2222, "mover"), ("2001:db8::10", 22))


def test_it_is_open_while_it_is_held_and_no_longer(old: SshHost, tmp_path: Path) -> None:
    with pushed(old, SCRIPT, "unit") as port:
        assert port == push_port("unit")
        assert (tmp_path / "open").exists()
    assert not (tmp_path / "open").exists()
    opening = (tmp_path / "asked").read_text().splitlines()[1]
    assert f"-R 127.0.0.1:{port}:[2001:db8::10]:22 mover@new.example.test" in opening
    assert f"-i {tmp_path}/.ssh/migrate-unit.push -p 2222 " in opening


def test_a_host_that_may_not_hold_it_says_why(old: SshHost, tmp_path: Path) -> None:
    (tmp_path / "forbidden").touch()
    with pytest.raises(HostError, match="cannot hold a port") as failed, pushed(old, SCRIPT, "unit"):
        pass
    assert failed.value.seen == "remote port forwarding failed"
    assert "AllowTcpForwarding" in (failed.value.advice or "")


def test_a_connection_of_the_operator_that_breaks_ends_it(
    old: SshHost, tmp_path: Path, server: Server
) -> None:
    with pushed(old, SCRIPT, "unit"):
        server.hang_up()
    waited = 0
    while (tmp_path / "open").exists() and waited < 10_000_000:
        waited += 1
    assert not (tmp_path / "open").exists()


@pytest.mark.parametrize(
    ("openssh", "parts"),
    [
        ((9, 2), ["restrict,port-forwarding,", f'permitlisten="127.0.0.1:{push_port("unit")}"']),
        ((7, 4), ["restrict,port-forwarding,"]),
        ((6, 6), ["no-pty,no-agent-forwarding,no-X11-forwarding,"]),
    ],
)
def test_its_key_may_hold_that_port_and_nothing_else(openssh: tuple[int, int], parts: list[str]) -> None:
    text = restrictions("unit", openssh)
    for part in [*parts, 'permitopen="127.0.0.1:1"', 'command="/bin/false"']:
        assert part in text
    assert ("permitlisten" in text) == (openssh >= (7, 8))


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=40))
def test_the_port_is_none_that_systems_give_away(name: str) -> None:
    assert 20000 <= push_port(name) < 30000 < 32768
    assert push_port(name) == push.push_port(name)
