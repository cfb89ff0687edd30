"""A pass is told in full, in words that no path can break."""

import os
import subprocess
from pathlib import Path

import pytest

from migrator.mailstore.rsync import advice, destination, pass_words, passed, pull_script, relayed_words
from migrator.plan import SyncTree

TREE = SyncTree("/var/www/web1/user/", "/srv/it's here", ("*/bak", "*/web"))
OLD = ("198.51.100.10", 2222, "root")


def test_deletions_belong_to_the_pass_that_asks_for_them_and_spare_what_is_excluded() -> None:
    first, final = pass_words(TREE), pass_words(TREE, delete=True)
    assert not any("delete" in word for word in first)
    assert "--delete-after" in final
    assert "--delete-excluded" not in final
    assert final[-2:] == ("--exclude=*/bak", "--exclude=*/web")


@pytest.mark.parametrize("source", ["/var/mail", "/var/spool/mail/", "/srv/spool/"])
def test_locks_of_a_spool_stay_behind_and_a_home_is_whole(source: str) -> None:
    assert "--exclude=/*.lock" in pass_words(SyncTree(source, "/x/"), spool="/srv/spool")
    assert "--exclude=/*.lock" not in pass_words(TREE, spool="/srv/spool")


def test_a_rehearsal_names_what_differs_or_counts_it() -> None:
    words = pass_words(TREE, dry_run=True, itemize=True, checksum=True, numeric_ids=True)
    assert {"--dry-run", "--checksum", "--numeric-ids", "--out-format=%i %n%L"} <= set(words)
    assert "--stats" in pass_words(TREE, dry_run=True)
    assert relayed_words(words, index=3)[-1] == "--rsync-path=migrate-tree-3"


@pytest.mark.parametrize(
    ("endpoint", "place"),
    [(OLD, "root@198.51.100.10:."), (("2001:db8::10", 22, "root"), "root@[2001:db8::10]:.")],
)
def test_the_script_gives_rsync_a_number_and_no_path_of_the_old_host(
    endpoint: tuple[str, int, str], place: str, tmp_path: Path
) -> None:
    (tmp_path / "rsync").write_text('#!/bin/sh\nfor each; do echo "$each"; done\n')
    (tmp_path / "rsync").chmod(0o755)
    tree = SyncTree("/never told/", f"{tmp_path}/it's new/below", ("two words", "$(id)"))
    script = pull_script(
        pass_words(tree), index=1, tree=tree, name="unit", endpoint=endpoint, state=f"{tmp_path}/state"
    )
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-s"], input=script, capture_output=True, text=True, check=True, env=environment
    )
    words = done.stdout.splitlines()
    assert words[-3:] == ["--rsync-path=migrate-tree-1", place, f"{tmp_path}/it's new/below/"]
    assert "--exclude=two words" in words
    assert "--exclude=$(id)" in words
    transport = words[words.index("-e") + 1]
    assert "/.ssh/migrate-unit -o BatchMode=yes" in transport
    assert transport.endswith(f"-p {endpoint[1]}")
    assert "never told" not in done.stdout
    assert Path(tree.target).is_dir()
    log = tmp_path / "state" / "unit" / "copied-1.log"
    assert f"--log-file={log}" in words
    assert (log.stat().st_mode & 0o777, log.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_pass_that_cannot_keep_its_log_copies_nothing(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    tree = SyncTree("/a/", f"{tmp_path}/new/")
    script = pull_script(
        pass_words(tree), index=0, tree=tree, name="unit", endpoint=OLD, state=f"{tmp_path}/state"
    )
    done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "state" in done.stderr


def test_a_pass_by_contents_has_times_logged_that_it_only_sets() -> None:
    words = pass_words(TREE, checksum=True)
    script = pull_script(words, index=0, tree=TREE, name="unit", endpoint=OLD)
    assert "--out-format=%i" in script
    assert "--out-format" not in pull_script(pass_words(TREE), index=0, tree=TREE, name="unit", endpoint=OLD)


def test_a_rehearsal_makes_no_folder(tmp_path: Path) -> None:
    tree = SyncTree("/a/", f"{tmp_path}/new/")
    script = pull_script(pass_words(tree, dry_run=True), index=0, tree=tree, name="unit", endpoint=OLD)
    assert "mkdir" not in script
    assert "--log-file" not in script


def test_a_tree_fills_its_target() -> None:
    assert destination(SyncTree("/a", "/b")) == destination(SyncTree("/a/", "/b/")) == "/b/"


def test_vanished_files_are_fine_until_the_final_pass_and_failed_ones_never() -> None:
    assert [passed(status, final=False) for status in (0, 23, 24, 255)] == [True, False, True, False]
    assert [passed(status, final=True) for status in (0, 23, 24)] == [True, False, False]


@pytest.mark.parametrize("status", [1, 5, 10, 11, 12, 23, 24, 30, 127, 255, 99])
def test_every_failure_has_an_advice(status: int) -> None:
    assert len(advice(status)) > 20
