"""A wrong host key is refused on every way that leads to a host: none of them believes who answers."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from migrator.cli import wiring
from migrator.errors import HostKeyError
from migrator.hosts.ssh import SshHost
from migrator.mailstore.access import KeyPaths, ssh_options
from migrator.mailstore.copying import Pass
from migrator.mailstore.way import Way
from migrator.plan import CopyPlan, HostPlan, SyncTree
from tests.hosts.server import Server

TRUSTING = "StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nVerifyHostKeyDNS yes\nForwardAgent yes\n"


@pytest.fixture(autouse=True)
def nobody_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.close()


def another_key(server: Server) -> str:
    """Return a line of known_hosts that knows the server by a key that it does not have."""
    key = paramiko.ECDSAKey.generate(bits=256)
    return f"[127.0.0.1]:{server.port} {key.get_name()} {key.get_base64()}\n"


class TestOperator:
    """The program's own connections."""

    @pytest.fixture
    def plan(self, server: Server, tmp_path: Path) -> HostPlan:
        known = tmp_path / "known_hosts"
        known.write_text(another_key(server))
        where = f"mover@127.0.0.1:{server.port}"
        return HostPlan(where, ("127.0.0.1",), identity_file=server.key_file, known_hosts=known)

    def ways(self, host: SshHost) -> tuple[object, ...]:
        return (
            lambda: host.read("id"),
            lambda: host.inspect("id"),
            lambda: host.read_file("/etc/hostname"),
            lambda: host.perform("id", timeout=5),
            lambda: host.perform("id", timeout=5, on_line=lambda _line: None),
            lambda: host.raw("id"),
            lambda: host.host_key_line("198.51.100.10", 22),
        )

    def test_nothing_is_sent_to_a_host_with_another_key(self, plan: HostPlan, server: Server) -> None:
        host = SshHost("old", plan, "unit-keys", sleep=lambda _seconds: None)
        for way in self.ways(host):
            with pytest.raises(HostKeyError, match="NOT the known one"):
                way()  # type: ignore[operator]
        assert server.commands == []

    def test_a_trusting_ssh_config_changes_nothing(self, plan: HostPlan, server: Server) -> None:
        folder = Path.home() / ".ssh"
        folder.mkdir()
        (folder / "config").write_text(f"Host *\n{TRUSTING}")
        with pytest.raises(HostKeyError, match="NOT the known one"):
            SshHost("old", plan, "unit-keys", sleep=lambda _seconds: None).read("id")
        assert server.commands == []

    def test_a_host_on_the_way_is_asked_for_its_key_as_well(self, plan: HostPlan, server: Server) -> None:
        folder = Path.home() / ".ssh"
        folder.mkdir()
        (folder / "config").write_text(
            f"Host inner\n  HostName 198.51.100.10\n  ProxyJump mover@127.0.0.1:{server.port}\n"
        )
        inner = replace(plan, ssh="mover@inner")
        with pytest.raises(HostKeyError, match=rf"\[127.0.0.1\]:{server.port} is NOT the known one"):
            SshHost("old", inner, "unit-keys", sleep=lambda _seconds: None).read("id")
        assert server.commands == []

    def test_filling_in_a_plan_believes_nobody_either(
        self, plan: HostPlan, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(wiring, "HostPlan", lambda ssh, addresses: plan)
        with pytest.raises(HostKeyError), wiring.reached(plan.ssh, plan.ssh):
            pass
        assert server.commands == []


class TestBetweenTheHosts:
    """The new host's ssh, which rsync runs over, with whatever its own configuration says."""

    @pytest.fixture
    def keys(self, server: Server, tmp_path: Path) -> KeyPaths:
        (tmp_path / "between").write_text(server.known_hosts)
        return KeyPaths(str(server.key_file), "", str(tmp_path / "between"))

    def run(self, keys: KeyPaths, server: Server, tmp_path: Path) -> subprocess.CompletedProcess[str]:
        config = tmp_path / "config"
        config.write_text(TRUSTING)
        options = [word for option in ssh_options(keys) for word in ("-o", option)]
        argv = ["ssh", "-F", str(config), "-i", keys.private, *options, "-p", str(server.port)]
        argv += ["mover@127.0.0.1", "echo let in"]
        return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)

    def test_the_verified_key_lets_it_in(self, keys: KeyPaths, server: Server, tmp_path: Path) -> None:
        assert self.run(keys, server, tmp_path).stdout == "let in\n"

    @pytest.mark.parametrize("known", ["another", "none"])
    def test_any_other_is_refused(self, keys: KeyPaths, server: Server, tmp_path: Path, known: str) -> None:
        Path(keys.known_hosts).write_text(another_key(server) if known == "another" else "")
        done = self.run(keys, server, tmp_path)
        assert (done.returncode, done.stdout) == (255, "")
        assert "Host key verification failed" in done.stderr
        assert server.commands == []

    def test_the_knock_and_every_pass_go_this_way(self) -> None:
        tree = SyncTree("/var/spool/mail/", "/var/spool/mail/")
        endpoint = ("198.51.100.10", 22, "root")
        scripts = (
            Way.to("example-mail", endpoint).knock_script(),
            Pass("example-mail", 0, tree, Way.to("example-mail", endpoint), CopyPlan()).changed(),
        )
        for script in scripts:
            for option in (
                "StrictHostKeyChecking=yes",
                "GlobalKnownHostsFile=/dev/null",
                "VerifyHostKeyDNS=no",
                "ForwardAgent=no",
            ):
                assert script.count(option) == script.count("IdentitiesOnly=yes") > 0
            assert len(re.findall(r"ssh [^;|\n]*-i ", script)) == script.count("IdentitiesOnly=yes")
