"""A pass is told in full, in words that no path can break."""

import re
from typing import Any

import pytest

from migrator.mailstore import rsync
from migrator.mailstore.excludes import translate
from migrator.mailstore.rsync import advice, destination, excluded, pass_words, relayed_words
from migrator.plan import CopyPlan, SyncTree

TREE = SyncTree("/var/www/web1/user/", "/srv/it's here", ("*/bak", "*/web"))


def words(tree: SyncTree, *, copying: CopyPlan | None = None, **how: Any) -> tuple[str, ...]:
    return pass_words(tree, copying=copying or CopyPlan(), **how)


def test_deletions_belong_to_the_pass_that_asks_for_them_and_spare_what_is_excluded() -> None:
    first, final = words(TREE), words(TREE, delete=True)
    assert not any("delete" in word for word in first)
    assert "--delete-after" in final
    assert "--delete-excluded" not in final
    assert final[-2:] == ("--exclude=*/bak", "--exclude=*/web")


@pytest.mark.parametrize("source", ["/var/mail", "/var/spool/mail/", "/srv/spool/"])
def test_locks_of_a_spool_stay_behind_and_a_home_is_whole(source: str) -> None:
    assert "--exclude=/*.lock" in words(SyncTree(source, "/x/"), spool="/srv/spool")
    assert "--exclude=/*.lock" not in words(TREE, spool="/srv/spool")


@pytest.mark.parametrize(
    ("path", "stays"),
    [
        *(
            ("u/mbox.lock", True),
            ("u/inbox.lock", True),
            ("u/mail/a/Work.lock", True),
            ("u/2026.mbox.lock", True),
        ),
        *(("u/Maildir/dovecot-uidlist.lock", True), ("u/INBOX.lock", True), ("u/mbox", False)),
        *(("u/web/Gemfile.lock", False), ("u/yarn.lock", False), ("u/email/x.lock", False)),
    ],
)
def test_locks_of_mailboxes_stay_behind_wherever_these_are(path: str, stays: bool) -> None:
    expression = translate(excluded(TREE, "/var/mail")).every
    assert any(re.fullmatch(each, f"./{path}") for each in expression) is stays
    expression = translate(excluded(SyncTree("/var/mail/", "/var/mail/"), "")).every
    assert any(re.fullmatch(each, "./a/l/alice.lock") for each in expression)


def test_a_rehearsal_names_what_differs_or_counts_it() -> None:
    rehearsal = words(TREE, dry_run=True, itemize=True, checksum=True)
    assert {"--dry-run", "--checksum", "--out-format=%i %n%L"} <= set(rehearsal)
    assert "--stats" in words(TREE, dry_run=True)
    assert relayed_words(rehearsal, index=3)[-1] == "--rsync-path=migrate-tree-3"


def test_a_pass_that_is_given_its_names_excludes_none_for_rsync_refuses_a_name_that_it_excludes() -> None:
    assert not any(word.startswith("--exclude") for word in words(TREE, listed=True))
    assert excluded(SyncTree("/var/mail/", "/var/mail/", ("*/bak",)), "") == (
        *("/*.lock", "*.lock"),
        "*/bak",
    )


def test_the_line_is_shared_as_the_plan_says_and_a_rehearsal_needs_none_of_it() -> None:
    slow = CopyPlan(bwlimit=10 * 1024 * 1024)
    assert "--bwlimit=10240" in words(TREE, copying=slow)
    assert "--bwlimit=1" in words(TREE, copying=CopyPlan(bwlimit=10))
    assert not any(word.startswith("--bwlimit") for word in words(TREE, copying=slow, dry_run=True))
    assert not any(word.startswith("--bwlimit") for word in words(TREE))


def test_a_tree_fills_its_target() -> None:
    assert destination(SyncTree("/a", "/b")) == destination(SyncTree("/a/", "/b/")) == "/b/"


@pytest.mark.parametrize("status", [1, 5, 10, 11, 12, 23, 24, 30, 127, 255, 99])
def test_every_failure_has_an_advice(status: int) -> None:
    assert len(advice(status)) > 20


@pytest.mark.parametrize(
    ("status", "said", "words"),
    [
        (
            12,
            "rsync: --ignore-missing-args: unknown option\nrsync error: syntax or usage error (code 1)",
            "3.1",
        ),
        (1, "rsync: --info=progress2: unknown option", "3.1"),
        (2, "protocol version mismatch -- is your shell clean?", "login shell"),
        (12, "sh: 1: exec: rsync: not found", "missing"),
        (12, "this key only reads the trees of the migration example-mail", "one version"),
    ],
)
def test_what_an_end_says_goes_before_its_exit_status(status: int, said: str, words: str) -> None:
    assert words in rsync.advice(status, said)
    assert not rsync.broke_off(status, said)


def test_a_connection_that_broke_is_still_one() -> None:
    for said in ("", "rsync: connection unexpectedly closed (0 bytes received so far) [Receiver]"):
        assert all(rsync.broke_off(status, said) for status in rsync.BROKEN)
    assert not rsync.broke_off(11, "")


@pytest.mark.parametrize(
    "said",
    [
        "rsync: write failed: No space left on device (28)",
        "sh: 274: echo: echo: I/O error",
        "printf: I/O error",
    ],
)
def test_a_shell_that_could_not_write_a_line_names_a_full_disk_as_well(said: str) -> None:
    assert rsync.advice(1, said) == rsync.FULL
    assert rsync.is_full(said)
    assert not rsync.is_full("rsync: read errors mapping: Input/output error (5)")
