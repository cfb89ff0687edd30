"""Mailboxes are joined message by message: nothing lost, nothing doubled, whatever both sides went through."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from migrator.mailstore.entering import SAID
from migrator.mailstore.joining import Joined, parse_joined
from tests.hosts.shell import SHELLS, each_shell
from tests.mailstore.mailboxes import COPY, NAME, OldHost, identities, message


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

    @pytest.mark.parametrize(
        "header",
        [
            *('X-UIDL: 5!!"#abc', "x-uidl: 6", "X-Mozilla-Status: 0001", "X-Mozilla-Status2: 00000000"),
            *(
                "X-Mozilla-Keys:     ",
                "X-Evolution: 00000001-0010",
                "X-Account-Key: account1",
                "X-UID: 7\n 8",
                "X-RMAIL-ATTRIBUTES: --E-----",
                "X-RMAIL-KEYWORDS: work",
                "X-Label: later",
            ),
        ],
    )
    def test_what_a_reader_adds_makes_no_other_message_of_it(self, host: OldHost, header: str) -> None:
        said, now = host.merge(COPY, message(1, header, "Status: RO") + message(2, header) + message(3))
        assert (said.added, now) == ({0: 1}, COPY + message(3))

    @pytest.mark.parametrize("shell", SHELLS)
    @pytest.mark.parametrize("blank", [b"\n", b"\n\r\n\n"])
    def test_a_mailbox_may_begin_with_empty_lines(self, host: OldHost, blank: bytes, shell: str) -> None:
        said, now = host.merge(COPY, blank + COPY + message(3), shell=shell)
        assert (said.added, now) == ({0: 1}, COPY + message(3))
        said, now = host.merge(blank + COPY, blank + COPY + message(4), shell=shell)
        assert (said.added, now) == ({0: 1}, blank + COPY + message(4))
        note = message(0, "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA", "X-IMAP: 1 2")
        said, now = host.merge(blank + COPY, blank + note + COPY + message(5), shell=shell)
        assert (said.added, now) == ({0: 1}, blank + COPY + message(5))

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

    @pytest.mark.skipif(os.getuid() != 0, reason="gives a link to a user")
    def test_a_tree_that_a_user_swapped_for_a_link_gets_nothing(self, host: OldHost) -> None:
        host.mailbox("box", COPY)
        host.tree.rename(host.root / "outside")
        host.tree.symlink_to("outside")
        os.lchown(host.tree, 65534, 65534)
        host.arrive("box", COPY + message(3))
        with pytest.raises(AssertionError, match=SAID):
            host.join("box")
        assert (host.root / "outside/box").read_bytes() == COPY

    def test_what_is_no_mailbox_on_the_old_host_stays_and_is_told(self, host: OldHost) -> None:
        said, now = host.merge(b"binary \0 index\n", COPY)
        assert (said.added, now) == ({}, b"binary \0 index\n")
        assert "move it aside" in said.refused[0]

    def test_a_copy_that_did_not_arrive_is_told(self, host: OldHost) -> None:
        host.mailbox("user01", COPY)
        assert "did not arrive" in host.join("user01").refused[0]


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
