"""A pass is one script on the new host, in words that no path can break; it says by its status what it could not do."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from migrator.mailstore.copying import Pass, look_of
from migrator.mailstore.copying_script import CANNOT_TELL, CUT, FOREIGN, TOO_MANY
from migrator.mailstore.way import Way
from migrator.plan import CopyPlan, SyncTree

ABOVE = 30  # more than what is never too many


@dataclass
class Between:
    """Two folders for two hosts: ssh runs the old host's look at once, and rsync notes what it was told."""

    root: Path
    planned: Pass

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PATH": f"{self.root}/bin:{os.environ['PATH']}", "HOME": str(self.root)}
        return subprocess.run(
            ["sh", "-s"],
            input=script,
            capture_output=True,
            text=True,
            env=environment,
            cwd=self.root,
            timeout=60,
        )

    def succeed(self, script: str) -> list[list[str]]:
        """Run a script to a good end, and return what each rsync was told."""
        done = self.run(script)
        assert (done.returncode, done.stderr) == (0, "")
        return self.told()

    def told(self) -> list[list[str]]:
        found = [path.read_text().split("\0")[:-1] for path in sorted((self.root / "told").glob("*"))]
        for path in (self.root / "told").glob("*"):
            path.unlink()
        return found

    @property
    def old(self) -> Path:
        return self.root / "old"

    @property
    def new(self) -> Path:
        return self.root / "it's new"

    def deleting(self, **how: float) -> Pass:
        return replace(self.planned, delete=True, **how)  # type: ignore[arg-type]

    def equal(self) -> None:
        """Let a pass have made both equal."""
        for name in self.old.iterdir():
            (self.new / name.name).write_bytes(name.read_bytes())
        self.succeed(self.deleting().whole())


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}")
    (folder / name).chmod(0o755)


@pytest.fixture
def between(tmp_path: Path) -> Between:
    for name in ("bin", "told", "old", "it's new"):
        (tmp_path / name).mkdir()
    tree = SyncTree(f"{tmp_path}/old/", f"{tmp_path}/it's new", ("two words", "$(id)"))
    (tmp_path / "look").write_text(look_of("unit", 1, tree, spool="", state=f"{tmp_path}/there"))
    program(
        tmp_path / "bin",
        "ssh",
        'for word; do asked=$word; done\ncd "$HOME/old" || exit 255\n. "$HOME/look"\n'
        'case $asked in\n    migrate-look-1*) set -- $asked; shift; look "$@" ;;\n'
        '    migrate-load) printf "0.1 1\\nacls\\n" ;;\nesac\n',
    )
    program(
        tmp_path / "bin",
        "rsync",
        'if [ "$1" = --version ]; then exit; fi\n'
        'file=$HOME/told/$(ls "$HOME/told" | wc -l)\nfor each; do printf "%s\\000" "$each"; done >"$file"\n'
        'case " $* " in *" --files-from=- "*) cat >>"$file" ;; esac\n'
        'case " $* " in *" --stats "*) echo "Number of deleted files: ${DELETED:-0}" ;; esac\n',
    )
    way = Way("unit", "2001:db8::10", 2222, "mover", state=f"{tmp_path}/state")
    return Between(tmp_path, Pass("unit", 1, tree, way, CopyPlan(), state=f"{tmp_path}/state"))


def test_rsync_gets_a_number_and_no_path_of_the_old_host(between: Between) -> None:
    (words,) = between.succeed(between.planned.whole())
    assert words[-3:] == ["--rsync-path=migrate-tree-1", "mover@[2001:db8::10]:.", f"{between.new}/"]
    assert {"--exclude=two words", "--exclude=$(id)"} <= set(words)
    assert str(between.old) not in words
    assert words[words.index("-e") + 1].endswith("-p 2222")


def test_the_first_pass_makes_the_folder_and_keeps_a_log_that_root_alone_reads(between: Between) -> None:
    between.new.rmdir()
    (words,) = between.succeed(between.planned.whole())
    log = between.root / "state" / "unit" / "copied-1.log"
    assert f"--log-file={log}" in words
    assert (log.stat().st_mode & 0o777, log.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert between.new.is_dir()


def test_a_pass_that_cannot_keep_its_log_copies_nothing(between: Between) -> None:
    (between.root / "state").write_text("")
    done = between.run(between.planned.whole())
    assert done.returncode == 1
    assert between.told() == []


def test_what_stood_there_before_is_compared_by_its_contents(between: Between) -> None:
    (between.new / "user01").write_text("mail of who knows when")
    (words,) = between.succeed(between.planned.whole())
    assert {"--checksum", "--out-format=%i"} <= set(words)


def test_a_later_pass_names_what_changed_and_nothing_else(between: Between) -> None:
    (between.old / "user01").write_text("mail\n")
    (between.old / "user02").write_text("mail\n")
    for name in ("user01", "user02"):
        (between.new / name).write_text("mail\n")
    between.succeed(between.planned.whole())
    (between.old / "user02").write_text("mail\nmail\n")
    (between.old / "new\nline").write_text("mail\n")
    (words,) = between.succeed(between.planned.changed())
    assert "--ignore-times" in words
    assert not any(word.startswith(("--exclude", "--delete")) for word in words)
    names = words[words.index(f"{between.new}/") + 1 :]
    assert {"./user02", "./new\nline"} <= set(names)
    assert "." not in names


def test_without_a_note_only_a_whole_pass_can_tell(between: Between) -> None:
    assert between.run(between.planned.changed()).returncode == CANNOT_TELL
    assert between.run(between.deleting().changed()).returncode == CANNOT_TELL
    assert between.run(between.planned.differences()).returncode == CANNOT_TELL
    assert between.told() == []


def test_one_that_deletes_removes_what_the_old_host_has_no_more(between: Between) -> None:
    for name in ("user01", "user02"):
        (between.old / name).write_text("mail\n")
    between.equal()
    (between.old / "user02").unlink()
    between.succeed(between.deleting().changed())
    assert [path.name for path in between.new.iterdir()] == ["user01"]
    assert between.run(between.planned.differences()).stdout == ""


def test_more_than_its_share_is_not_deleted(between: Between) -> None:
    for number in range(ABOVE):
        (between.old / f"user{number}").write_text("mail\n")
    between.equal()
    for number in range(ABOVE):
        (between.old / f"user{number}").unlink()
    done = between.run(between.deleting(max_delete=0.5).changed())
    assert (done.returncode, done.stderr) == (TOO_MANY, f"{ABOVE} of {ABOVE} files would be deleted\n")
    assert len(list(between.new.iterdir())) == ABOVE
    between.succeed(between.deleting(max_delete=1.0).changed())
    assert list(between.new.iterdir()) == []


def test_a_whole_pass_rehearses_its_deletions_first(
    between: Between, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(ABOVE):
        (between.new / f"user{number}").write_text("mail\n")
    monkeypatch.setenv("DELETED", str(ABOVE))
    done = between.run(between.deleting(max_delete=0.5).whole())
    assert done.returncode == TOO_MANY
    (rehearsal,) = between.told()
    assert "--dry-run" in rehearsal


def test_what_others_write_on_the_new_host_is_not_deleted_unseen(between: Between) -> None:
    (between.old / "user01").write_text("mail\n")
    between.equal()
    (between.new / "user02").write_text("mail of the new host\n")
    done = between.run(between.deleting().changed())
    assert (done.returncode, done.stderr) == (FOREIGN, ".\n")
    assert "changed by others: ." in between.run(between.planned.differences()).stdout
    assert (between.new / "user02").exists()


def test_what_others_change_between_passes_is_put_right_by_one_over_everything(between: Between) -> None:
    (between.old / "user01").write_text("mail\n")
    between.succeed(between.planned.whole())
    (between.new / "user02").write_text("mail of the new host\n")
    done = between.run(between.planned.changed())
    assert (done.returncode, done.stderr) == (CANNOT_TELL, "others changed it on the new host\n")


def test_an_answer_that_was_cut_off_is_no_answer(between: Between) -> None:
    between.succeed(between.planned.whole())
    (between.root / "look").write_text("look() { echo 'D .'; }\n")
    assert between.run(between.planned.changed()).returncode == CUT


def test_each_pass_is_noted_with_what_it_took(between: Between) -> None:
    between.succeed(between.planned.whole())
    between.succeed(between.planned.changed())
    lines = (between.root / "state" / "unit" / "passes").read_text().splitlines()
    words = [dict(word.split("=") for word in line.split("\t")) for line in lines]
    assert [one["kind"] for one in words] == ["whole", "changed"]
    assert all(float(one["look"]) >= 0 for one in words)
