"""A dry run shows everything that would be done, and does nothing."""

from dataclasses import replace

import pytest

from migrator.change import (
    AddressSet,
    BringHome,
    Command,
    DnsUpdate,
    FileEdit,
    Note,
    Rsync,
    SendProbe,
    Shell,
    Upload,
)
from migrator.errors import CommandFailed, VerifyFailed
from migrator.executor import DryRunExecutor, copies
from migrator.hosts.base import Output
from migrator.plan import DnsPlan, Plan, Rfc2136Plan, SyncTree
from tests.executor.test_live import STATS, Host
from tests.fakes import make_plan


def executor(plan: Plan | None = None) -> DryRunExecutor:
    hosts = {"old": Host("old"), "new": Host("new")}
    return DryRunExecutor(plan or make_plan(), hosts, notify=lambda _event: None)  # type: ignore[arg-type]


COMMANDS: list[Command] = [
    Shell("old", "touch /x"),
    Upload("old", (FileEdit("/etc/x", None, b"x"),)),
    Rsync((0,)),
    DnsUpdate("mail.example.test", ()),
    SendProbe("198.51.100.10", "a@b.test", "c@d.test", "t"),
    Note(),
    BringHome(0),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.kind)
def test_nothing_is_performed(command: Command) -> None:
    hosts = {"old": Host("old"), "new": Host("new")}
    dry = DryRunExecutor(make_plan(), hosts, notify=lambda _event: None)  # type: ignore[arg-type]
    assert dry.execute(command) is False
    assert hosts["old"].performed == hosts["new"].performed == []


def test_files_are_shown_as_differences_with_what_follows() -> None:
    shown = executor().preview(
        Upload(
            "old",
            (
                FileEdit("/etc/mail/access", b"a\nb\n", b"a\nc\n"),
                FileEdit("/etc/mail/mailertable", None, b"example.test\tesmtp:[198.51.100.20]\n"),
                FileEdit("/etc/mail/gone", b"x\n", None),
                FileEdit("/etc/mail/access.db", b"\0", b"\0\0"),
            ),
            then="make -C /etc/mail",
        )
    )
    for line in (
        "--- /etc/mail/access\n+++ /etc/mail/access\n",
        "-b\n+c",
        "--- /dev/null\n+++ /etc/mail/mailertable",
        "+++ /dev/null",
        "/etc/mail/access.db: 1 bytes becomes 2 bytes",
        "    make -C /etc/mail",
    ):
        assert line in shown


def test_passwords_beside_what_changes_are_not_shown() -> None:
    before = b'Connect:192.0.2.7\tREJECT\nAuthInfo:smtp.example.net "U:me" "P:hunter2-hunter2"\n'
    shown = executor().preview(
        Upload("old", (FileEdit("/etc/mail/access", before, before + b"To:x RELAY\n"),))
    )
    assert " AuthInfo:smtp.example.net ********\n+To:x RELAY" in shown
    assert "hunter2" not in shown


def test_rsync_tells_its_own_counts_or_why_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def rehearse(old: object, new: object, words: list[str], *, source: str, target: str) -> Output:
        asked.append(list(words))
        return Output(0, STATS, "")

    monkeypatch.setattr(copies, "rehearse", rehearse)
    assert (
        executor().preview(Rsync((0,), delete=True)).endswith("4 of 7 files to copy, 10 bytes; 0 to delete")
    )
    assert {"--dry-run", "--delete-after"} <= set(asked[0])
    monkeypatch.setattr(copies, "rehearse", lambda *_words, **_names: Output(12, "broken", "sh: no rsync"))
    assert "cannot tell yet" in executor().preview(Rsync((0,)))


@pytest.mark.parametrize(("full", "counted"), [(False, 8), (True, 2000)])
def test_of_thousands_of_trees_the_first_are_counted_unless_all_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, full: bool, counted: int
) -> None:
    asked: list[str] = []

    def rehearse(old: object, new: object, words: list[str], *, source: str, target: str) -> Output:
        asked.append(source)
        return Output(0, STATS, "")

    monkeypatch.setattr(copies, "rehearse", rehearse)
    trees = tuple(SyncTree(f"/srv/c{number}/", f"/srv/c{number}/") for number in range(2000))
    hosts = {"old": Host("old"), "new": Host("new")}
    plan = replace(make_plan(), sync=trees)
    dry = DryRunExecutor(plan, hosts, notify=lambda _event: None, full=full)  # type: ignore[arg-type]
    lines = dry.preview(Rsync(tuple(range(2000)))).split("\n")
    assert len(asked) == counted
    assert lines[7].startswith("rsync of /srv/c7/ ")
    assert (lines[-1] == "and so 1,992 more trees (--full shows them)") is not full


def test_differences_are_rsyncs_lines_and_its_failure_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    new = Host("new")
    new.on("differences", Output(76, "", "no pass has deleted yet"))
    between = copies.RsyncCopies(make_plan(), Host("old"), new)  # type: ignore[arg-type]
    listing = Output(0, ">f+++++++++ a\n.d..t...... ./\n*deleting   b\n", "")
    monkeypatch.setattr(copies, "rehearse", lambda *_words, **_names: listing)
    assert between.differences([0], longest=60)[0] == (">f+++++++++ a", "*deleting   b")
    monkeypatch.setattr(copies, "rehearse", lambda *_words, **_names: Output(23, "", "denied"))
    with pytest.raises(CommandFailed) as caught:
        between.differences([0], longest=60)[0]
    assert caught.value.seen == "denied"


def test_where_a_pass_made_the_trees_equal_only_what_may_have_changed_since_is_compared() -> None:
    new = Host("new")
    between = copies.RsyncCopies(make_plan(), Host("old"), new)  # type: ignore[arg-type]
    lines = ("changed by others: ./a", "extra ./b", ">fc........ c", ".d..t...... d/")
    new.on("differences", "".join(f"0 out {line}\n" for line in lines) + "0 status 0\n")
    assert between.differences([0], longest=60)[0] == ("changed by others: ./a", "extra ./b", ">fc........ c")
    new.on("differences", Output(255, "", "no route to host"))
    with pytest.raises(CommandFailed) as caught:
        between.differences([0], longest=60)[0]
    assert caught.value.seen == "no route to host"


def test_a_tree_of_which_nothing_is_told_is_not_equal() -> None:
    new = Host("new")
    between = copies.RsyncCopies(make_plan(), Host("old"), new)  # type: ignore[arg-type]
    new.on("differences", "0 out >fc........ c\n")
    with pytest.raises(CommandFailed):
        between.differences([0], longest=60)


def test_a_dns_update_is_shown_as_records_without_the_secret() -> None:
    settings = Rfc2136Plan("198.51.100.53", "lab.", key_env="SECRET")
    plan = make_plan(dns=DnsPlan(update="rfc2136", rfc2136=settings))
    update = DnsUpdate(
        "mail.example.test", (AddressSet("A", ("198.51.100.20",), 900), AddressSet("AAAA", (), 900))
    )
    shown = executor(plan).preview(update)
    assert "mail.example.test. 900 IN A 198.51.100.20" in shown
    assert "mail.example.test. AAAA: none" in shown
    assert "198.51.100.53 port 53, signed with the key lab." in shown


def test_other_previews_are_sentences() -> None:
    assert executor().preview(Shell("new", "a\nb\n")) == "on the new host:\n    a\n    b"
    assert "<c@d.test>" in executor().preview(COMMANDS[4])
    assert executor().preview(Note()) == "a note in the journal"


def test_a_complaint_is_returned_and_not_raised() -> None:
    def complain() -> None:
        raise VerifyFailed("not so", seen="this")

    assert executor().check(complain) == "not so; seen: this"
    assert executor().check(lambda: None) == ""


LONG = "".join(f"line {number}\n" for number in range(60)).encode()


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (FileEdit("/root/x.sh", None, LONG), "/root/x.sh: a new file, 60 lines added and 0 removed"),
        (FileEdit("/root/x.sh", LONG, None), "/root/x.sh: removed, 0 lines added and 60 removed"),
        (FileEdit("/root/x.sh", LONG, LONG.upper()), "/root/x.sh: 60 lines added and 60 removed"),
    ],
)
def test_a_file_of_many_changed_lines_is_told_and_shown_in_full_where_that_is_asked_for(
    edit: FileEdit, told: str
) -> None:
    hosts = {"old": Host("old"), "new": Host("new")}
    full = DryRunExecutor(make_plan(), hosts, notify=lambda _event: None, full=True)  # type: ignore[arg-type]
    shown = executor().preview(Upload("old", (edit,)))
    assert f"{told} (--full shows them)" in shown
    assert "line 7" not in shown
    assert "line 7" in full.preview(Upload("old", (edit,)))


def test_one_changed_line_of_a_long_file_is_shown() -> None:
    edit = FileEdit("/etc/mail/access", LONG, LONG.replace(b"line 7\n", b"line seven\n"))
    assert "+line seven" in executor().preview(Upload("old", (edit,)))


def test_a_long_script_is_told_and_shown_in_full_where_that_is_asked_for() -> None:
    hosts = {"old": Host("old"), "new": Host("new")}
    full = DryRunExecutor(make_plan(), hosts, notify=lambda _event: None, full=True)  # type: ignore[arg-type]
    command = Shell("old", LONG.decode())
    assert "a script of 60 lines (--full shows them)" in executor().preview(command)
    assert "line 7" in full.preview(command)
