"""What of a tree is brought home is told by names and by contents, whatever the names hold."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.hosts.script import inspecting
from migrator.mailstore import home
from migrator.mailstore.home import Entry
from migrator.plan import SyncTree
from tests.hosts.shell import SHELLS, each_shell, run

NEW = ">f+++++++++"
OTHER = ">fcst......"


def listed(*lines: str) -> tuple[Entry, ...]:
    return home.parse_listing("".join(f"{line}\n" for line in lines))


def escaped(path: str) -> str:
    """Return a path as rsync prints it in the C locale (log.c, rwrite)."""
    content = path.encode("utf-8", "surrogateescape")
    parts = []
    for place, byte in enumerate(content):
        octal = content[place : place + 2] == b"\\#" and content[place + 2 : place + 5].isdigit()
        parts.append(f"\\#{byte:03o}" if octal or not 32 <= byte < 127 else chr(byte))
    return "".join(parts)


class TestTheListing:
    def test_what_the_old_host_lacks_and_what_it_has_otherwise(self) -> None:
        assert listed(f"{NEW} 10 user05", f"{OTHER} 22 user01", "cL+++++++++ 3 link") == (
            Entry("user05", "file", 10, missing=True),
            Entry("user01", "file", 22, missing=False),
            Entry("link", "link", 0, missing=True),
        )

    @pytest.mark.parametrize(
        "line",
        [
            ".f..t...... 10 a",
            ".d..t...... 4096 ./",
            "cd+++++++++ 4096 ./",
            ".d...p..... 4096 mail/",
            f"{NEW} 1 user01.lock",
            "cD+++++++++ 0 device",
            "cS+++++++++ 0 fifo",
            "*deleting   gone",
            "rsync: something else",
            "",
        ],
    )
    def test_what_is_no_mail(self, line: str) -> None:
        assert listed(line) == ()

    def test_missing_folders_are_made(self) -> None:
        assert listed("cd+++++++++ 4096 a b/new/") == (Entry("a b/new", "folder", 0, missing=True),)

    def test_a_name_that_rsync_escaped_is_as_it_was(self) -> None:
        assert listed(f"{NEW} 1 a\\#012l\\#351 =>\\#134#101")[0].path == "a\nl\udce9 =>\\#101"

    @given(st.text(st.characters(min_codepoint=1) | st.sampled_from("\udcff\\#0123\n /"), min_size=1))
    def test_every_name_comes_back(self, name: str) -> None:
        name = name.encode("utf-8", "surrogateescape" if "\udcff" in name else "replace").decode(
            "utf-8", "surrogateescape"
        )
        path = "/".join(part for part in name.split("/") if part not in ("", "..")) + "x"
        assert [entry.path for entry in listed(f"{NEW} 1 {escaped(path)}")] == [path]

    @pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../b", "a//b"])
    def test_a_path_that_leads_out_is_refused(self, path: str) -> None:
        with pytest.raises(ValueError, match="outside"):
            listed(f"{NEW} 1 {path}")

    @given(st.text())
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        try:
            found = home.parse_listing(text)
        except ValueError:
            return
        assert all(entry.path and not entry.path.startswith("/") for entry in found)


class TestKeys:
    @pytest.mark.parametrize(
        ("path", "key"),
        [
            ("u/Maildir/new/1.M2.host", "u/Maildir/1.M2.host"),
            ("u/Maildir/cur/1.M2.host:2,RS", "u/Maildir/1.M2.host"),
            ("u/Maildir/.Archive/cur/1.M2.host:2,", "u/Maildir/1.M2.host"),
            ("u/.maildir/.a.b/new/1", "u/1"),
            ("new/1", "/1"),
            ("u/mbox", ""),
            ("u/new/folder/x", ""),
            ("u/Maildir/dovecot-uidlist", ""),
        ],
    )
    def test_a_message_is_known_by_its_store_and_its_unique_name(self, path: str, key: str) -> None:
        assert Entry(path, "file", 1, missing=True).key == key

    def known(self, tree: Path, *keys: str, shell: str = SHELLS[0], awk: str = "awk") -> list[str]:
        script = f'awk() {{ command {awk} "$@"; }}\n{home.keys_script(str(tree), keys)}'
        output = run(shell, inspecting(script))
        assert (output.returncode, output.stderr) == (0, "")
        return sorted(keys[number] for number in home.parse_numbers(output.stdout, len(keys)))

    @each_shell
    def test_the_old_host_knows_what_was_read_or_moved(self, tmp_path: Path, shell: str) -> None:
        for path in ("u/Maildir/cur/1:2,S", "u/Maildir/.a/new/2", "v/Maildir/new/3", "u/Maildir/4"):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
        keys = ("u/Maildir/1", "u/Maildir/2", "u/Maildir/3", "u/Maildir/4", "v/Maildir/3")
        assert self.known(tmp_path, *keys, shell=shell) == ["u/Maildir/1", "u/Maildir/2", "v/Maildir/3"]

    @pytest.mark.parametrize(
        "path",
        ["it's/new/-n", "a\nb/.c\nd/cur/\udce9\n:2,:2,S", "$(id)/.x/.y/new/*", "new/\\101", "new/x\x01y"],
    )
    @pytest.mark.parametrize("awk", ["awk", "mawk", "gawk", "busybox awk"])
    def test_both_sides_make_the_same_key_of_a_strange_name(
        self, tmp_path: Path, path: str, awk: str
    ) -> None:
        if shutil.which(awk.partition(" ")[0]) is None:
            pytest.skip(f"no {awk} here")
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
        key = Entry(path, "file", 1, missing=True).key
        assert self.known(tmp_path, "another", key, "x/y", awk=awk) == [key]

    def test_a_look_that_broke_off_is_not_believed(self, tmp_path: Path) -> None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/find").write_text("#!/bin/sh\nprintf 'new/1\\0'\nexit 1\n")
        (tmp_path / "bin/find").chmod(0o755)
        script = f"PATH={tmp_path}/bin:$PATH\n{home.keys_script(str(tmp_path), ['/2'])}"
        with pytest.raises(ValueError, match="does not end"):
            home.parse_numbers(run(SHELLS[0], inspecting(script)).stdout, 1)


@each_shell
def test_a_mailbox_begins_with_a_sender_and_a_time(tmp_path: Path, shell: str) -> None:
    contents = {
        "it's": b"From a@b Mon Nov 23 19:48:00 2026\n\nx\n\n",
        "-n": b"From a@b  Mon Nov 23 9:48 2026 remote from c",
        "letter": b"From here to eternity\n",
        "nul\n": b"\0\0\0\0From 1:11",
        "begins empty": b"\n\r\n\nFrom a@b Mon Nov 23 19:48:00 2026\n\nx\n\n",
        "empty": b"",
        "blank": b"\n" * 100_000,
        "long": b"x" * 100_000,
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    output = run(shell, inspecting(home.mailboxes_script(str(tmp_path), [*contents, "missing"])))
    assert (output.stderr, home.parse_numbers(output.stdout, 9)) == ("", (0, 1, 4))


@pytest.mark.parametrize("text", ["", "0\n", "2\nend\n", "-1\nend\n", "x\nend\n", "9" * 5000 + "\nend\n"])
def test_numbers_are_whole_and_in_range_or_not_believed(text: str) -> None:
    with pytest.raises(ValueError, match="numbers"):
        home.parse_numbers(text, 2)


class TestWhatIsDone:
    ENTRIES = listed(
        f"{NEW} 9 user05",
        f"{OTHER} 9 user01",
        f"{OTHER} 9 notes",
        "cd+++++++++ 1 u/new/",
        f"{NEW} 9 u/new/1",
        f"{NEW} 9 u/new/2",
        f"{OTHER} 9 u/new/3",
        f"{NEW} 0 u/empty",
    )

    def test_each_kind_goes_its_way(self) -> None:
        found = home.sort_out(self.ENTRIES, ["u/2"], ["user01", "user05"])
        assert found.carried == ("u/new", "u/new/1", "u/empty")
        assert found.shown == ("u/new/1", "u/empty")
        assert [entry.path for entry in found.mailboxes] == ["user05", "user01"]
        assert found.left == ("notes", "u/new/3")

    def test_the_index_files_of_a_folder_come_with_it_or_not_at_all(self) -> None:
        names = (
            "dovecot.index",
            "dovecot.index.log",
            "dovecot.index.log.2",
            "dovecot.index.cache",
            "dovecot.map.index",
        )
        there = [Entry(f"u/Maildir/{name}", "file", 9, missing=name != "dovecot.index.log") for name in names]
        comes = [Entry(f"u/Maildir/.New/{name}", "file", 9, missing=True) for name in names]
        beside = Entry("u/mail/.imap/a/dovecot.index", "file", 9, missing=True)
        folders = [Entry(f"u/{path}", "folder", 0, missing=True) for path in ("Maildir/.New", "mail/.imap/a")]
        kept = Entry("u/Maildir/.New/dovecot-uidlist", "file", 9, missing=True)
        done = home.sort_out([*folders, *there, *comes, beside, kept], [], [])
        assert done.carried == tuple(entry.path for entry in (folders[0], *comes, kept))
        assert done.left == ()

    def test_what_may_be_a_mailbox_is_neither_empty_nor_a_message(self) -> None:
        assert [entry.path for entry in home.candidates(self.ENTRIES)] == ["user05", "user01", "notes"]

    @given(st.lists(st.integers(0, 30)), st.integers(1, 40))
    def test_groups_hold_everything_once_and_no_more_than_they_may(
        self, sizes: list[int], limit: int
    ) -> None:
        entries = [Entry(str(number), "file", size, missing=True) for number, size in enumerate(sizes)]
        groups = list(home.batches(entries, limit))
        assert [entry for group in groups for entry in group] == entries
        assert all(len(group) == 1 or sum(entry.size for entry in group) <= limit for group in groups)


class TestRsyncWords:
    TREE = SyncTree("/var/spool/mail/", "/srv/mail/", ("*/bak",))

    def test_the_listing_compares_contents_and_writes_nothing(self) -> None:
        words = home.listing_words(self.TREE)
        assert {"--dry-run", "--checksum", "--exclude=*/bak"} <= set(words)

    def test_what_is_carried_never_takes_the_place_of_anything(self) -> None:
        words = home.carrying_words("/var/lib/migrate/x/home-0")
        assert {"--ignore-existing", "--from0", "--files-from=/var/lib/migrate/x/home-0/list"} <= set(words)
        assert not [word for word in words if word.startswith(("--delete", "--partial", "--inplace"))]

    def test_copies_of_mailboxes_are_made_beside_the_tree(self) -> None:
        assert "--copy-dest=/var/spool/mail/" in home.carrying_words("/x", basis="/var/spool/mail/")


@each_shell
@pytest.mark.parametrize("inside", ["", "stage"])
def test_a_list_holds_every_name_as_it_is(tmp_path: Path, shell: str, inside: str) -> None:
    folder = tmp_path / "state/home-0"
    (folder / "stage").mkdir(parents=True)
    (folder / "stage/of an earlier try").touch()
    names = ["it's", "-n", "a\nb", "$(id)", "l\udce9", "%s\\n"]
    output = run(shell, inspecting(home.list_script(str(folder), names, inside=inside)))
    assert (output.returncode, output.stderr) == (0, "")
    expected = "".join(f"{name}\0" for name in names).encode("utf-8", "surrogateescape")
    assert (folder / "list").read_bytes() == expected
    assert (folder / "list").stat().st_mode & 0o77 == 0
    assert (folder / "stage/of an earlier try").exists() is not bool(inside)
