"""Mail is brought home in order: a look, what is carried, mailboxes under their locks; and a failure names them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from migrator.change import BringHome
from migrator.errors import CommandFailed, HostError, MigrateError
from migrator.event import Event
from migrator.executor import DryRunExecutor, LiveExecutor
from migrator.executor import home as homecoming
from migrator.hosts.base import Output
from migrator.mailstore import home
from tests.executor.test_live import Host
from tests.fakes import NOON, make_plan

LISTING = """\
>f+++++++++ 70 user05
>fcst...... 90 user01
>fcst...... 20 notes
cd+++++++++ 4096 u/new/
>f+++++++++ 30 u/new/1
>f+++++++++ 30 u/new/2
"""
MARK = "10 2 3 From a Message-ID: <{}>"


class Stage:
    """Both hosts, what rsync says between them, and what it was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.old, self.new = Host("old"), Host("new")
        self.events: list[Event] = []
        self.listing = Output(0, LISTING, "")
        self.carried = Output(0, "", "")
        self.deeds: list[str] = []
        self.words: list[Sequence[str]] = []
        self.new.on("From ", "0\n1\nend\n")
        self.old.on("want ", "1\nend\n")
        self.old.on("carry ", self._perform)
        self.joined = "joined 0 2\njoined 1 1\nend\n"
        self.old.on("join ", self._perform)
        monkeypatch.setattr(homecoming, "rehearse", self._rehearse)
        monkeypatch.setattr(homecoming, "carry", self._carry)

    @property
    def live(self) -> LiveExecutor:
        hosts = {"old": self.old, "new": self.new}
        return LiveExecutor(make_plan(), hosts, notify=self.events.append, now=lambda: NOON)  # type: ignore[arg-type]

    @property
    def dry(self) -> DryRunExecutor:
        hosts = {"old": self.old, "new": self.new}
        return DryRunExecutor(make_plan(), hosts, notify=self.events.append)  # type: ignore[arg-type]

    def fail(self) -> MigrateError:
        with pytest.raises(MigrateError) as caught:
            self.live.execute(BringHome(0))
        return caught.value

    def _perform(self, _host: object, script: str) -> Output:
        if "join " in script:
            self.deeds.append("join")
            return Output(0, self.joined, "")
        self.deeds.append(
            "list " + " ".join(line[6:] for line in script.splitlines() if line[:6] == "carry ")
        )
        return Output(0, "", "")

    def _rehearse(
        self, sender: Host, receiver: Host, words: Sequence[str], *, source: str, target: str
    ) -> Output:
        assert (sender.name, receiver.name, source, target) == ("new", "old", SPOOL, SPOOL)
        self.words.append(words)
        return self.listing

    def _carry(
        self, sender: Host, receiver: Host, words: Sequence[str], *, source: str, target: str, lock: str
    ) -> Output:
        assert (sender.name, receiver.name) == ("new", "old")
        assert "flock -w" in lock
        assert lock.endswith(f"(enter_tree {target}) || exit 1\n")
        self.words.append(words)
        self.deeds.append(f"carry to {target}")
        return self.carried


SPOOL = "/var/spool/mail/"
HOME = "/var/lib/migrate/example-mail/home-0"


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


def test_files_come_first_and_mailboxes_are_joined_with_copies_beside_the_tree(stage: Stage) -> None:
    assert stage.live.execute(BringHome(0))
    assert stage.deeds == [
        "list u/new u/new/1",
        f"carry to {SPOOL}",
        "list user05 user01",
        f"carry to {HOME}/stage/",
        "join",
    ]
    listing, carrying, staging = stage.words
    assert "--dry-run" in listing
    assert "--ignore-existing" in carrying
    assert f"--copy-dest={SPOOL}" in staging


def test_what_came_home_and_what_stays_is_told(stage: Stage) -> None:
    stage.live.execute(BringHome(0))
    first, second = stage.events
    assert first.text == f"{SPOOL}: 1 files and 3 messages of mailboxes brought home"
    assert first.data == {"files": 1, "messages": 3, "left": ["notes"]}
    assert second.text.endswith("stay as they are on the old host: notes")


def test_without_differences_an_earlier_try_is_still_ended(stage: Stage) -> None:
    stage.listing = Output(0, "", "")
    stage.joined = "end\n"
    stage.live.execute(BringHome(0))
    assert stage.deeds == ["join"]


def test_large_mailboxes_go_one_group_after_the_other(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home.batches, "__defaults__", (80,))
    stage.joined = "joined 0 1\nend\n"
    stage.live.execute(BringHome(0))
    assert [deed for deed in stage.deeds if deed[:4] in ("list", "join")][1:] == [
        "list user05",
        "join",
        "list user01",
        "join",
    ]


def test_mailboxes_that_could_not_be_joined_are_named_at_the_end(stage: Stage) -> None:
    stage.joined = "joined 0 2\nlocked 1\nend\n"
    error = stage.fail()
    assert (error.host, error.seen) == ("old", "/var/spool/mail/user01 is locked by another program")
    assert "run the same command again" in (error.advice or "")
    stage.joined = "refused 0 cannot be written: No space left on device\njoined 1 0\nend\n"
    assert stage.fail().seen == "/var/spool/mail/user05 cannot be written: No space left on device"


@pytest.mark.parametrize("joined", ["", "joined 0 2\n", "refused - u has half a message\n"])
def test_a_join_that_did_not_end_is_a_failure(stage: Stage, joined: str) -> None:
    stage.joined = joined
    assert isinstance(stage.fail(), CommandFailed)


def test_a_line_that_breaks_is_a_lost_host(stage: Stage) -> None:
    stage.carried = Output(-1, "", "")
    assert isinstance(stage.fail(), HostError)


@pytest.mark.parametrize(
    ("status", "cure"),
    [(24, "on the new host"), (11, "df -h on the old host"), (12, "it goes on from there")],
)
def test_what_rsync_says_comes_with_a_cure_for_this_direction(stage: Stage, status: int, cure: str) -> None:
    stage.carried = Output(status, "rsync error: some reason\n", "")
    error = stage.fail()
    assert f"exit status {status}: rsync error: some reason" in (error.seen or "")
    assert cure in (error.advice or "")


def test_a_path_out_of_the_tree_is_never_used(stage: Stage) -> None:
    stage.listing = Output(0, ">f+++++++++ 70 ../etc/passwd\n", "")
    assert "../etc/passwd" in (stage.fail().seen or "")
    assert stage.deeds == []


def test_looks_that_cannot_be_taken_are_failures(stage: Stage) -> None:
    stage.old.on("want ", Output(1, "", "find: Permission denied"))
    assert stage.fail().seen == "exit status 1: find: Permission denied"


def test_homeless_is_what_only_the_new_host_has(stage: Stage) -> None:
    stage.new.on(
        "stage=mark", f"mailbox 0\n{MARK.format(1)}\nmailbox 1\n{MARK.format(2)}\n{MARK.format(2)}\nend\n"
    )
    stage.old.on("stage=mark", f"mailbox 0\nmailbox 1\n{MARK.format(2)}\nend\n")
    shown = stage.dry.preview(BringHome(0))
    assert shown.splitlines()[1:] == ["u/new/1", "user05: 1 message", "user01: 1 message"]
    assert "what /var/spool/mail/ of the new host has" in shown
    assert stage.deeds == []


def test_a_preview_that_cannot_be_made_says_why(stage: Stage) -> None:
    stage.listing = Output(127, "", "sh: rsync: not found")
    assert "nobody can tell yet how much (exit status 127: sh: rsync: not found)" in stage.dry.preview(
        BringHome(0)
    )


def test_a_long_listing_is_carried_in_groups_and_all_of_it_is_looked_at_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(homecoming, "_GROUP", 2)
    stage = Stage(monkeypatch)
    stage.listing = Output(0, "".join(f">f+++++++++ 30 u/new/{number}\n" for number in range(5)), "")
    stage.old.on("want ", lambda _host, script: Output(0, "0\nend\n" if "/3" in script else "end\n", ""))
    stage.live.execute(BringHome(0))
    lists = [deed for deed in stage.deeds if deed.startswith("list ")]
    assert lists == ["list u/new/0 u/new/1", "list u/new/3 u/new/4"]
