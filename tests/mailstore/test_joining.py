"""Mailboxes are joined message by message: nothing lost, nothing doubled, whatever both sides went through."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from migrator.hosts.script import inspecting
from migrator.mailstore.joining import Joined, parse_joined
from tests.hosts.shell import SHELLS, each_shell
from tests.mailstore.mailboxes import NAME, OldHost, identities, message

COPY = message(1) + message(2)
"""What the final copy made equal on both hosts."""


@pytest.fixture
def host(tmp_path: Path) -> OldHost:
    return OldHost(tmp_path / "host")


class TestTheMessagesOfBothHosts:
    @each_shell
    def test_what_the_new_host_got_is_appended(self, host: OldHost, shell: str) -> None:
        said, now = host.merge(COPY, COPY + message(3) + message(4), shell=shell)
        assert said == Joined({0: 2}, [], {})
        assert now == COPY + message(3) + message(4)

    def test_what_the_old_host_got_meanwhile_stays_in_its_place(self, host: OldHost) -> None:
        said, now = host.merge(COPY + message(8), COPY + message(3) + message(4))
        assert (said.added, now) == ({0: 2}, COPY + message(8) + message(3) + message(4))

    def test_a_second_time_adds_nothing(self, host: OldHost) -> None:
        _, now = host.merge(COPY + message(8), COPY + message(3))
        assert host.merge(None, COPY + message(3)) == (Joined({0: 0}, [], {}), now)

    def test_two_equal_messages_are_two(self, host: OldHost) -> None:
        _, now = host.merge(COPY, COPY + message(2))
        assert now == COPY + message(2)

    def test_what_readers_wrote_into_headers_makes_no_other_message(self, host: OldHost) -> None:
        seen = message(1, "Status: RO", "X-Keywords: a\n  b", "x-uid: 7", "Content-Length: 10", "Lines: 1")
        said, now = host.merge(COPY, seen + message(2, "X-Status: A") + message(3, "Status: O"))
        assert (said.added, now) == ({0: 1}, COPY + message(3, "Status: O"))

    def test_a_header_that_only_begins_like_one_of_them_makes_another(self, host: OldHost) -> None:
        said, _ = host.merge(message(1), message(1, "Status-Report: x"))
        assert said.added == {0: 1}

    def test_what_was_deleted_on_the_new_host_stays_on_the_old(self, host: OldHost) -> None:
        said, now = host.merge(COPY, message(2) + message(3))
        assert (said.added, now) == ({0: 1}, COPY + message(3))

    def test_the_note_that_an_imap_server_keeps_first_is_not_carried(self, host: OldHost) -> None:
        subject = "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA"
        said, now = host.merge(message(1), message(0, subject, "X-IMAP: 1234 5") + message(1) + message(2))
        assert (said.added, now) == ({0: 1}, message(1) + message(2))

    def test_a_message_that_only_looks_like_that_note_is_carried(self, host: OldHost) -> None:
        subject = "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA"
        said, _ = host.merge(message(1), message(1) + message(2, subject, "X-IMAP: 1 2"))
        assert said.added == {0: 1}

    def test_a_mailbox_that_the_old_host_lacks_is_made_with_owner_and_mode(self, host: OldHost) -> None:
        os.chown(host.arrive("user02", COPY), 12, 34)
        (host.home / "stage/user02").chmod(0o660)
        assert host.join("user02").added == {0: 2}
        made = (host.tree / "user02").stat()
        assert (made.st_uid, made.st_gid, made.st_mode & 0o7777, made.st_size) == (12, 34, 0o660, len(COPY))

    def test_an_existing_mailbox_keeps_owner_mode_and_inode(self, host: OldHost) -> None:
        mailbox = host.mailbox("user01", COPY)
        os.chown(mailbox, 12, 34)
        mailbox.chmod(0o600)
        before = mailbox.stat()
        host.merge(None, COPY + message(3))
        after = mailbox.stat()
        assert after.st_size > before.st_size
        assert [getattr(after, name) for name in ("st_uid", "st_gid", "st_mode", "st_ino")] == [
            getattr(before, name) for name in ("st_uid", "st_gid", "st_mode", "st_ino")
        ]

    def test_nothing_is_left_behind(self, host: OldHost) -> None:
        host.merge(COPY, COPY + message(3))
        assert sorted(path.name for path in host.root.rglob("*")) == ["tree", "user01"]


class TestBytes:
    @pytest.mark.parametrize(
        "added",
        [
            message(3, body="a\r\nb\r\n").replace(b"\n", b"\r\n"),
            message(3, body="nul \0 \x01\x02\x03\x04 here"),
            message(3, body="\udce9\udcff 8-bit"),
            message(3, body=">From here\n>>From there\n\n>From after an empty line"),
            message(3, body="From in the middle\nFrom again"),
            message(3, body="x" * 300_000),
            message(3, "X-Long: " + "y" * 100_000),
            message(3, body="\n\n\nempty lines\n\n\n"),
            message(3) + message(4, body="z" * 70_000) + message(5),
        ],
        ids=range(9),
    )
    def test_a_message_arrives_as_it_was(self, host: OldHost, added: bytes) -> None:
        _, now = host.merge(COPY + message(8), COPY + added)
        assert now == COPY + message(8) + added
        assert host.merge(None, COPY + added)[0].added == {0: 0}

    @pytest.mark.parametrize("end", ["", "\n"])
    def test_a_message_without_its_empty_line_at_the_end_gets_one(self, host: OldHost, end: str) -> None:
        _, now = host.merge(message(1, end=end), message(1) + message(2, end=end))
        assert now == message(1) + message(2)

    def test_a_message_cut_short_is_another_one(self, host: OldHost) -> None:
        half = message(2)[:-8]
        _, now = host.merge(message(1) + half, message(1) + message(2))
        assert now == message(1) + half + b"\n\n" + message(2)

    def test_a_control_character_tells_messages_apart(self, host: OldHost) -> None:
        said, _ = host.merge(message(1, body="a\x01b\x02"), message(1, body="a\nb\x02"))
        assert said.added == {0: 1}


class TestNames:
    @pytest.mark.parametrize(
        "path", ["it's/a b", "-n", "$(id)/`x`/;y", "a\nb/c\nd", "-a/-b", "l\udce9/\udcff", "*", "a\\b"]
    )
    def test_a_path_is_data(self, host: OldHost, path: str) -> None:
        host.mailbox(path, COPY)
        host.arrive(path, COPY + message(3))
        assert host.join(path).added == {0: 1}
        assert (host.tree / path).read_bytes() == COPY + message(3)

    def test_a_folder_that_is_a_link_is_not_entered(self, host: OldHost) -> None:
        outside = host.root / "outside"
        outside.mkdir()
        (outside / "box").write_bytes(COPY)
        (host.tree / "mail").symlink_to(outside)
        host.arrive("mail/box", COPY + message(3))
        assert "symbolic link" in host.join("mail/box").refused[0]
        assert (outside / "box").read_bytes() == COPY

    def test_a_mailbox_that_is_a_link_is_not_written(self, host: OldHost) -> None:
        outside = host.root / "outside"
        outside.write_bytes(COPY)
        (host.tree / "box").symlink_to(outside)
        host.arrive("box", COPY + message(3))
        assert "no regular file" in host.join("box").refused[0]
        assert outside.read_bytes() == COPY

    def test_a_tree_may_itself_be_a_link(self, host: OldHost) -> None:
        host.tree.rename(host.root / "mail")
        host.tree.symlink_to("mail")
        assert host.merge(COPY, COPY + message(3))[0].added == {0: 1}

    def test_what_is_no_mailbox_on_the_old_host_stays_and_is_told(self, host: OldHost) -> None:
        said, now = host.merge(b"binary \0 index\n", COPY)
        assert (said.added, now) == ({}, b"binary \0 index\n")
        assert "move it aside" in said.refused[0]

    def test_a_copy_that_did_not_arrive_is_told(self, host: OldHost) -> None:
        host.mailbox("user01", COPY)
        assert "did not arrive" in host.join("user01").refused[0]


class TestLocks:
    def test_a_locked_mailbox_is_left_and_the_others_are_joined(self, host: OldHost) -> None:
        for name in ("user01", "user02"):
            host.mailbox(name, COPY)
            host.arrive(name, COPY + message(3))
        (host.tree / "user01.lock").write_text("0")
        assert host.join("user01", "user02") == Joined({1: 1}, [0], {})
        assert (host.tree / "user01").read_bytes() == COPY
        assert (host.tree / "user01.lock").read_text() == "0"

    def test_a_lock_that_goes_away_is_waited_for(self, host: OldHost) -> None:
        lock = host.mailbox("user01.lock", b"0")
        host.mailbox("user01", COPY)
        host.arrive("user01", COPY + message(3))
        release = f"(sleep 1; printf x >>{host.tree}/user01; rm {lock}) &\n"
        assert host.join("user01", patience=20, before=release).added == {0: 1}
        assert (host.tree / "user01").read_bytes().startswith(COPY + b"x")

    def test_a_lock_older_than_procmail_bears_is_broken(self, host: OldHost) -> None:
        lock = host.mailbox("user01.lock", b"0")
        os.utime(lock, (time.time() - 1100, time.time() - 1100))
        assert host.merge(COPY, COPY + message(3))[0].added == {0: 1}
        assert not lock.exists()

    def test_an_empty_lock_of_now_is_respected(self, host: OldHost) -> None:
        host.mailbox("user01.lock", b"")
        assert host.merge(COPY, COPY + message(3))[0].locked == [0]

    @pytest.mark.parametrize("how", ["fcntl.lockf", "fcntl.flock"])
    def test_a_lock_on_the_file_itself_is_respected(self, host: OldHost, how: str) -> None:
        mailbox = host.mailbox("user01", COPY)
        holder = (
            f"import fcntl, sys; f = open(sys.argv[1], 'r+'); {how}(f, fcntl.LOCK_EX)\n"
            "print(flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            ["python3", "-c", holder, str(mailbox)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            said = host.merge(None, COPY + message(3))[0]
            assert process.stdin is not None
            process.stdin.close()
        assert (said.locked, mailbox.read_bytes()) == ([0], COPY)
        assert not (host.tree / "user01.lock").exists()
        assert host.merge(None, COPY + message(3))[0].added == {0: 1}

    def test_mail_that_comes_while_a_lock_is_waited_for_stays(self, host: OldHost) -> None:
        lock = host.mailbox("user01.lock", b"0")
        mailbox = host.mailbox("user01", COPY)
        host.arrive("user01", COPY + message(3))
        late = host.root / "late"
        late.write_bytes(message(9))
        deliver = f"(sleep 1; cat {late} >>{mailbox}; rm {lock}) &\n"
        assert host.join("user01", patience=20, before=deliver).added == {0: 1}
        assert mailbox.read_bytes() == COPY + message(9) + message(3)


class TestCrashes:
    """The script is killed while it writes: a dd that writes some bytes of the mailbox, and takes its parents along."""

    ADDED = message(3) + message(4)

    def killed(self, host: OldHost, after: int) -> None:
        folder = host.root / "bin"
        folder.mkdir()
        (folder / "dd").write_text(
            '#!/bin/sh\ncase "$*" in *oflag=append*) ;; *) exec /bin/dd "$@" ;; esac\n'
            f'target=$1\nhead -c {after} >>"${{target#of=}}"\nkill -s KILL 0\n'
        )
        (folder / "dd").chmod(0o755)
        host.mailbox("user01", COPY)
        host.arrive("user01", COPY + self.ADDED)
        script = f"PATH={folder}:$PATH\n{host.script('user01')}"
        killed = subprocess.run(
            [SHELLS[0], "-s"], input=inspecting(script).encode(), start_new_session=True, check=False
        )
        assert killed.returncode == -9
        assert (host.tree / "user01").read_bytes() == COPY + self.ADDED[:after]
        assert (host.tree / "user01.lock").exists()

    @pytest.mark.parametrize("after", [0, 1, 40, len(message(3)), len(message(3)) + 7, len(ADDED)])
    def test_the_next_try_completes_what_was_cut_short(self, host: OldHost, after: int) -> None:
        self.killed(host, after)
        _, now = host.merge(None, COPY + self.ADDED)
        assert now == COPY + self.ADDED
        assert sorted(path.name for path in host.tree.iterdir()) == ["user01"]
        assert not host.home.exists()

    @pytest.mark.parametrize("after", [0, len(message(3)), len(ADDED)])
    def test_mail_delivered_behind_whole_messages_stays(self, host: OldHost, after: int) -> None:
        self.killed(host, after)
        with (host.tree / "user01").open("ab") as mailbox:
            mailbox.write(message(9))
        _, now = host.merge(None, COPY + self.ADDED)
        assert identities(now) == identities(COPY + self.ADDED + message(9))
        assert now.startswith(COPY + self.ADDED[:after] + message(9))

    def test_mail_delivered_behind_half_a_message_is_told(self, host: OldHost) -> None:
        self.killed(host, 60)
        with (host.tree / "user01").open("ab") as mailbox:
            mailbox.write(message(9))
        said, now = host.merge(None, COPY + self.ADDED)
        assert "user01 has half a message before byte" in said.unsettled
        assert now == COPY + self.ADDED[:60] + message(9)

    def test_a_full_disk_is_told_and_the_mailbox_is_as_before(self, host: OldHost) -> None:
        folder = host.root / "bin"
        folder.mkdir()
        (folder / "dd").write_text(
            '#!/bin/sh\ncase "$*" in *oflag=append*) ;; *) exec /bin/dd "$@" ;; esac\n'
            "target=$1\nhead -c 30 >>\"${target#of=}\"\necho 'dd: No space left on device' >&2\nexit 1\n"
        )
        (folder / "dd").chmod(0o755)
        host.mailbox("user01", COPY)
        host.arrive("user01", COPY + self.ADDED)
        said = host.join("user01", before=f"PATH={folder}:$PATH\n")
        assert "No space left" in said.refused[0]
        assert (host.tree / "user01").read_bytes() == COPY
        assert host.merge(None, COPY + self.ADDED)[1] == COPY + self.ADDED


class TestAnyHistory:
    bodies = st.one_of(
        st.text(st.sampled_from("ab\n\r\0\x01\x02\x04\udcff> "), max_size=20),
        st.sampled_from(["", "From x\n\nFrom y", "\n\nFrom nobody Mon 1 10:00", "x" * 5000, "a\n\n\n"]),
    )
    letters = st.builds(
        message,
        st.integers(1, 3),
        st.sampled_from(["Subject: a", "Status: O", "X-UID: 5"]),
        body=bodies,
        end=st.sampled_from(["\n\n", "\n\n\n"]),
    )
    copies = st.lists(letters, max_size=4)
    histories = st.tuples(copies, st.lists(st.booleans(), max_size=4), copies, copies)

    # An example takes a second, so a failing one is told as it was met.
    @settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
    @given(st.lists(histories, min_size=5, max_size=8))
    def test_every_message_of_both_is_there_as_often_as_where_it_is_more_often(
        self, histories: list[tuple[list[bytes], list[bool], list[bytes], list[bytes]]]
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            host = OldHost(Path(folder) / "host")
            boxes = {}
            for number, (copy, deleted, came_new, came_old) in enumerate(histories):
                kept = [each for each, gone in zip(copy, deleted + [False] * 4, strict=False) if not gone]
                old, new = b"".join(copy + came_old), b"".join(kept + came_new)
                host.mailbox(str(number), old)
                host.arrive(str(number), new)
                boxes[str(number)] = (old, new)
            said = host.join(*boxes)
            assert not said.refused
            for path, (old, new) in boxes.items():
                now = (host.tree / path).read_bytes()
                assert now.startswith(old)
                assert identities(now) == identities(old) | identities(new)
                assert said.added[int(path)] == (identities(new) - identities(old)).total()
                host.arrive(path, new)
            assert set(host.join(*boxes).added.values()) <= {0}


def test_ten_thousand_messages_that_a_reader_rewrote_take_seconds(host: OldHost) -> None:
    old = b"".join(message(number, body="text\n" * 40) for number in range(10_000))
    new = b"".join(message(number, "Status: RO", body="text\n" * 40) for number in range(1, 10_002, 2))
    began = time.monotonic()
    said, now = host.merge(old + message(20_000), new)
    assert said.added == {0: 1}
    assert identities(now) == identities(old + message(20_000)) | identities(new)
    assert time.monotonic() - began < 60


words = st.sampled_from(["joined", "locked", "refused", "end"])
places = st.sampled_from(["0", "1", "2", "-1", "-", "x", "9" * 5000])
lines = st.builds(" ".join, st.tuples(words, places, st.sampled_from(["", "1", "x", "9" * 5000])))


@given(st.text() | st.lists(lines | st.just("end")).map(lambda said: "\n".join([*said, "end", ""])))
def test_what_is_said_is_of_every_mailbox_or_refused(text: str) -> None:
    try:
        said = parse_joined(text, 2)
    except ValueError:
        return
    assert said.unsettled or "refused - " in text or {*said.added, *said.locked, *said.refused} == {0, 1}


def test_the_name_of_the_migration_stands_in_its_locks(host: OldHost) -> None:
    assert f"migrate {NAME}" in host.script("user01")
    assert Counter(identities(COPY).values()) == {1: 2}
