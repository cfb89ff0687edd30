"""The look for mail that no pass brought, in real shells on real files. rsync's part of the log is written here."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.hosts.script import inspecting
from migrator.mailstore import arrivals, forest
from migrator.mailstore.arrivals import Arrivals, Target
from tests.hosts.shell import SHELLS, run

NAME = "example"
MBOX = "From b@outside.test Mon Jan  1 00:00:09 2024\n\ncame in on the new host\n"


@dataclass
class NewHost:
    """A new host with one spool and one tree of homes, and what passes keep there."""

    root: Path
    shell: str

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def folder(self) -> Path:
        return self.state / NAME

    @property
    def targets(self) -> tuple[Target, ...]:
        return Target(f"{self.root}/spool/", spool=True), Target(f"{self.root}/it's home/", spool=False)

    def deliver(self, path: str, text: str = "From a\n\nmail\n", *, modified: float | None = None) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as stream:
            stream.write(text)
        if modified is not None:
            os.utime(file, (modified, modified))
        return file

    def copy(
        self, path: str, *, logged: str = "", size: int | None = None, kind: str = ">f+++++++++"
    ) -> Path:
        """Do what rsync does: the log names the file, then it stands there with the time of the old host."""
        file = self.deliver(path, modified=1_700_000_000.75)
        tree = 0 if path.startswith("spool") else 1
        name = logged or path.partition("/")[2]
        now, seen = datetime.now(UTC), file.stat()
        modified = datetime.fromtimestamp(int(seen.st_mtime), UTC)
        line = (
            f"{now:%Y/%m/%d %H:%M:%S} [77] {modified:%Y/%m/%d-%H:%M:%S} "
            f"{seen.st_size if size is None else size} |{kind}|{name}\n"
        )
        with self.log(tree).open("a", errors="surrogateescape") as log:
            log.write(line)
        return file

    def log(self, tree: int) -> Path:
        return Path(arrivals.log_path(NAME, tree, str(self.state)))

    def begin(self, looked: int | None = None) -> None:
        self.perform(arrivals.begin_script(NAME, looked, str(self.state)))

    def end(self) -> None:
        self.perform(arrivals.end_script(NAME, str(self.state)))

    def perform(self, script: str) -> None:
        done = run(self.shell, script)
        assert (done.returncode, done.stderr) == (0, "")

    def look(self, *, interrupted: bool = False) -> Arrivals:
        script = arrivals.look_script(NAME, self.targets, interrupted=interrupted, state=str(self.state))
        done = run(self.shell, inspecting(script))
        assert (done.returncode, done.stderr) == (0, "")
        return arrivals.parse(done.stdout)

    def arrived(self) -> list[str]:
        return sorted(str(Path(path).relative_to(self.root)) for path in self.look().paths)


@pytest.fixture(params=SHELLS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> NewHost:
    new = NewHost(tmp_path, request.param)
    new.folder.mkdir(parents=True)
    (tmp_path / "spool").mkdir()
    return new


class TestWhatIsNoArrival:
    def test_what_rsync_copied(self, host: NewHost) -> None:
        host.copy("spool/user01")
        host.copy("it's home/u/Maildir/cur/1.M1.mail:2,S")
        assert host.arrived() == []

    def test_a_message_that_imap_moved_from_new_to_cur_and_flagged(self, host: NewHost) -> None:
        copied = host.copy("it's home/u/Maildir/new/1.M1.mail")
        (copied.parents[1] / "cur").mkdir()
        copied.rename(copied.parents[1] / "cur" / "1.M1.mail:2,FS")
        assert host.arrived() == []

    def test_a_copy_whose_mode_was_changed(self, host: NewHost) -> None:
        host.begin()
        host.copy("spool/user01")
        host.end()
        (host.root / "spool/user01").chmod(0o640)
        assert host.arrived() == []

    def test_a_mailbox_that_grew_while_it_was_sent_and_is_logged_with_the_size_of_before(
        self, host: NewHost
    ) -> None:
        host.copy("spool/user01", size=3)
        assert host.arrived() == []

    def test_a_hard_link_and_a_name_that_rsync_escapes(self, host: NewHost) -> None:
        host.copy("it's home/u/cur/1.a:2,", kind="hf+++++++++")
        host.copy("it's home/a\nb/new/\udce9 \\#012\x01", logged="a\\#012b/new/\udce9 \\#134#012\\#001")
        assert host.arrived() == []

    @pytest.mark.parametrize("name", ["a:2,b", "a|b", ":2,", "a\\b", "|", "a#", "\\#"])
    def test_a_mailbox_whose_name_looks_like_something_else(self, host: NewHost, name: str) -> None:
        escaped = name.replace("\\#", "\\#134#")
        host.copy(f"spool/{name}", logged=escaped)
        host.copy(f"it's home/u/new/{name}", logged=f"u/new/{escaped}")
        assert host.arrived() == []

    def test_messages_of_one_name_in_several_maildirs(self, host: NewHost) -> None:
        for user in ("a", "b"):
            host.deliver(f"it's home/{user}/new/1.mail", user * ord(user))
            host.copy(f"it's home/{user}/new/1.mail")
        host.log(1).write_text(host.log(1).read_text().replace("[77]", "[7]"))
        assert host.arrived() == []

    def test_what_rsync_had_to_leave_unfinished(self, host: NewHost) -> None:
        host.deliver("spool/user01", modified=0.83)
        host.deliver("it's home/u/new/.1.mail.Xy12ab")
        assert host.arrived() == []

    def test_what_is_no_mail(self, host: NewHost) -> None:
        for path in (
            "spool/user01.lock",
            "spool/.hidden",
            "spool/user02/dovecot.index",
            "it's home/u/page.html",
        ):
            host.deliver(path)
        host.deliver("it's home/u/1796000001", "a number is no message" * 8)
        host.deliver("it's home/u/notes", "From\n")
        host.deliver("it's home/u/mbox.lock", MBOX)
        host.deliver("it's home/u/zeros", "\0" * 100)
        host.deliver("spool/empty", "")
        assert host.arrived() == []

    def test_what_came_before_a_pass_that_was_forced(self, host: NewHost) -> None:
        host.deliver("spool/user01")
        time.sleep(0.02)  # the kernel's clock of change times ticks
        host.begin()
        host.end()
        assert host.arrived() == []


class TestFoldersOfBefore:
    """What a look costs follows what came: of a Maildir's folder that is older than the mark nothing is read."""

    @pytest.fixture
    def inbox(self, host: NewHost) -> Path:
        inbox = host.copy("it's home/u/Maildir/new/1.mail").parents[1]
        (inbox / "cur").mkdir()
        (inbox / "tmp").mkdir()
        return inbox

    def passed(self, host: NewHost) -> None:
        """Let a pass begin and end that found nothing to copy."""
        time.sleep(0.02)  # the kernel's clock of change times ticks
        host.begin()
        host.end()

    def test_a_message_that_comes_into_one_is_seen(self, host: NewHost, inbox: Path) -> None:
        self.passed(host)
        host.deliver("it's home/u/Maildir/new/2.mail")
        assert host.arrived() == ["it's home/u/Maildir/new/2.mail"]

    def test_what_was_read_before_is_not_read_again(self, host: NewHost, inbox: Path) -> None:
        host.deliver("it's home/u/Maildir/new/2.mail")
        self.passed(host)
        # No program writes into a message in its place; this shows that nobody looked.
        host.deliver("it's home/u/Maildir/new/2.mail")
        assert host.arrived() == []

    @pytest.mark.parametrize("missing", ["cur", "tmp"])
    def test_one_that_is_called_so_and_is_of_no_maildir_may_hold_what_grows(
        self, host: NewHost, inbox: Path, missing: str
    ) -> None:
        (inbox / missing).rmdir()
        host.deliver("it's home/u/Maildir/new/mbox\n")
        self.passed(host)
        host.deliver("it's home/u/Maildir/new/mbox\n")
        assert host.arrived() == ["it's home/u/Maildir/new/mbox\n"]

    def test_a_user_may_be_called_so_as_well(self, host: NewHost, inbox: Path) -> None:
        for user in ("cur", "new", "tmp"):
            host.deliver(f"it's home/{user}/Maildir/new/1.mail")
        self.passed(host)
        host.deliver("it's home/new/Maildir/new/2.mail")
        assert host.arrived() == ["it's home/new/Maildir/new/2.mail"]


class TestArrivals:
    def test_mail_from_before_the_first_pass(self, host: NewHost) -> None:
        host.deliver("spool/user01")
        host.deliver("it's home/u/Maildir/.Old Mail/new/1.mail")
        host.deliver("spool/user02/Maildir/new/2.mail")
        assert host.arrived() == [
            "it's home/u/Maildir/.Old Mail/new/1.mail",
            "spool/user01",
            "spool/user02/Maildir/new/2.mail",
        ]

    @pytest.mark.parametrize(
        ("path", "text"),
        [
            ("spool/a/l/alice", "From a\n\nmail\n"),
            ("spool/a/alice.example", "From a\n\nmail\n"),
            ("it's home/u/mbox", MBOX),
            ("it's home/u/mail/it's\n$(id)", MBOX),
            ("it's home/u/mail/2026.mbox", MBOX),
            ("it's home/u/mail/begins-empty", f"\n\r\n\n{MBOX}"),
            ("it's home/u/mmdf", "\1\1\1\1\nReceived: x\n"),
            ("it's home/u/inbox.mbx", "*mbx*\r\n"),
            ("it's home/u/Mail/inbox/17", f"Return-Path: <a@b>\nReceived: {'x' * 80}\n\nmail\n"),
            ("it's home/u/mdbox/storage/m.1", "2 M1e C5f\n"),
            ("it's home/u/sdbox/mailboxes/INBOX/dbox-Mails/u.9", "2 M1e C5f\n"),
        ],
    )
    def test_mail_is_seen_wherever_it_stands_and_not_where_a_pass_brought_it(
        self, host: NewHost, path: str, text: str
    ) -> None:
        host.deliver(path, text)
        assert host.arrived() == [path]
        host.begin()
        (host.root / path).write_text("")
        host.deliver(path, text)
        host.copy(path, logged=path.partition("/")[2].replace("\n", "\\#012"))
        host.end()
        assert host.arrived() == []
        time.sleep(0.02)
        host.deliver(path, text)
        assert host.arrived() == [path]

    def test_beginnings_are_told_apart_of_many_files(self, host: NewHost) -> None:
        boxes = [f"it's home/u/{number:03}" for number in range(0, 450, 50)]
        for number in range(450):
            name = f"it's home/u/{number:03}"
            host.deliver(name, MBOX if name in boxes else f"{number:05} of something else")
        assert host.arrived() == boxes

    def test_what_no_pass_touches_is_not_looked_at(self, host: NewHost) -> None:
        host.deliver("it's home/admin/.ssh/new/1", "mail")
        host.deliver("it's home/admin/mbox", MBOX)
        targets = [replace(target, excluded=("/admin/.ssh", "[z-a]", "*/mbox")) for target in host.targets]
        script = arrivals.look_script(NAME, targets, state=str(host.state))
        assert arrivals.parse(run(host.shell, inspecting(script)).stdout).paths == ()

    def test_mail_that_came_during_a_pass(self, host: NewHost) -> None:
        host.begin()
        host.copy("it's home/u/new/1.mail")
        host.deliver("it's home/u/new/2.mail")
        host.end()
        assert host.arrived() == ["it's home/u/new/2.mail"]

    def test_mail_that_came_after_a_pass_that_was_killed(self, host: NewHost) -> None:
        host.begin()
        host.copy("spool/user01")
        host.deliver("spool/user01", "From b\n\nanother\n")
        assert host.arrived() == ["spool/user01"]

    def test_mail_in_a_file_that_an_earlier_pass_copied(self, host: NewHost) -> None:
        for _ in range(2):
            host.begin()
            host.copy("spool/user01")
            host.end()
        host.deliver("spool/user01", "From b\n\nanother\n")
        assert host.arrived() == ["spool/user01"]

    def test_a_file_that_rsync_deleted_and_somebody_delivered_anew(self, host: NewHost) -> None:
        host.copy("it's home/u/new/1.mail", kind="*deleting  ")
        assert host.arrived() == ["it's home/u/new/1.mail"]

    def test_mail_with_the_time_of_a_copy_and_another_size_long_after_it(self, host: NewHost) -> None:
        host.copy("spool/user01", size=3)
        log = host.log(0)
        hour = datetime.now(UTC).hour
        log.write_text(log.read_text().replace(f" {hour:02d}:", f" {(hour + 12) % 24:02d}:", 1))
        assert host.arrived() == ["spool/user01"]

    def test_a_name_cannot_pass_for_a_line_of_the_log(self, host: NewHost) -> None:
        victim = host.deliver("spool/user01", modified=1_700_000_000)
        size = victim.stat().st_size
        forged = f"x\\#0122026/11/23 12:00:00 [1] 2023/11/14-22:13:20 {size} |>f+++++++++|user01"
        host.deliver("spool/other", modified=1_700_000_000)
        with host.log(0).open("a") as log:
            log.write(f"2026/11/23 12:00:00 [1] 2023/11/14-22:13:20 {size} |>f+++++++++|{forged}\n")
        assert host.arrived() == ["spool/other", "spool/user01"]

    def test_hostile_names_are_told_as_they_are(self, host: NewHost) -> None:
        name = "it's home/$(id)/new/a\nb \udce9 \\#101"
        host.deliver(name)
        assert host.arrived() == [name]

    def test_a_spool_that_is_a_link_is_looked_into(self, host: NewHost) -> None:
        (host.root / "spool").rename(host.root / "mail")
        (host.root / "spool").symlink_to("mail")
        host.deliver("spool/user01")
        assert host.arrived() == ["spool/user01"]


def test_of_very_many_files_no_more_are_named_than_anybody_reads(host: NewHost) -> None:
    folder = host.deliver("it's home/u/cur/0.mail").parent
    for number in range(1, arrivals.MOST + 10):
        (folder / f"{number}.mail").write_text("From a\n")
    assert len(host.arrived()) == arrivals.MOST


class TestMarks:
    def test_what_arrives_between_the_look_and_the_beginning_is_seen_afterwards(self, host: NewHost) -> None:
        looked = host.look().looked
        assert abs(looked - time.time()) < 60
        host.deliver("spool/user01")
        host.begin(looked)
        host.end()
        assert host.arrived() == ["spool/user01"]

    def test_where_the_clock_was_set_since_every_file_is_looked_at(self, host: NewHost) -> None:
        host.copy("it's home/u/new/1.mail")
        host.begin()
        host.end()
        copied = host.folder / "copied"
        started = int(copied.read_text())
        assert started > 0
        future = time.time() + 3600
        host.deliver("it's home/u/new/2.mail")
        for moved, arrived in ((0, []), (1, []), (3600, ["it's home/u/new/2.mail"])):
            copied.write_text(f"{started + moved}\n")
            os.utime(copied, (future, future))  # an hour ago by the clock of before
            assert host.arrived() == arrived

    def test_the_end_may_be_told_twice(self, host: NewHost) -> None:
        host.begin()
        host.end()
        host.end()
        assert sorted(path.name for path in host.folder.iterdir()) == ["copied"]

    def test_for_a_resume_only_a_pass_that_did_not_end_is_looked_after(self, host: NewHost) -> None:
        host.deliver("spool/user01")
        assert host.look(interrupted=True).paths == ()
        host.begin()
        assert host.look(interrupted=True).paths == (f"{host.root}/spool/user01",)

    def test_forgotten_nothing_is_left(self, host: NewHost) -> None:
        host.begin()
        host.copy("spool/user01")
        host.perform(arrivals.forget_script(NAME, str(host.state)))
        assert not host.state.exists()
        assert host.arrived() == ["spool/user01"]

    def test_another_migration_keeps_its_folder(self, host: NewHost) -> None:
        (host.state / "another").mkdir()
        host.perform(arrivals.forget_script(NAME, str(host.state)))
        assert [path.name for path in host.state.iterdir()] == ["another"]


class TestTogether:
    """Trees of which a pass has made links, in a folder of its state."""

    def looked(self, host: NewHost, *, listed: str = "") -> tuple[set[str], set[str]]:
        """Return into which of the trees it is looked, and what is found."""
        targets = [Target(f"{host.root}/{name}/", spool=False) for name in ("web0", "web1", "web 2", "web3")]
        links = host.folder / "new-trees"
        links.mkdir(exist_ok=True)
        told = "".join(f"{index} {targets[index].path.rstrip('/')}\n" for index in (1, 2, 3))
        (host.folder / "new-trees.list").write_text(listed or told)
        for index in (1, 2, 3):
            Path(targets[index].path).mkdir(exist_ok=True)
            if not (links / str(index)).is_symlink():
                (links / str(index)).symlink_to(targets[index].path.rstrip("/"))
        script = arrivals.look_script(
            NAME,
            targets,
            together=arrivals.Together(frozenset((1, 2, 3)), told, forest.prune({}, "")),
            state=str(host.state),
        )
        told_too = script.replace("look() {", 'look() {\n    echo "$1" >&2')
        done = run(host.shell, inspecting(told_too))
        assert done.returncode == 0, done.stderr
        found = arrivals.parse(done.stdout).paths
        inside = {str(Path(line).relative_to(host.root)) for line in done.stderr.split("\n") if line}
        return inside, {str(Path(path).relative_to(host.root)) for path in found}

    @pytest.fixture
    def still(self, host: NewHost) -> NewHost:
        """Trees that a pass has filled, and nothing since."""
        for number in ("web1", "web 2", "web3"):
            for name in ("cur", "new", "tmp"):
                (host.root / number / "u/Maildir" / name).mkdir(parents=True)
            (host.root / number / "u/Maildir/cur/1:2,S").write_text("mail")
            (host.root / number / "u/cur").mkdir()
            (host.root / number / "u/cur/no message").write_text(MBOX)
        time.sleep(0.1)
        host.begin()
        host.end()
        return host

    def test_nothing_is_looked_at_where_nothing_came(self, still: NewHost) -> None:
        inside, found = self.looked(still)
        # A folder called cur that is no Maildir's tells nothing of the files in it.
        assert (inside, found) == ({"web0", "web1", "web 2", "web3"}, set())
        for number in ("web1", "web 2", "web3"):
            (still.root / number / "u/cur").rename(still.root / number / "u/kept")
        assert self.looked(still) == ({"web0"}, set())

    @pytest.mark.parametrize(
        "path", ["web 2/u/Maildir/new/2", "web 2/u/kept", "web 2/mbox\n2", "web 2/u/cur/no message"]
    )
    def test_a_tree_that_something_came_into_is_looked_at(self, still: NewHost, path: str) -> None:
        for number in ("web1", "web 2", "web3"):
            if "cur/" not in path or number != "web 2":
                (still.root / number / "u/cur").rename(still.root / number / "u/old")
        still.deliver(path, MBOX)
        assert self.looked(still) == ({"web0", "web 2"}, {path})

    def test_all_are_looked_at_where_the_links_are_of_other_trees(self, still: NewHost) -> None:
        inside, _ = self.looked(still, listed="1 /elsewhere\n")
        assert inside == {"web0", "web1", "web 2", "web3"}

    def test_all_are_looked_at_where_one_cannot_be(self, still: NewHost) -> None:
        (still.root / "web1").rename(still.root / "moved")
        self.looked(still)
        (still.root / "web1").rmdir()
        (still.root / "web1").symlink_to("nowhere")
        (still.folder / "new-trees/1").unlink()
        (still.folder / "new-trees/1").symlink_to(still.root / "gone")
        targets = [Target(f"{still.root}/web3/", spool=False)]
        listed = f"1 {still.root}/web3\n"
        (still.folder / "new-trees.list").write_text(listed)
        script = arrivals.look_script(
            NAME,
            [*targets, *targets],
            together=arrivals.Together(frozenset((1,)), listed, ""),
            state=str(still.state),
        )
        done = run(still.shell, inspecting(script.replace("look() {", 'look() {\n    echo "$1" >&2')))
        assert done.stderr == f"{still.root}/web3\n" * 2


def test_a_find_that_cannot_compare_change_times_fails_the_look(tmp_path: Path) -> None:
    (tmp_path / "state" / NAME / "copied").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/find").write_text("#!/bin/sh\necho 'unknown predicate' >&2\nexit 1\n")
    (tmp_path / "bin/find").chmod(0o755)
    targets = (Target(str(tmp_path), spool=True),)
    script = arrivals.look_script(NAME, targets, state=str(tmp_path / "state"))
    assert run(SHELLS[0], f"PATH={tmp_path}/bin:$PATH\n{script}").returncode == 1


@given(st.text())
def test_what_a_look_prints_is_read_whatever_it_is(text: str) -> None:
    found = arrivals.parse(text)
    assert found.looked >= 0
    assert "" not in found.paths
