"""Commands are performed, and each failure says what, where, what was seen and what to do."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from migrator.change import BringHome, DnsUpdate, FileEdit, Note, Rsync, SendProbe, Shell, Upload
from migrator.errors import CommandFailed, DnsError, Refused, SmtpError, VerifyFailed
from migrator.event import Event, Kind
from migrator.executor import LiveExecutor
from migrator.hosts.base import Output
from migrator.hosts.script import BUSY
from migrator.hosts.upload import CHANGED
from migrator.mailstore.copying_script import CANNOT_TELL
from migrator.mailstore.spared import Places, Spared
from migrator.net import smtp
from migrator.plan import SyncTree
from tests.fakes import NOON, FakeHost, make_plan

STATS = "Number of files: 7 (reg: 4)\nNumber of regular files transferred: 4\nTotal transferred file size: 10 bytes\n"


class Host(FakeHost):
    """A fake host that knows how it is reached."""

    def endpoint(self) -> tuple[str, int, str]:
        return "198.51.100.10", 2222, "mover"


class Stage:
    """An executor, its two hosts, and the events it gave."""

    def __init__(self, **changes: Any) -> None:
        self.old, self.new = Host("old"), Host("new")
        self.events: list[Event] = []
        hosts = {"old": self.old, "new": self.new}
        self.slept: list[float] = []
        self.executor = LiveExecutor(
            make_plan(**changes),
            hosts,  # type: ignore[arg-type]
            notify=self.events.append,
            now=lambda: NOON,
            sleep=self.slept.append,
        )


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_script_runs_on_its_host(stage: Stage) -> None:
    assert stage.executor.execute(Shell("new", "echo hello"))
    assert (stage.new.performed, stage.old.performed) == (["echo hello"], [])


def test_a_script_that_fails_says_where_and_what(stage: Stage) -> None:
    stage.old.on("broken", Output(4, "", "no space left\n"))
    with pytest.raises(CommandFailed) as caught:
        stage.executor.execute(Shell("old", "broken"))
    assert (caught.value.host, caught.value.status) == ("old", 4)
    assert caught.value.seen == "exit status 4: no space left"


def test_a_host_that_is_busy_is_told_as_such(stage: Stage) -> None:
    stage.old.on("script", Output(BUSY, "", "another script of this migration still runs on this host\n"))
    with pytest.raises(CommandFailed) as caught:
        stage.executor.execute(Shell("old", "script"))
    assert "wait until it has ended" in (caught.value.advice or "")


def test_a_full_disk_is_told_as_such(stage: Stage) -> None:
    stage.new.on("script", Output(1, "", "cp: error writing '/etc/x': No space left on device\n"))
    stage.new.on("rsync", Output(23, STATS, "rsync: mkstemp failed: No space left on device (28)\n"))
    for command in (Shell("new", "script"), Rsync((0,))):
        with pytest.raises(CommandFailed) as caught:
            stage.executor.execute(command)
        assert caught.value.host == "new"
        assert "see df -h and df -i there, make room" in (caught.value.advice or "")


def test_files_go_as_one_script_and_a_foreign_edit_stops_them(stage: Stage) -> None:
    upload = Upload("old", (FileEdit("/etc/mail/access", b"a", b"b"),), then="make")
    assert stage.executor.execute(upload)
    assert "/etc/mail/access" in stage.old.performed[0]
    stage.old.on("access", Output(CHANGED, "", "/etc/mail/access was changed by somebody else\n"))
    with pytest.raises(CommandFailed, match="nothing was written") as caught:
        stage.executor.execute(upload)
    assert "somebody else" in (caught.value.seen or "")


def test_a_pass_is_pulled_by_the_new_host_and_counted(stage: Stage) -> None:
    stage.new.on("rsync", Output(0, f"  1,000  50%  1.00MB/s    0:00:08\n{STATS}", ""))
    assert stage.executor.execute(Rsync((0,), delete=True))
    assert "--delete-after" in stage.new.performed[0]
    assert "mover@198.51.100.10:." in stage.new.performed[0]
    progress, message = stage.events
    assert (progress.kind, progress.data["percent"], progress.data["remaining"]) == (Kind.PROGRESS, 50, 8)
    assert progress.text == "/var/spool/mail/: 1,000 bytes, 50 %, 1.0 MB/s, 0:00:08 to go"
    assert (message.kind, message.data["copied"], message.data["bytes"]) == (Kind.MESSAGE, 4, 10)


def test_the_first_pass_tells_how_far_all_trees_are(stage: Stage) -> None:
    stage.new.on(
        "rsync", Output(0, f"size 0 2000\nsize 1 6000\n  2,000  25%  1.00MB/s    0:00:08\n{STATS}", "")
    )
    assert stage.executor.execute(Rsync((0,)))
    progress, _message = stage.events
    assert progress.data["overall"]["percent"] == 25
    assert "; of all trees 25 %, " in progress.text


class TestChanges:
    """What changed is copied of all trees at once, and each of them has its own end."""

    def told(self, *ends: int) -> Output:
        lines = [f"{tree} out {line}\n" for tree in range(len(ends)) for line in STATS.splitlines()]
        lines += [f"{tree} said why\n{tree} status {end}\n" for tree, end in enumerate(ends)]
        return Output(0, "".join(lines), "")

    @pytest.fixture
    def stage(self) -> Stage:
        return Stage(sync=(SyncTree("/var/mail/", "/var/mail/"), SyncTree("/srv/mail/", "/srv/mail/")))

    def test_one_script_does_for_all(self, stage: Stage) -> None:
        stage.new.on("changed_pass", self.told(0, 0))
        assert stage.executor.execute(Rsync((0, 1), scope="changed"))
        (script,) = stage.new.performed
        assert ("/var/mail/" in script, "/srv/mail/" in script) == (True, True)
        assert [event.data["copied"] for event in stage.events if event.kind is Kind.MESSAGE] == [4, 4]

    def test_where_only_a_whole_pass_can_tell_that_tree_alone_is_looked_at(self, stage: Stage) -> None:
        stage.new.on("whole_pass$", Output(0, STATS, ""))
        stage.new.on("changed_pass", self.told(0, CANNOT_TELL))
        assert stage.executor.execute(Rsync((0, 1), scope="changed"))
        assert "/srv/mail/: everything is looked at. why" in [event.text for event in stage.events]
        assert len(stage.new.performed) == 2
        assert "/var/mail/" not in stage.new.performed[1]

    def test_one_that_fails_fails_the_pass(self, stage: Stage) -> None:
        stage.new.on("changed_pass", self.told(0, 23))
        with pytest.raises(CommandFailed, match="rsync of /srv/mail/ failed"):
            stage.executor.execute(Rsync((0, 1), scope="changed"))

    def test_one_whose_end_is_not_told_has_not_succeeded(self, stage: Stage) -> None:
        stage.new.on("changed_pass", self.told(0))
        with pytest.raises(CommandFailed, match="rsync of /srv/mail/ failed"):
            stage.executor.execute(Rsync((0, 1), scope="changed"))


def test_files_that_vanish_from_under_a_final_pass_fail_it_only_for_now(stage: Stage) -> None:
    stage.new.on("rsync", Output(24, STATS, "file has vanished"))
    with pytest.raises(VerifyFailed) as caught:
        stage.executor.execute(Rsync((0,), delete=True))
    assert "something still changes" in (caught.value.advice or "")


@pytest.mark.parametrize("status", [10, 12, 30, 35, 255])
def test_a_pass_whose_connection_broke_is_tried_again_a_little_later(stage: Stage, status: int) -> None:
    outputs = [Output(status, "", "unexplained error"), Output(0, STATS, "")]
    stage.new.on("rsync", lambda _host, _text: outputs.pop(0))
    assert stage.executor.execute(Rsync((0,), delete=True))
    assert stage.events[0].text == (f"/var/spool/mail/: rsync broke off with exit status {status}")
    assert stage.slept == [5]


def test_a_connection_that_breaks_each_time_fails_with_what_to_do(stage: Stage) -> None:
    stage.new.on("rsync", Output(12, "", "connection unexpectedly closed"))
    with pytest.raises(CommandFailed, match="rsync of /var/spool/mail/ failed") as caught:
        stage.executor.execute(Rsync((0,)))
    assert "connection unexpectedly closed" in (caught.value.seen or "")
    assert "the connection between the hosts broke" in (caught.value.advice or "")
    assert stage.slept == [5, 10]


def test_files_that_cannot_be_read_are_not_tried_again(stage: Stage) -> None:
    stage.new.on("rsync", Output(23, "", 'rsync: failed to open "x": Permission denied (13)'))
    with pytest.raises(CommandFailed) as caught:
        stage.executor.execute(Rsync((0,)))
    assert "some files could not be copied" in (caught.value.advice or "")
    assert stage.slept == []


def test_a_note_does_nothing_and_a_probe_raises_as_it_likes(stage: Stage) -> None:
    assert stage.executor.execute(Note())
    assert stage.executor.check(lambda: None) == ""

    def complain() -> None:
        raise VerifyFailed("no")

    with pytest.raises(VerifyFailed):
        stage.executor.check(complain)


def test_records_kept_by_hand_cannot_be_changed(stage: Stage) -> None:
    with pytest.raises(DnsError, match="no way to change"):
        stage.executor.execute(DnsUpdate("mail.example.test", ()))


class Answering:
    """Port 25 of a server that answers each line of a client with the next of its replies."""

    def __init__(self, *replies: str) -> None:
        self.replies = list(replies)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection, connection.makefile("rwb") as stream:
            data = False
            for reply in self.replies:
                stream.write(f"{reply}\r\n".encode())
                stream.flush()
                line = stream.readline()
                if reply.startswith("354"):
                    data = True
                while data and line and line != b".\r\n":
                    line = stream.readline()
                data = False

    def close(self) -> None:
        self.listener.close()
        self.thread.join(10)


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Answering]]:
    servers: list[Answering] = []
    real = smtp.converse

    class Here(Answering):
        def __init__(self, *replies: str) -> None:
            super().__init__(*replies)
            servers.append(self)
            port = self.listener.getsockname()[1]
            monkeypatch.setattr(
                "migrator.executor.live.converse", lambda address, **how: real(address, port, **how)
            )

    yield Here
    for server in servers:
        server.close()


ACCEPTED = ("220 hi", "250 hi", "250 sender", "250 recipient", "354 go", "250 4ATaaa000001 taken", "221 bye")


def test_a_message_is_sent_and_its_whole_dialogue_told(stage: Stage, answering: type[Answering]) -> None:
    answering(*ACCEPTED)
    probe = SendProbe("127.0.0.1", "a@outside.test", "user01@example.test", "token-1")
    assert stage.executor.execute(probe)
    assert "> RCPT TO:<user01@example.test>" in stage.events[0].text
    assert stage.events[0].data == {"address": "127.0.0.1", "token": "token-1"}


def test_a_message_that_is_refused_is_a_failure_with_the_dialogue(
    stage: Stage, answering: type[Answering]
) -> None:
    answering("220 hi", "250 hi", "250 sender", "550 no such user", "250 reset", "221 bye")
    with pytest.raises(SmtpError) as caught:
        stage.executor.execute(SendProbe("127.0.0.1", "a@outside.test", "user01@example.test", "token-1"))
    assert "550 no such user" in (caught.value.seen or "")


@pytest.mark.parametrize(
    ("reply", "good"), [("550 relaying denied", True), ("250 taken", False), ("450 no PTR record", True)]
)
def test_a_stranger_must_be_refused_for_good_or_for_now(
    stage: Stage, answering: type[Answering], reply: str, good: bool
) -> None:
    answering("220 hi", "250 hi", "250 sender", reply, "250 reset", "221 bye")
    probe = SendProbe("127.0.0.1", "a@outside.test", "b@elsewhere.test", "token-1", expect="refused")
    if good:
        assert stage.executor.execute(probe)
        how = "for good" if reply.startswith("5") else "for now"
        assert stage.events[-1].text == f"127.0.0.1 refuses to relay {how}: {reply}"
    else:
        with pytest.raises(SmtpError, match="did not answer as it should"):
            stage.executor.execute(probe)


@pytest.mark.parametrize(
    "replies",
    [("421 busy",), ("220 hi", "250 hi", "451 sender's domain does not resolve", "250 reset", "221 bye"), ()],
    ids=["at the banner", "at the sender", "no connection"],
)
def test_whether_it_relays_is_told_as_unknown_where_nobody_came_as_far(
    stage: Stage, answering: type[Answering], replies: tuple[str, ...]
) -> None:
    if replies:
        answering(*replies)
    probe = SendProbe("127.0.0.1", "a@outside.test", "b@elsewhere.test", "token-1", expect="refused")
    assert stage.executor.execute(probe)
    assert "could not be told from this machine" in stage.events[-1].text


class TestWhatTheHostsKeep:
    def stage(self, *places: str) -> Stage:
        stage = Stage()
        kept = Places((places,), ("/var/spool/mail",))
        hosts = {"old": stage.old, "new": stage.new}
        stage.executor = LiveExecutor(
            make_plan(),
            hosts,  # type: ignore[arg-type]
            notify=stage.events.append,
            spared=lambda: Spared(new=kept),
        )
        return stage

    def test_every_pass_leaves_it_alone(self) -> None:
        stage = self.stage("/var/spool/mail/a/.ssh")
        stage.executor.execute(Rsync((0,), delete=True))
        assert "--exclude=/a/.ssh" in stage.new.performed[0]

    @pytest.mark.parametrize("command", [Rsync((0,)), Rsync((0,), scope="changed", delete=True)])
    def test_a_tree_that_lies_in_it_is_not_copied_at_all(self, command: Rsync) -> None:
        stage = self.stage("/var/spool")
        with pytest.raises(Refused, match="keeps for itself"):
            stage.executor.execute(command)
        assert stage.new.performed == []

    def test_nothing_of_such_a_tree_is_brought_home(self) -> None:
        stage = self.stage("/var/spool")
        stage.old.on("pending", "end\n")
        assert stage.executor.execute(BringHome(0))
        assert "0 files and 0 messages" in stage.events[-1].text
