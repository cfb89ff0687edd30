"""Whatever the login shell is and prints: what comes back is the script's own, or the shell is told by name."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.errors import HostError
from migrator.hosts.base import Output
from migrator.hosts.facts import look
from migrator.hosts.framing import Frame
from migrator.hosts.ssh import SshHost
from migrator.plan import HostPlan
from tests.hosts.server import Server

GREETING = "Welcome to the old mail server"
TALKERS = {
    "bash with a .bashrc": ("bash", f"echo '{GREETING}'\n"),
    "on both streams": ("bash", f"echo '{GREETING}'; echo '{GREETING}' >&2\n"),
    "on its errors alone": ("bash", f"echo '{GREETING}' >&2\n"),
    "without the end of a line": ("bash", f"printf '{GREETING}'\n"),
    "with odd bytes": ("bash", f"printf '{GREETING}\\n\\377\\000\\n\\n'\n"),
    "that takes a line away": ("bash", f"echo '{GREETING}'; read -r answer\n"),
    "that asks": ("bash", f"read -r -t 0.2 -p '{GREETING}' answer; echo '{GREETING}'\n"),
    "much": ("bash", f"i=0; while [ $i -lt 3000 ]; do echo '{GREETING}'; i=$((i+1)); done\n"),
}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    server = Server(tmp_path)
    yield server
    server.close()


@pytest.fixture
def host(server: Server, tmp_path: Path) -> Iterator[SshHost]:
    known = tmp_path / "known_hosts"
    known.write_text(server.known_hosts)
    ssh = f"mover@127.0.0.1:{server.port}"
    plan = HostPlan(ssh, ("127.0.0.1",), identity_file=server.key_file, known_hosts=known)
    host = SshHost("old", plan, "unit-login", sleep=lambda _seconds: None)
    yield host
    host.close()


def talks(server: Server, tmp_path: Path, start_up: str) -> None:
    """Let the host's login shell read a file first, as bash does for sshd."""
    (tmp_path / "bashrc").write_text(start_up)
    server.login_shell = (shutil.which("bash") or "bash", "-c")
    server.environment["BASH_ENV"] = str(tmp_path / "bashrc")


@pytest.fixture(params=[start_up for _, start_up in TALKERS.values()], ids=list(TALKERS))
def talker(request: pytest.FixtureRequest, server: Server, tmp_path: Path, host: SshHost) -> SshHost:
    # Only the login shell talks: what it starts is a sh, which reads no such file.
    talks(server, tmp_path, f"unset BASH_ENV\n{request.param}")
    return host


def test_results_are_those_of_a_shell_that_is_silent(talker: SshHost, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1\n")
    (tmp_path / "two").write_text("\n2")
    paths = [str(tmp_path / name) for name in ("one", "two", "none")]
    for _ in range(5):  # also by shells that wait
        assert talker.read("cat", paths[0]).stdout == "1\n"
        assert list(talker.read_files(paths).values()) == ["1\n", "\n2", None]
        assert talker.inspect("echo out; echo err >&2; exit 3") == Output(3, "out\n", "err\n")
        assert talker.perform("echo done; exit 4", timeout=20) == Output(4, "done\n", "")
    lines: list[str] = []
    assert talker.perform("echo a; echo b", timeout=20, on_line=lines.append).stdout == "a\nb\n"
    assert lines == ["a", "b"]


def test_a_stream_that_others_serve_begins_with_the_scripts_own(talker: SshHost) -> None:
    channel = talker.raw("exec 3<&0; echo ready; cat <&3")
    channel.sendall(b"\x00\xffit's\n")
    channel.shutdown_write()
    received = b""
    while piece := channel.recv(4096):
        received += piece
    assert received == b"ready\n\x00\xffit's\n"


def test_what_it_prints_is_in_the_facts(talker: SshHost) -> None:
    assert GREETING in look(talker, peer="198.51.100.20", mail_spool="/var/mail").greeting


def test_a_silent_shell_has_no_greeting(host: SshHost) -> None:
    assert look(host, peer="198.51.100.20", mail_spool="/var/mail").greeting == ""


@pytest.mark.parametrize(
    ("shell", "seen"),
    [
        ("echo 'This account is currently not available.'; exit 1\n", "not available"),
        ("cat >/dev/null & echo 'open terminal failed: not a terminal' >&2; exit 1\n", "not a terminal"),
        ("exit 0\n", "nothing, and exit status 0"),
        ("while read -r line; do :; done </dev/stdin & kill $!; exit 0\n", "exit status 0"),
    ],
    ids=["nologin", "tmux", "nothing", "eats"],
)
def test_a_login_shell_that_runs_nothing_is_told_and_nothing_counts_as_done(
    host: SshHost, server: Server, tmp_path: Path, shell: str, seen: str
) -> None:
    server.program("nologin", shell)
    server.login_shell = (str(server.bin / "nologin"), "-c")
    deeds = (
        lambda: host.read("id"),
        lambda: host.perform(f"touch {tmp_path}/done", timeout=20),
        lambda: host.perform("echo a", timeout=20, on_line=lambda _line: None),
        lambda: host.raw("cat"),
    )
    for deed in deeds:
        with pytest.raises(HostError, match="login shell of the old host does not run") as caught:
            deed()
        assert seen in (caught.value.seen or "")
        assert "chsh" in (caught.value.advice or "")
    assert not (tmp_path / "done").exists()


@pytest.mark.parametrize("said", ["Leider nicht.", "sudo-rs: interactive authentication is required"])
def test_sudo_that_refuses_in_any_words_is_told_as_sudo(server: Server, host: SshHost, said: str) -> None:
    host._sudo = True
    server.program("sudo", f"echo '{said}' >&2; exit 1\n")
    for deed in (lambda: host.read("id"), lambda: host.raw("cat")):
        with pytest.raises(HostError, match="sudo does not let") as caught:
            deed()
        assert caught.value.seen == said


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_mark_is_found_however_it_comes(size: int) -> None:
    frame = Frame()
    mark = frame.begin().rpartition(b" ")[0].rpartition(b" ")[2] + b"\n"
    text = b"hello\n" + mark[:-3] + b"\n" + mark + b"own " + mark
    stream = frame.stream()
    own = b"".join(stream.feed(text[at : at + size]) for at in range(0, len(text), size))
    assert own == b"own " + mark
    assert stream.before == b"hello\n" + mark[:-3] + b"\n"
