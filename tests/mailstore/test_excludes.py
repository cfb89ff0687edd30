"""rsync's patterns as find reads them. The table was checked against rsync 3.5.0."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrator.mailstore import excludes
from migrator.mailstore.excludes import Untranslatable

TREE = (
    *("bak/one", "u1/bak/two", "u1/web/page", "u1/Maildir/cur/1", "u1/x.bak", "deep/a/b/c", "a/b/file", "b"),
    *(
        "one.lock",
        "u1/two.lock",
        "star*name",
        "br[a]cket",
        "back\\slash",
        "a b",
        "line\nbreak",
        "\udcff",
        "foo/foo",
    ),
    *("foobar/x", "x/foobar/y", "caret^", "dash-", "close]", "dir/sub/leaf", "q?", "5", "ä", "ab.bak/x"),
)

LEFT_OUT = [
    ("*.lock", {"one.lock", "u1/two.lock"}),
    ("/*.lock", {"one.lock"}),
    ("*/bak", {"u1/bak", "u1/bak/two"}),
    ("bak", {"bak", "bak/one", "u1/bak", "u1/bak/two"}),
    ("/bak", {"bak", "bak/one"}),
    ("b/", {"deep/a/b", "deep/a/b/c", "a/b", "a/b/file"}),
    ("b", {"deep/a/b", "deep/a/b/c", "a/b", "a/b/file", "b"}),
    ("a/b", {"deep/a/b", "deep/a/b/c", "a/b", "a/b/file"}),
    ("/a/b", {"a/b", "a/b/file"}),
    ("**/b", {"deep/a/b", "deep/a/b/c", "a/b", "a/b/file", "b"}),
    ("deep/**/c", {"deep/a/b/c"}),
    ("dir/***", {"dir", "dir/sub", "dir/sub/leaf"}),
    ("dir/**", {"dir/sub", "dir/sub/leaf"}),
    ("/dir/*", {"dir/sub", "dir/sub/leaf"}),
    ("star*name", {"star*name"}),
    ("star\\*name", {"star*name"}),
    ("back\\slash", {"back\\slash"}),
    ("back\\\\sla*", {"back\\slash"}),
    ("back\\\\slash", set()),
    ("br[[]a]cket", {"br[a]cket"}),
    ("?", {"a", "a/b", "a/b/file", "b", "x", "x/foobar", "x/foobar/y", "5", "foobar/x", "ab.bak/x", "\udcff"}
     | {"deep/a", "deep/a/b", "deep/a/b/c", "u1/Maildir/cur/1"}),
    ("[0-9]", {"5", "u1/Maildir/cur/1"}),
    ("[!a-z5]*", {"u1/Maildir", "u1/Maildir/cur", "u1/Maildir/cur/1", "\udcff", "ä"}),
    ("a?b", {"a b"}),
    ("line*break", {"line\nbreak"}),
    ("line?break", {"line\nbreak"}),
    ("*[]^-]", {"caret^", "dash-", "close]"}),
    ("[[:digit:]]", {"5", "u1/Maildir/cur/1"}),
    ("foo/foo", {"foo/foo"}),
    ("foo**", {"foo", "foo/foo", "foobar", "foobar/x", "x/foobar", "x/foobar/y"}),
    ("/u1/*.bak", {"u1/x.bak"}),
    ("*.bak/", {"ab.bak", "ab.bak/x"}),
    ("ä", {"ä"}),
    ("??", {"ä", "u1", "q?", "u1/bak", "u1/bak/two", "u1/web", "u1/web/page", "u1/x.bak", "u1/two.lock"}
     | {"u1/Maildir", "u1/Maildir/cur", "u1/Maildir/cur/1"}),
]  # fmt: skip


def plant(root: Path) -> None:
    for path in TREE:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if not (root / path).exists():
            (root / path).write_text("x")


def everything(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def found(root: Path, patterns: list[str]) -> set[str]:
    """Return what find shows with these patterns left out."""
    script = f"LC_ALL=C find . {excludes.prune(patterns)} -printf '%P\\0'"
    done = subprocess.run(["sh", "-c", os.fsencode(script)], cwd=root, capture_output=True, check=True)
    assert done.stderr == b""
    return {os.fsdecode(name) for name in done.stdout.split(b"\0")[:-1] if name}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("excluded")
    plant(folder)
    return folder


@pytest.mark.parametrize(("pattern", "left_out"), LEFT_OUT)
def test_a_pattern_leaves_out_what_rsync_leaves_out(root: Path, pattern: str, left_out: set[str]) -> None:
    assert everything(root) - found(root, [pattern]) == left_out


def test_several_patterns_leave_out_what_any_of_them_does(root: Path) -> None:
    shown = found(root, ["/*.lock", "b/", "*.bak"])
    assert everything(root) - shown == {
        *("one.lock", "deep/a/b", "deep/a/b/c", "a/b", "a/b/file", "u1/x.bak", "ab.bak", "ab.bak/x"),
    }


@pytest.mark.parametrize("pattern", ["**", "*", "***", "/**", "/***"])
def test_the_folder_of_the_tree_itself_is_never_left_out(root: Path, pattern: str) -> None:
    script = f"LC_ALL=C find . {excludes.prune([pattern])} -print"
    done = subprocess.run(["sh", "-c", script], cwd=root, capture_output=True, check=True)
    assert done.stdout == b".\n"


def test_no_pattern_is_no_word() -> None:
    assert excludes.prune([]) == ""


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "/",
        "a//b",
        "- a",
        "+ a",
        "!",
        "[abc",
        "[ä]x",
        "[/]",
        "[[:space:]]",
        "[[:no:]]",
        "a*\\",
        "a*\\/b",
        "a\nb",
    ],
)
def test_what_cannot_be_told_exactly_is_refused(pattern: str) -> None:
    with pytest.raises(Untranslatable):
        excludes.prune([pattern])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet="ab*?[]!^-\\/.x", min_size=1, max_size=8))
def test_find_takes_every_pattern_that_is_not_refused(root: Path, pattern: str) -> None:
    try:
        excludes.prune([pattern])
    except Untranslatable:
        return
    assert found(root, [pattern]) <= everything(root)
