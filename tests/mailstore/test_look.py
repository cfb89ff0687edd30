"""The old host's look at one tree, in a real shell on real files."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from migrator.mailstore import notes
from migrator.mailstore.look import FEW
from tests.mailstore import trees
from tests.mailstore.hosts_of_trees import Pair

SHORT = 0.05


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """An old host with a small store, noted under the token T1, and margins as short as the pauses here."""
    pair = Pair(tmp_path, margin=SHORT, slack=SHORT)
    trees.Store(pair.old)
    noted(pair)
    return pair


def noted(pair: Pair) -> None:
    time.sleep(2 * SHORT)
    assert pair.there("look mark && look keep both T1").returncode == 0


def changed(pair: Pair, base: str = "exact T1") -> list[str]:
    """Return the lines of the look, without the figures at its end."""
    done = pair.there(f"look changed {base}")
    assert done.returncode == 0, done.stderr
    lines = os.fsdecode(done.stdout).split("\n")
    assert lines[-2:] == ["end", ""]
    return [line for line in lines[:-2] if not line.startswith(("total ", "root "))]


def test_a_mark_tells_how_many_names_folders_and_noted_names_there_are(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    trees.Store(pair.old)
    paths = [pair.old, *(pair.old / path for path in trees.walk(pair.old))]
    names, folders, messages = len(paths), sum(map(trees.is_folder, paths)), len(["1", "2", "3"])
    assert pair.there("look mark").stdout.decode() == f"total {names} {folders} {names - messages}\n"


def test_where_nothing_changed_nothing_is_told(pair: Pair) -> None:
    assert changed(pair) == []
    assert changed(pair, "seen -") == []


def test_another_look_at_the_tree_is_waited_for(pair: Pair) -> None:
    lock = pair.base / "it's notes/lock"
    with subprocess.Popen(["flock", lock, "sh", "-c", "echo held; sleep 1"], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        began = time.monotonic()
        assert changed(pair) == []
        assert time.monotonic() - began > SHORT
        assert other.wait(0.5) == 0


def test_what_changed_as_the_note_was_made_is_told_again(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    trees.Store(pair.old)
    assert pair.there("look mark && look keep seen -").returncode == 0
    assert "F ./mbox" in changed(pair, "seen -")


def test_a_message_that_was_read_is_told_with_the_two_folders_it_was_in(pair: Pair) -> None:
    box = pair.old / "new/Maildir"
    (box / "new/3").rename(box / "cur/3:2,S")
    lines = changed(pair)
    assert sorted(lines) == ["D ./new/Maildir/cur", "D ./new/Maildir/new", "f 3:2,S"]


def test_of_a_folder_that_changed_a_message_that_did_not_is_told_by_its_name_alone(pair: Pair) -> None:
    (pair.old / "u1/Maildir/cur/9").write_text("new")
    assert sorted(changed(pair)) == ["D ./u1/Maildir/cur", "e 1:2,S", "e 2:2,", "f 9"]


def test_a_mailbox_rewritten_at_the_same_size_and_time_is_told_without_its_folder(pair: Pair) -> None:
    mbox = pair.old / "mbox"
    seen = mbox.stat()
    mbox.write_bytes(b"x" * seen.st_size)
    os.utime(mbox, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert changed(pair) == ["F ./mbox"]


def append_to_a_message(pair: Pair) -> None:
    with (pair.old / "u1/Maildir/cur/1:2,S").open("a") as stream:
        stream.write("more")


def test_a_message_that_was_written_anew_in_place_is_told_where_there_are_few(pair: Pair) -> None:
    append_to_a_message(pair)
    assert changed(pair) == ["F ./u1/Maildir/cur/1:2,S"]


def test_where_there_are_many_no_message_is_looked_at(pair: Pair) -> None:
    (pair.base / "it's notes/names").write_text(f"{FEW}\n")
    append_to_a_message(pair)
    assert changed(pair) == []


@pytest.fixture
def young(tmp_path: Path) -> Pair:
    """A store that was restored just now, and a pass that brought it: by its margin every message in it is young."""
    pair = Pair(tmp_path, slack=SHORT)
    trees.Store(pair.old)
    time.sleep(2 * SHORT)
    pair.whole(delete=True)
    return pair


def a_pass(pair: Pair) -> list[str]:
    """Return what a pass over what changed is told, and keep its note."""
    time.sleep(2 * SHORT)
    lines = changed(pair, "seen -")
    assert pair.there("look keep seen -").returncode == 0
    return lines


def deliver(pair: Pair, name: str) -> None:
    (pair.old / "u1/Maildir/cur" / name).write_text(f"mail {name}")


def test_of_a_store_that_was_just_restored_a_pass_brings_no_message_twice(young: Pair) -> None:
    deliver(young, "9")
    assert sorted(a_pass(young)) == ["D ./u1/Maildir/cur", "e 1:2,S", "e 2:2,", "f 9"]
    deliver(young, "10")
    assert sorted(a_pass(young)) == ["D ./u1/Maildir/cur", "e 1:2,S", "e 2:2,", "e 9", "f 10"]
    time.sleep(2 * SHORT)
    deliver(young, "11")
    brought = ["e 10", "e 1:2,S", "e 2:2,", "e 9"]
    assert sorted(changed(young, "seen -")) == sorted(["D ./u1/Maildir/cur", *brought, "f 11"])
    # The final pass, and its proof: what the passes before brought stands there.
    assert sorted(changed(young)) == sorted(["D ./u1/Maildir/cur", *brought, "f 11"])


def test_a_young_message_whose_folder_rests_for_a_pass_is_not_brought_twice(young: Pair) -> None:
    with (young.old / "mbox").open("a") as stream:
        stream.write("more")
    assert a_pass(young) == ["F ./mbox"]
    assert a_pass(young) == []
    deliver(young, "9")
    assert sorted(a_pass(young)) == ["D ./u1/Maildir/cur", "e 1:2,S", "e 2:2,", "f 9"]


def test_a_young_message_that_was_written_anew_in_place_is_told(young: Pair) -> None:
    append_to_a_message(young)
    assert a_pass(young) == ["F ./u1/Maildir/cur/1:2,S"]
    append_to_a_message(young)
    deliver(young, "9")
    assert sorted(a_pass(young)) == ["D ./u1/Maildir/cur", "e 2:2,", "f 1:2,S", "f 9"]


def test_another_message_of_a_young_one_s_name_is_told(young: Pair) -> None:
    message = young.old / "u1/Maildir/cur/1:2,S"
    seen = message.stat()
    coming = young.old / "u1/Maildir/tmp/coming"
    coming.write_bytes(b"x" * seen.st_size)
    os.utime(coming, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    coming.rename(message)
    assert sorted(a_pass(young)) == [
        *("D ./u1/Maildir/cur", "D ./u1/Maildir/tmp"),
        *("e 2:2,", "f 1:2,S"),
    ]


def test_what_a_pass_did_not_end_with_is_brought_again(young: Pair) -> None:
    deliver(young, "9")
    time.sleep(2 * SHORT)
    assert "f 9" in changed(young, "seen -")  # and its pass was cut off
    assert "f 9" in a_pass(young)


def test_a_young_message_in_another_folder_of_the_same_place_is_told(young: Pair) -> None:
    box = young.old / "u1/Maildir"
    box.rename(young.old / "kept")
    for name in ("cur", "new", "tmp"):
        (box / name).mkdir(parents=True)
    (box / "cur/1:2,S").write_text("mail")
    assert {"n Maildir", "f 1:2,S"} <= set(a_pass(young))
    shutil.rmtree(box)
    (young.old / "kept").rename(box)
    assert {"D ./u1/Maildir/cur", "f 1:2,S", "f 2:2,"} <= set(a_pass(young))


def test_a_folder_that_was_moved_in_is_told_with_all_that_is_in_it(pair: Pair) -> None:
    (pair.old / "u1/Maildir").rename(pair.old / "u3/Maildir")
    lines = changed(pair)
    assert {"D ./u1", "D ./u3", "n Maildir", "D ./u3/Maildir/cur", "f 1:2,S", "f 2:2,"} <= set(lines)
    assert not any("./u1/Maildir" in line for line in lines)


def test_every_name_of_a_file_that_changed_is_told(pair: Pair) -> None:
    os.link(pair.old / "mbox", pair.old / "u3/other name")
    noted(pair)
    with (pair.old / "mbox").open("a") as stream:
        stream.write("more")
    assert set(changed(pair)) == {"F ./mbox", "F ./u3/other name"}


def test_files_in_a_folder_named_cur_that_is_no_maildir_are_noted(pair: Pair) -> None:
    with (pair.old / "u3/cur/plain").open("a") as stream:
        stream.write("more")
    assert changed(pair) == ["F ./u3/cur/plain"]


def test_what_is_left_out_is_not_told(tmp_path: Path) -> None:
    pair = Pair(tmp_path, ("*.lock", "bak/"), margin=SHORT, slack=SHORT)
    (pair.old / "bak").mkdir()
    noted(pair)
    (pair.old / "mbox.lock").touch()
    (pair.old / "bak/old").touch()
    assert changed(pair) == ["D ."]


@pytest.mark.parametrize("base", ["exact T2", "seen -", "exact T1"])
def test_without_such_a_note_only_a_whole_pass_can_tell(tmp_path: Path, base: str) -> None:
    pair = Pair(tmp_path)
    if base == "exact T2":
        noted(pair)
    assert pair.there(f"look changed {base}").returncode == notes.ODD


@pytest.mark.parametrize(
    "words", ["", "mark now", "changed", "changed other -", "keep all T1", "keep both $(id)", "x"]
)
def test_other_words_are_refused(tmp_path: Path, words: str) -> None:
    done = Pair(tmp_path).there(f"set -f; look {words}")
    assert done.returncode == 2
    assert done.stdout == b""


def test_a_torn_note_is_none(pair: Pair) -> None:
    note = pair.base / "it's notes/exact"
    note.write_bytes(b"".join(note.read_bytes().splitlines(keepends=True)[:-3]))
    assert pair.there("look changed exact T1").returncode == notes.ODD


def test_a_note_with_other_names_left_out_is_none(pair: Pair) -> None:
    pair.prune = "! -name . -name x -prune -o"
    assert pair.there("look changed exact T1").returncode == notes.ODD


def test_another_folder_in_the_place_of_the_tree_is_not_compared(pair: Pair) -> None:
    pair.old.rename(pair.base / "gone")
    pair.old.mkdir()
    assert pair.there("look changed exact T1").returncode == notes.ODD


@pytest.mark.parametrize("name", ["u1/Maildir/new/odd\x01", "odd\x02", "u1/od\x02d"])
def test_a_name_that_cannot_be_told_leaves_it_to_a_whole_pass(pair: Pair, name: str) -> None:
    (pair.old / name).touch()
    assert pair.there("look changed exact T1").returncode == notes.ODD


@pytest.mark.parametrize("name", ["odd\x01", "u1/Maildir/cur/odd\x02", "u3/cur/od\x01d"])
def test_a_mark_says_where_a_name_cannot_be_told_and_nothing_is_compared_with_it(
    tmp_path: Path, name: str
) -> None:
    pair = Pair(tmp_path)
    trees.Store(pair.old)
    (pair.old / name).touch()
    done = pair.there("look mark && look keep both T1")
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[0] == "odd"
    assert pair.there("look changed exact T1").returncode == notes.ODD


def test_recent_are_the_files_that_changed_since_the_first_mark(pair: Pair) -> None:
    (pair.old / "u1/Maildir/cur/9\n9").write_text("new")
    noted(pair)
    time.sleep(2 * SHORT)
    assert pair.there("look recent").stdout == b"F ./u1/Maildir/cur/9\x019\nend\n"


def test_the_notes_are_for_root_alone(pair: Pair) -> None:
    folder = pair.base / "it's notes"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o077 for path in folder.iterdir()} == {0}
