"""One connection whose key is known, for everything that is read and done; and clear words where there is none."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from migrator.errors import CommandFailed, HostError, HostKeyError
from migrator.hosts import channel as channel_module
from migrator.hosts.base import Output
from migrator.hosts.known_hosts import fingerprint
from migrator.hosts.ssh import SshHost
from migrator.plan import HostPlan
from migrator.retry import RECONNECT
from tests.hosts.server import Server


@pytest.fixture(autouse=True)
def nobody_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.close()


@pytest.fixture
def plan(server: Server, tmp_path: Path) -> HostPlan:
    known = tmp_path / "known_hosts"
    known.write_text(server.known_hosts)
    return HostPlan(
        f"mover@127.0.0.1:{server.port}", ("127.0.0.1",), identity_file=server.key_file, known_hosts=known
    )


@pytest.fixture
def host(plan: HostPlan) -> Iterator[SshHost]:
    host = SshHost("old", plan, "unit-ssh", sleep=lambda _seconds: None)
    yield host
    host.close()


def opened(plan: HostPlan, **changes: object) -> SshHost:
    return SshHost("old", replace(plan, **changes), "unit-ssh", sleep=lambda _seconds: None)  # type: ignore[arg-type]


def test_everything_goes_over_one_connection(host: SshHost, server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"caf\xe9\n")
    assert host.read("cat", str(tmp_path / "file")).stdout == "caf\udce9\n"
    assert host.read("grep", "-c", "x", "-", stdin="x\ny\nx").stdout == "2\n"
    assert host.inspect("echo out; echo err >&2; exit 3") == Output(3, "out\n", "err\n")
    assert host.perform("echo done; exit 4", timeout=20).status == 4
    assert server.connections == 1
    assert set(server.commands) == {"sh -s"}


def test_looks_go_on_after_the_connection_broke_under_shells_that_waited(
    host: SshHost, server: Server
) -> None:
    for _ in range(8):
        assert host.inspect("echo here").stdout == "here\n"
    server.hang_up()
    assert host.inspect("echo here again").stdout == "here again\n"
    assert server.connections == 2


def test_files_are_read_in_one_round_trip_whatever_they_are_called(
    host: SshHost, server: Server, tmp_path: Path
) -> None:
    contents = {"plain": "text\n", "no end": "text", "empty": "", "quo'te $(id)": "\nlines\n\n", "-dash": "x"}
    for name, text in contents.items():
        (tmp_path / name).write_text(text)
    paths = {str(tmp_path / name): text for name, text in contents.items()}
    wanted = paths | {str(tmp_path / "none"): None, f"{tmp_path}/plain/below": None}
    assert host.read_files(list(wanted)) == wanted
    assert server.commands == ["sh -s"]
    with pytest.raises(CommandFailed, match="cannot be read"):
        host.read_file(str(tmp_path))


def test_a_program_that_could_change_something_is_never_sent(host: SshHost, server: Server) -> None:
    with pytest.raises(ValueError, match="only inspect"):
        host.read("rm", "-rf", "/")
    assert server.connections == 0


def test_lines_of_a_streaming_script_come_as_they_are(host: SshHost) -> None:
    lines: list[str] = []
    output = host.perform("printf 'a\\rb\\nc'", timeout=20, on_line=lines.append)
    assert (lines, output.status) == (["a", "b", "c"], 0)


def test_a_connection_that_died_is_opened_anew(host: SshHost, server: Server) -> None:
    host.read("id")
    server.hang_up()
    assert host.read("id").status == 0
    assert server.connections == 2


def test_a_connection_that_breaks_in_the_middle_of_a_change_is_an_error(
    host: SshHost, server: Server
) -> None:
    host.read("id")
    with pytest.raises(HostError, match="connection ended"):
        host.perform("echo started; sleep 5", timeout=20, on_line=lambda _line: server.hang_up())


def test_a_connection_that_takes_no_command_is_told_with_its_cure(
    host: SshHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hangs_up(*_arguments: object, **_options: object) -> None:
        raise EOFError

    monkeypatch.setattr("migrator.hosts.ssh.Running.start", hangs_up)
    with pytest.raises(HostError, match="connection broke") as caught:
        host.read("id")
    assert (caught.value.host, caught.value.seen) == ("old", "EOFError")
    assert "run the same command again" in (caught.value.advice or "")


class TestBounds:
    """A host that prints what nobody asked for, or never ends, is given up with words that help."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(channel_module, "LONGEST_OUTPUT", 100_000)
        monkeypatch.setattr(channel_module, "KEPT", 10_000)
        monkeypatch.setattr(channel_module, "LONGEST_LINE", 1_000)

    def test_silence_ends_with_the_time(self, host: SshHost) -> None:
        with pytest.raises(HostError, match="took too long") as caught:
            host.perform("sleep 4", timeout=0.5)
        assert (caught.value.host, "ps, df" in (caught.value.advice or "")) == ("old", True)

    @pytest.mark.parametrize("where", ["1", "2"], ids=["output", "errors"])
    def test_endless_output_is_given_up(self, host: SshHost, where: str) -> None:
        with pytest.raises(HostError, match="printed more than") as caught:
            host.inspect(f"while echo endless; do :; done >&{where}")
        assert caught.value.advice

    @pytest.mark.parametrize("how", ["while :; do sleep 1; done", "cat /dev/zero", "yes '\\000\\377'"])
    def test_a_stream_that_never_ends_is_ended_by_its_time(self, host: SshHost, how: str) -> None:
        with pytest.raises(HostError, match="took too long"):
            host.perform(how, timeout=1, on_line=lambda _line: None)

    def test_of_a_long_stream_every_line_is_seen_and_the_end_is_kept(self, host: SshHost) -> None:
        lines: list[str] = []
        output = host.perform("seq 100000", timeout=20, on_line=lines.append)
        assert (len(lines), output.status) == (100_000, 0)
        assert output.stdout.endswith("99999\n100000\n")
        assert len(output.stdout) < 30_000

    def test_a_line_without_an_end_comes_in_parts(self, host: SshHost) -> None:
        lines: list[str] = []
        host.perform("head -c 400000 /dev/zero | tr '\\000' x", timeout=20, on_line=lines.append)
        assert "".join(lines) == "x" * 400_000
        assert max(map(len, lines)) < 100_000

    def test_binary_output_is_text_that_can_be_told(self, host: SshHost) -> None:
        output = host.inspect("printf '\\377\\000\\033[2J\\342\\202'")
        assert output.stdout == "\udcff\0\x1b[2J\udce2\udc82"


def test_an_unknown_host_key_is_refused_with_what_to_do(
    plan: HostPlan, server: Server, tmp_path: Path
) -> None:
    with pytest.raises(HostKeyError) as caught:
        opened(plan, known_hosts=tmp_path / "none").read("id")
    seen = fingerprint(server.host_key.asbytes())
    assert "host key" in caught.value.message
    assert seen in (caught.value.seen or "")
    assert f'host_key = "{seen}"' in (caught.value.advice or "")
    assert f"ssh-keyscan -p {server.port} 127.0.0.1" in (caught.value.advice or "")
    assert server.commands == []


def test_a_changed_host_key_is_refused_once_and_not_retried(plan: HostPlan, server: Server) -> None:
    other = paramiko.ECDSAKey.generate(bits=256)
    plan.known_hosts.write_text(f"[127.0.0.1]:{server.port} {other.get_name()} {other.get_base64()}\n")
    with pytest.raises(HostKeyError, match=r"host key .* is NOT the known one") as caught:
        opened(plan).read("id")
    assert "ssh-keygen -R" in (caught.value.advice or "")
    assert server.connections == 1


def test_a_pinned_key_counts_instead_of_known_hosts(plan: HostPlan, server: Server, tmp_path: Path) -> None:
    nobody = tmp_path / "none"
    pin = fingerprint(server.host_key.asbytes())
    host = opened(plan, known_hosts=nobody, host_key=pin)
    assert host.read("id").status == 0
    host.close()
    with pytest.raises(HostKeyError, match=r"host key .* is NOT the pinned one") as caught:
        opened(plan, host_key="SHA256:other").read("id")
    assert (caught.value.expected, pin in (caught.value.seen or "")) == ("SHA256:other", True)


def test_a_user_who_is_not_let_in_is_named_and_not_tried_again(plan: HostPlan, server: Server) -> None:
    with pytest.raises(HostError, match="does not let stranger in") as caught:
        opened(plan, ssh=f"stranger@127.0.0.1:{server.port}").read("id")
    assert str(server.key_file) in (caught.value.expected or "")
    assert server.connections == 1


def test_a_host_too_busy_to_answer_a_login_is_asked_again(
    plan: HostPlan, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migrator.hosts.connection.ANSWER_TIMEOUT", 1.0)
    server.slow_logins = 1
    host = SshHost("old", plan, "unit-ssh", sleep=lambda _seconds: server.awake.set())
    assert host.read("id").status == 0
    assert server.connections == 2
    host.close()


def test_a_host_that_is_not_there_is_tried_again_and_then_named(plan: HostPlan, server: Server) -> None:
    server.close()
    waits: list[float] = []
    with pytest.raises(HostError, match="cannot be reached by ssh") as caught:
        SshHost("old", plan, "unit-ssh", sleep=waits.append).read("id")
    assert len(waits) == 4
    assert caught.value.host == "old"


def test_a_host_that_answered_before_is_given_the_time_of_a_reboot(plan: HostPlan, server: Server) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if sum(waits) > 40 and len(waits) == 14:
            server.open()

    host = SshHost("old", plan, "unit-ssh", sleep=sleep)
    host.read("id")
    server.close()
    assert host.read("id").status == 0
    assert len(waits) == 14
    host.close()


def test_a_host_that_answered_before_and_never_does_again_is_given_up(plan: HostPlan, server: Server) -> None:
    waits: list[float] = []
    host = SshHost("old", plan, "unit-ssh", sleep=waits.append)
    host.read("id")
    server.close()
    with pytest.raises(HostError, match="cannot be reached by ssh") as caught:
        host.read("id")
    assert "run the same command again" in (caught.value.advice or "")
    assert len(waits) == RECONNECT.attempts - 1


def test_sudo_runs_the_same_script_as_root_and_says_where_it_may_not(plan: HostPlan, server: Server) -> None:
    server.program("sudo", '[ "$1" = -n ] && shift && exec "$@"\n')
    host = opened(plan, sudo=True)
    assert host.perform("echo as root", timeout=20).stdout == "as root\n"
    assert server.commands == ["sudo -n sh -s"]
    server.program("sudo", "echo 'sudo: a password is required' >&2; exit 1\n")
    with pytest.raises(HostError, match="sudo does not let") as caught:
        host.read("id")
    assert "NOPASSWD" in (caught.value.advice or "")
    host.close()


def test_ssh_config_is_honoured(
    plan: HostPlan, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = Path.home() / ".ssh"
    folder.mkdir()
    (folder / "config").write_text(
        f"Host oldmail\n  HostName 127.0.0.1\n  Port {server.port}\n  User mover\n  IdentityFile {server.key_file}\n"
    )
    host = opened(plan, ssh="oldmail", identity_file=None)
    assert host.endpoint() == ("127.0.0.1", server.port, "mover")
    assert host.read("id").status == 0
    line = host.host_key_line("198.51.100.10", 22)
    assert line == f"198.51.100.10 {server.host_key.get_name()} {server.host_key.get_base64()}\n"
    host.close()


def test_a_change_takes_a_shell_that_waits_only_while_the_connection_was_heard_of(
    host: SshHost, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(8):
        host.inspect("echo here")
    known = len(server.commands)
    assert host.perform("echo done", timeout=20).stdout == "done\n"
    monkeypatch.setattr("migrator.hosts.ssh.RECENT", 0.0)
    server.hang_up()
    assert host.perform("echo done", timeout=20).stdout == "done\n"
    assert server.connections == 2
    assert len(server.commands) > known
