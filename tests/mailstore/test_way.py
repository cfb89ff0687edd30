"""One connection serves a whole pass; where it is gone, each command makes its own."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.mailstore import way
from migrator.mailstore.way import Way
from tests.hosts.server import Server


class NewHost:
    """The new host's side: a home folder with the key, a folder of state, and the ssh of this machine."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder = folder
        self.server = server
        ssh = folder / ".ssh"
        ssh.mkdir(mode=0o700)
        (ssh / "migrate-unit").write_bytes(server.key_file.read_bytes())
        (ssh / "migrate-unit").chmod(0o600)
        (ssh / "migrate-unit.known_hosts").write_text(server.known_hosts)
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.program("getent", f"echo mover:x:1:1::{folder}:/bin/sh")

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.bin / name).chmod(0o755)

    @property
    def way(self) -> Way:
        return Way("unit", "127.0.0.1", self.server.port, "mover", state=str(self.folder / "state"))

    def run(self, script: str, way: Way | None = None) -> str:
        done = subprocess.run(
            ["sh", "-c", "set -e\n" + (way or self.way).open_script() + script],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}"},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def new(tmp_path: Path) -> Iterator[NewHost]:
    home = Path(tmp_path, "h")
    home.mkdir()
    server = Server(tmp_path)
    host = NewHost(home, server)
    yield host
    subprocess.run(["sh", "-c", host.way.close_script()], check=True)
    server.close()


def test_all_commands_go_through_one_connection(new: NewHost) -> None:
    asked = new.way.remote("echo", "one")
    assert new.run(asked) == "one\n"
    assert new.run(f"number=2\n{asked}\n{new.way.remote('echo', '$number')}") == "one\n2\n"
    assert new.server.connections == 1


def test_the_socket_is_roots_alone(new: NewHost) -> None:
    new.run("")
    assert Path(new.way.control).stat().st_mode & 0o777 == 0o600
    assert Path(new.way.control).parent.stat().st_mode & 0o777 == 0o700
    assert len(Way.to("n" * 40, ("h", 22, "u")).control) < 80  # ssh adds 17 while it makes it; unix(7): 107


def test_opening_keeps_neither_the_scripts_streams_nor_its_lock(new: NewHost) -> None:
    began = time.monotonic()
    lock = new.folder / "lock"
    # The streams are pipes here, so a connection that kept one would hold `run` until it is idle.
    assert new.run(f"exec 9>&-; flock -n {lock} echo free") == "free\n"
    done = subprocess.run(
        ["sh", "-c", f"exec 9>>{lock}; flock 9\n{new.way.open_script()}"],
        env={**os.environ, "PATH": f"{new.bin}:{os.environ['PATH']}"},
        check=False,
    )
    assert done.returncode == 0
    assert subprocess.run(["flock", "-n", str(lock), "true"], check=False).returncode == 0
    assert time.monotonic() - began < 15


def test_without_a_shared_connection_each_command_has_its_own(new: NewHost) -> None:
    new.run("")
    new.server.hang_up()
    new.run(f"{new.way.close_script()}{new.way.remote('echo', 'alone')}")
    assert new.run(new.way.remote("echo", "again")) == "again\n"


def test_where_none_can_be_opened_the_script_goes_on(new: NewHost) -> None:
    (new.folder / ".ssh" / "migrate-unit.known_hosts").write_text("")
    assert new.run("echo on") == "on\n"
    assert new.server.commands == []


def test_closing_ends_the_connection(new: NewHost) -> None:
    new.run("")
    subprocess.run(["sh", "-c", new.way.close_script()], check=True)
    assert not Path(new.way.control).exists()
    subprocess.run(["sh", "-c", new.way.close_script()], check=True)


def test_a_port_of_the_loopback_shows_the_host_key_of_the_old_host(new: NewHost) -> None:
    known = new.folder / ".ssh" / "migrate-unit.known_hosts"
    known.write_text(known.read_text().replace(f"[127.0.0.1]:{new.server.port}", "[old.example.test]:2222"))
    through = Way("unit", "OLD.example.test", 2222, "mover", loopback=new.server.port, state=new.way.state)
    assert new.run(through.remote("echo", "one"), through) == "one\n"


@pytest.mark.parametrize(
    ("named", "chosen"), [(way.FAST_CIPHERS, way.FAST_CIPHERS), ("^rot13", ""), ("", "")]
)
def test_ciphers_that_this_ssh_does_not_know_are_left_out(new: NewHost, named: str, chosen: str) -> None:
    (new.folder / ".ssh" / "migrate-unit.ciphers").write_text(f"{named}\n")
    assert new.run('echo "$ciphers"') == f"{chosen}\n"
    assert new.run(new.way.remote("echo", "in")) == "in\n"


def test_rsync_gets_this_way_as_its_shell(new: NewHost) -> None:
    new.program("rsync", 'shift; sh -c "$1 mover@127.0.0.1 echo through"; echo "$2"')
    for shared, connections in ((True, 1), (False, 2)):
        said = new.run(f"rsync {new.way.rsync_words(3, shared=shared)}")
        assert said == "through\n--rsync-path=migrate-tree-3\n"
        assert new.server.connections == connections


def test_an_address_of_ipv6_is_put_in_brackets_for_rsync() -> None:
    assert Way.to("unit", ("2001:db8::1", 22, "root")).source == "'root@[2001:db8::1]:.'"
    assert Way.to("unit", ("2001:db8::1", 22, "root"), loopback=4022).source == "root@127.0.0.1:."
    assert Way.to("unit", ("2001:db8::1", 22, "root")).destination == "root@2001:db8::1"


@pytest.mark.parametrize("words", [(), ("a b",), ("$(id)",), ("a;id",), ("",), ("`id`",), ('"',), ("a\n",)])
def test_what_is_no_word_never_meets_a_shell(words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="no words"):
        Way.to("unit", ("h", 22, "u")).remote(*words)


def test_a_knock_has_a_connection_of_its_own(new: NewHost) -> None:
    new.run("")
    new.server.hang_up()
    script = new.way.knock_script()
    for part in (
        "/.ssh/migrate-unit",
        "StrictHostKeyChecking=yes",
        "ControlPath=none",
        "migrate-hello </dev/null",
    ):
        assert part in script
    assert new.run(script.replace("migrate-hello", "echo answered")) == "answered\n"
