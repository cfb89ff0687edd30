"""Whether a host gets into another's port 25 is told by a dialogue, held by bash or by perl, and always ends."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from migrator.hosts import reach
from migrator.hosts.reach import Reached, parse, script

GREETING = "220-mail.example.test ESMTP\r\n220 have patience\r\n"


@contextmanager
def server(*replies: str) -> Iterator[tuple[int, list[str]]]:
    """Give the port of a server that sends a greeting, then a reply a line, and what it is sent."""
    heard: list[str] = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rw", newline="") as wire:
            for reply in replies:
                wire.write(reply)
                wire.flush()
                line = wire.readline()
                heard.append(line)
                if not line or line.startswith("QUIT"):
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1], heard
        thread.join(5)


def run(port: int, folder: Path, programs: Sequence[str], shell: str = "sh", **asked: str) -> Reached:
    """Run the script against a port of this machine, with these programs alone beside sh."""
    for name in (*programs, "sleep", "sh"):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    text = script(["127.0.0.1"], **asked).replace('"/dev/tcp/$1/25"', f'"/dev/tcp/$1/{port}"')
    text = text.replace("PeerPort => 25", f"PeerPort => {port}")
    ran = shutil.which(shell)
    assert ran
    done = subprocess.run(
        [ran, "-c", text], env={"PATH": str(folder)}, capture_output=True, text=True, timeout=30, check=False
    )
    (found_,) = parse(done.stdout, ["127.0.0.1"])
    return found_


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize("program", ["bash", "perl"])
class TestDialogue:
    def test_a_greeting_says_that_somebody_got_in(self, tmp_path: Path, program: str, shell: str) -> None:
        with server(GREETING) as (port, heard):
            found = run(port, tmp_path, [program], shell)
        assert found == Reached("127.0.0.1", True, "banner", 220, "220 have patience")
        assert found.greeted
        assert not found.taken
        assert heard == ["QUIT\r\n"]

    def test_a_recipient_is_asked_for(self, tmp_path: Path, program: str, shell: str) -> None:
        with server(GREETING, "250-hello\r\n250 HELP\r\n", "250 ok\r\n", "250 2.1.5 ok\r\n") as (port, heard):
            found = run(
                port, tmp_path, [program], shell, name="old.example.test", recipient="u's@example.test"
            )
        assert found.taken
        assert heard == [
            "EHLO old.example.test\r\n",
            "MAIL FROM:<>\r\n",
            "RCPT TO:<u's@example.test>\r\n",
            "QUIT\r\n",
        ]

    @pytest.mark.parametrize("code", [450, 550])
    def test_who_is_refused_got_in_all_the_same(
        self, tmp_path: Path, program: str, shell: str, code: int
    ) -> None:
        with server(GREETING, "250 hello\r\n", "250 ok\r\n", f"{code} no\r\n") as (port, _):
            found = run(port, tmp_path, [program], shell, name="x", recipient="u@example.test")
        assert (found.greeted, found.taken, found.code) == (True, False, code)

    def test_a_banner_that_refuses_lets_nobody_in(self, tmp_path: Path, program: str, shell: str) -> None:
        with server("421 4.3.2 busy\r\n") as (port, _):
            found = run(port, tmp_path, [program], shell)
        assert (found.connected, found.greeted, str(found)) == (True, False, "127.0.0.1: 421 4.3.2 busy")

    def test_a_closed_port_is_told_as_that(self, tmp_path: Path, program: str, shell: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        found = run(port, tmp_path, [program], shell)
        assert (found.connected, found.text) == (False, "Connection refused")

    def test_a_server_without_a_word_is_left_in_time(
        self, tmp_path: Path, program: str, shell: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reach, "PATIENCE", 1)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            found = run(listener.getsockname()[1], tmp_path, [program], shell)
        assert (found.connected, found.greeted) == (True, False)
        assert found.text == "connected, no greeting within 1 s"


def test_a_host_without_either_program_tells_nothing(tmp_path: Path) -> None:
    found = run(25, tmp_path, [], "dash")
    assert (found.told, found.greeted) == (False, False)


def test_a_bash_without_network_leaves_it_to_perl(tmp_path: Path) -> None:
    bash = tmp_path / "bash"
    bash.write_text("#!/bin/sh\necho 'bash: /dev/tcp/127.0.0.1/25: No such file or directory' >&2\nexit 3\n")
    bash.chmod(0o755)
    with server(GREETING) as (port, _):
        assert run(port, tmp_path, ["perl"], "dash").greeted


def test_an_output_that_tells_nothing_is_no_answer() -> None:
    assert [one.told for one in parse("", ["192.0.2.1", "192.0.2.2"])] == [False, False]


def test_a_banner_cannot_speak_for_another_address() -> None:
    text = "reach 192.0.2.1\nconnected\n< banner 554 reach 192.0.2.2 < banner 220\nended 0\n"
    first, second = parse(text, ["192.0.2.1", "192.0.2.2"])
    assert (first.greeted, second.told) == (False, False)


def test_the_script_needs_no_timeout_program() -> None:
    assert not re.search(r"\btimeout\b", script(["192.0.2.1"]))
