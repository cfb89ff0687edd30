"""What the new host makes of the old one's list, in a real shell on real files."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from migrator.mailstore import notes
from tests.mailstore import trees
from tests.mailstore.hosts_of_trees import Pair

SHORT = 0.05


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Two hosts with the same small store, noted under the token T1."""
    return equal(Pair(tmp_path, margin=SHORT, slack=SHORT))


def equal(pair: Pair) -> Pair:
    trees.Store(pair.old)
    (pair.old / "u1/kept.bak").touch()
    time.sleep(2 * SHORT)
    pair.whole(delete=True)
    return pair


def compared(pair: Pair) -> tuple[set[str], set[str]]:
    assert pair.look("exact T1") == 0
    return set(pair.names("fetch")), set(pair.names("extra"))


def test_nothing_is_fetched_and_nothing_is_extra_where_nothing_changed(pair: Pair) -> None:
    assert compared(pair) == (set(), set())


def test_a_message_that_was_read_is_fetched_and_its_old_name_is_extra(pair: Pair) -> None:
    box = pair.old / "new/Maildir"
    (box / "new/3").rename(box / "cur/3:2,S")
    folders = {"new/Maildir/cur", "new/Maildir/new"}
    assert compared(pair) == ({*folders, "new/Maildir/cur/3:2,S"}, {"new/Maildir/new/3"})


def test_a_message_that_is_missing_here_is_fetched_however_old(pair: Pair) -> None:
    (pair.new / "u1/Maildir/cur/1:2,S").unlink()
    (pair.old / "u1/Maildir/cur/2:2,").unlink()
    assert compared(pair) == ({"u1/Maildir/cur", "u1/Maildir/cur/1:2,S"}, {"u1/Maildir/cur/2:2,"})


def changes(pair: Pair) -> int:
    """Return how many changes are counted."""
    compared(pair)
    return int((pair.work / "changes").read_text())


def test_a_message_that_was_read_is_one_change_and_so_is_one_that_came_or_went(pair: Pair) -> None:
    box = pair.old / "u1/Maildir/cur"
    (box / "1:2,S").rename(box / "1:2,RS")
    assert changes(pair) == 1
    (pair.old / "new/Maildir/new/3").rename(pair.old / "new/Maildir/cur/3:2,S")
    assert changes(pair) == 2
    (box / "9").write_text("mail")
    (box / "2:2,").unlink()
    with (pair.old / "mbox").open("a") as stream:
        stream.write("more")
    assert changes(pair) == 5


def test_a_folder_that_only_lists_otherwise_is_no_change(pair: Pair) -> None:
    assert changes(pair) == 0
    (pair.old / "u1").chmod(0o711)
    (pair.old / "u1/Maildir/tmp/passing").touch()
    (pair.old / "u1/Maildir/tmp/passing").unlink()
    assert changes(pair) == 0


def test_a_folder_that_went_is_extra_once_and_counts_with_all_that_is_in_it(pair: Pair) -> None:
    shutil.rmtree(pair.old / "u1/Maildir")
    assert compared(pair) == ({"u1"}, {"u1/Maildir"})
    assert pair.here("compare ../stream ../work").stdout == b"fetch 1\nextra 6\n"


def test_a_folder_that_became_a_file_is_extra_and_fetched(pair: Pair) -> None:
    shutil.rmtree(pair.old / "u3")
    (pair.old / "u3").touch()
    assert compared(pair) == ({".", "u3"}, {"u3"})


def test_what_is_left_out_is_never_extra_and_keeps_its_folder(tmp_path: Path) -> None:
    pair = equal(Pair(tmp_path, ("*.bak",), margin=SHORT, slack=SHORT))
    (pair.new / "u1/Maildir/cur/own.bak").touch()
    shutil.rmtree(pair.old / "u1")
    extra = {"u1/Maildir/new", "u1/Maildir/tmp", "u1/Maildir/cur/1:2,S", "u1/Maildir/cur/2:2,"}
    assert compared(pair) == ({"."}, extra)


def test_below_a_symbolic_link_nothing_is_extra(pair: Pair) -> None:
    elsewhere = pair.base / "elsewhere"
    (pair.new / "u3/cur").rename(elsewhere)
    (pair.new / "u3/cur").symlink_to(elsewhere)
    (elsewhere / "another's").touch()
    (pair.old / "u3/cur/more").touch()
    assert compared(pair) == ({"u3/cur", "u3/cur/plain", "u3/cur/more"}, set())


@pytest.mark.parametrize("missing", ["new", "new/Maildir"])
def test_a_folder_missing_here_that_did_not_change_there_leaves_it_to_a_whole_pass(
    pair: Pair, missing: str
) -> None:
    shutil.rmtree(pair.new / missing)
    (pair.old / "new/Maildir/cur/4").touch()
    assert pair.look("exact T1") == notes.ODD


@pytest.mark.parametrize("cut", [b"end\n", b"nd\n"])
def test_a_list_that_was_cut_off_is_none(pair: Pair, cut: bytes) -> None:
    (pair.old / "another").touch()
    assert pair.look("exact T1") == 0
    stream = pair.base / "stream"
    stream.write_bytes(stream.read_bytes().removesuffix(cut))
    assert pair.here("compare ../stream ../work").returncode == notes.ODD


def test_a_name_here_that_cannot_be_told_leaves_it_to_a_whole_pass(pair: Pair) -> None:
    (pair.new / "u3/odd\x01").touch()
    (pair.old / "u3/another").touch()
    assert pair.look("exact T1") == notes.ODD


def noted_here(pair: Pair) -> None:
    time.sleep(2 * SHORT)
    assert pair.here("note_here ../here && : >../touched").returncode == 0


def foreign(pair: Pair) -> list[str]:
    done = pair.here("foreign ../here ../touched")
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().splitlines()


def test_nobody_else_changed_what_is_as_it_was_noted(pair: Pair) -> None:
    noted_here(pair)
    assert foreign(pair) == []


@pytest.mark.parametrize(
    ("path", "told"), [("u1/Maildir/new/own", "./u1/Maildir/new"), ("mbox", "./mbox"), ("own\nfile", ".")]
)
def test_what_another_wrote_here_is_told(pair: Pair, path: str, told: str) -> None:
    noted_here(pair)
    with (pair.new / path).open("a") as stream:
        stream.write("mail")
    assert foreign(pair) == [told]


def test_what_a_pass_touched_is_not_anothers(pair: Pair) -> None:
    noted_here(pair)
    store = trees.Store.__new__(trees.Store)
    store.root, store.count = pair.old, 7
    for name, first, second in (
        ("read", 0, 1),
        ("append", 0, 0),
        ("drop_folder", 2, 0),
        ("make_maildir", 0, 4),
    ):
        store.act(name, first, second)
    assert pair.look("exact T1") == 0
    pair.copy(delete=True)
    (pair.base / "touched").write_bytes((pair.work / "touched").read_bytes())
    assert trees.told(pair.new) == trees.told(pair.old)
    assert foreign(pair) == []
    (pair.new / "u3/own").touch()
    assert foreign(pair) == ["./u3"]
