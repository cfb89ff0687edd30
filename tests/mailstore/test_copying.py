"""A pass is one script on the new host, in words that no path can break; it says by its status what it could not do."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from migrator.mailstore.copying import Pass, look_of
from migrator.mailstore.copying_script import CANNOT_TELL, CUT, FOREIGN, TOO_MANY
from migrator.mailstore.entering import SAID
from migrator.mailstore.progress import parse_progress, parse_statistics
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

    def changed(self, **how: float) -> str:
        """Return the script of a pass over what changed."""
        planned = replace(self.planned, **how)  # type: ignore[arg-type]
        return planned.opening + planned.changed()

    def differences(self) -> str:
        """Return the script of a proof."""
        return self.planned.opening + self.planned.differences()

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
        'if [ "$1" = --version ]; then echo "    ACLs, no xattrs" | tr , "\\n"; exit; fi\n'
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


def test_a_rate_is_kept_by_one_stream(between: Between) -> None:
    assert "\nstreams=auto\n" in between.planned.whole()
    limited = replace(between.planned, copying=CopyPlan(bwlimit=10_000_000))
    assert "\nstreams=1\n" in limited.whole()


def test_no_pass_waits_until_it_is_known_how_large_all_trees_are(between: Between) -> None:
    first = replace(between.planned, index=0, trees=2)
    slow = first.whole().replace("all_sizes() {", "all_sizes() {\n    sleep 30")
    (between.root / "look").write_text(
        look_of("unit", 0, first.tree, spool="", state=f"{between.root}/there")
    )
    began = time.monotonic()
    between.succeed(slow.replace("migrate-look-0", "migrate-look-1"))
    assert time.monotonic() - began < 20


def test_what_stood_there_before_is_compared_by_its_contents(between: Between) -> None:
    (between.new / "user01").write_text("mail of who knows when")
    standing, everything = between.succeed(between.planned.whole())
    assert {"--checksum", "--out-format=%i"} <= set(standing)
    assert standing[standing.index(f"{between.new}/") + 1 :] == ["./user01"]
    assert "--checksum" not in everything


def test_a_first_pass_that_broke_off_compares_again_what_stood_there(between: Between) -> None:
    (between.new / "user01").write_text("mail of who knows when")
    whole = between.planned.whole()
    broken = whole.replace("standing() {", 'standing() {\n    echo begun >>"$log"; exit 12')
    assert between.run(broken).returncode == 12
    compared = ["--checksum" in words for words in between.succeed(whole)]
    assert compared == [True, False]
    assert ["--checksum" in words for words in between.succeed(whole)] == [False]


def test_where_find_cannot_leave_out_what_stays_behind_everything_is_compared_by_its_contents(
    between: Between,
) -> None:
    (between.new / "user01").write_text("mail of who knows when")
    tree = replace(between.planned.tree, exclude=("a//b",))
    planned = replace(between.planned, tree=tree)
    assert planned.prune is None
    (words,) = between.succeed(planned.whole())
    assert {"--checksum", "--out-format=%i"} <= set(words)


def test_access_lists_and_attributes_come_with_what_changed_and_with_the_pass_that_deletes(
    between: Between,
) -> None:
    for host in (between.old, between.new):
        (host / "user01").write_text("mail\n")
    *_, first = between.succeed(between.planned.whole())
    assert "--acls" not in first
    (between.old / "user01").write_text("mail\nmail\n")
    (changed,) = between.succeed(between.changed())
    *_, deleting = between.succeed(between.deleting().whole())
    assert ("--acls" in changed, "--acls" in deleting) == (True, True)


def test_of_many_lines_of_progress_few_are_told_and_the_figures_whole(between: Between) -> None:
    figures = "Number of files: 20,000\nNumber of regular files transferred: 20,000"
    lines = r"""seq 20000 | awk '{ printf "\r%15d  10%%    1.00MB/s    0:00:01 (xfr#%d)", $1 * 5000, $1 }'"""
    program(
        between.root / "bin",
        "rsync",
        f'if [ "$1" = --version ]; then exit; fi\n{lines}\necho "\n{figures}"\n',
    )
    done = between.run(between.planned.whole())
    told = [one for line in done.stdout.split("\n") if (one := parse_progress(line))]
    assert (len(told) < 10, told[-1].size) == (True, 100_000_000)
    assert parse_statistics(done.stdout).copied == 20_000


def test_a_later_pass_names_what_changed_and_nothing_else(between: Between) -> None:
    (between.old / "user01").write_text("mail\n")
    (between.old / "user02").write_text("mail\n")
    for name in ("user01", "user02"):
        (between.new / name).write_text("mail\n")
    between.succeed(between.planned.whole())
    (between.old / "user02").write_text("mail\nmail\n")
    (between.old / "new\nline").write_text("mail\n")
    (words,) = between.succeed(between.changed())
    assert "--ignore-times" in words
    assert not any(word.startswith(("--exclude", "--delete")) for word in words)
    names = words[words.index(f"{between.new}/") + 1 :]
    assert {"./user02", "./new\nline"} <= set(names)
    assert "." not in names


def test_without_a_note_only_a_whole_pass_can_tell(between: Between) -> None:
    assert between.run(between.changed()).returncode == CANNOT_TELL
    assert between.run(between.changed(delete=True)).returncode == CANNOT_TELL
    assert between.run(between.differences()).returncode == CANNOT_TELL
    assert between.told() == []


def test_one_that_deletes_removes_what_the_old_host_has_no_more(between: Between) -> None:
    for name in ("user01", "user02"):
        (between.old / name).write_text("mail\n")
    between.equal()
    (between.old / "user02").unlink()
    between.succeed(between.changed(delete=True))
    assert [path.name for path in between.new.iterdir()] == ["user01"]
    assert between.run(between.differences()).stdout == ""


def test_more_than_its_share_is_not_deleted(between: Between) -> None:
    for number in range(ABOVE):
        (between.old / f"user{number}").write_text("mail\n")
    between.equal()
    for number in range(ABOVE):
        (between.old / f"user{number}").unlink()
    done = between.run(between.changed(delete=True, max_delete=0.5))
    assert (done.returncode, done.stderr) == (TOO_MANY, f"{ABOVE} of {ABOVE} files would be deleted\n")
    assert len(list(between.new.iterdir())) == ABOVE
    between.succeed(between.changed(delete=True, max_delete=1.0))
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
    done = between.run(between.changed(delete=True))
    assert (done.returncode, done.stderr) == (FOREIGN, ".\n")
    assert "changed by others: ." in between.run(between.differences()).stdout
    assert (between.new / "user02").exists()


def test_what_others_change_between_passes_is_put_right_by_one_over_everything(between: Between) -> None:
    (between.old / "user01").write_text("mail\n")
    between.succeed(between.planned.whole())
    (between.new / "user02").write_text("mail of the new host\n")
    done = between.run(between.changed())
    assert (done.returncode, done.stderr) == (CANNOT_TELL, "others changed it on the new host\n")


def test_an_answer_that_was_cut_off_is_no_answer(between: Between) -> None:
    between.succeed(between.planned.whole())
    (between.root / "look").write_text("look() { echo 'D .'; }\n")
    assert between.run(between.changed()).returncode == CUT


def test_each_pass_is_noted_with_what_it_took(between: Between) -> None:
    between.succeed(between.planned.whole())
    between.succeed(between.changed())
    lines = (between.root / "state" / "unit" / "passes").read_text().splitlines()
    words = [dict(word.split("=") for word in line.split("\t")) for line in lines]
    assert [one["kind"] for one in words] == ["whole", "changed"]
    assert all(float(one["look"]) >= 0 for one in words)


def test_over_everything_files_may_vanish_for_the_old_host_still_serves(between: Between) -> None:
    program(between.root / "bin", "rsync", 'if [ "$1" != --version ]; then exit 24; fi\n')
    for planned in (between.planned, between.deleting()):
        assert between.run(planned.whole()).returncode == 0


def test_in_the_final_pass_none_may_vanish(between: Between) -> None:
    between.equal()
    (between.old / "user01").write_text("mail")
    program(between.root / "bin", "rsync", 'if [ "$1" != --version ]; then exit 24; fi\n')
    assert between.run(between.changed(delete=True)).returncode == 24


def counted(between: Between) -> list[int]:
    """Return how many changes each pass until now counted."""
    lines = (between.root / "state/unit/passes").read_text().splitlines()
    return [int(dict(word.split("=") for word in line.split("\t"))["changes"]) for line in lines]


def test_a_store_that_was_just_restored_is_not_told_again_by_the_passes_after_the_first(
    between: Between,
) -> None:
    box = between.old / "u1/Maildir"
    for name in ("cur", "new", "tmp"):
        (box / name).mkdir(parents=True)
    for number in range(ABOVE):
        (box / f"cur/{number}:2,S").write_text("mail")
    time.sleep(0.3)
    (between.new / "u1").parent.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", f"{between.old}/u1", between.new], check=True)
    between.succeed(between.planned.whole())
    for number in range(3):
        (box / f"cur/later-{number}:2,").write_text("mail")
        time.sleep(0.3)
        (told,) = between.succeed(between.changed())
        assert [name for name in told if "/cur/" in name] == [f"./u1/Maildir/cur/later-{number}:2,"]
        (between.new / f"u1/Maildir/cur/later-{number}:2,").write_text("mail")
    assert counted(between) == [0, 1, 1, 1]


class TestWhatTheHostsKeep:
    """The old host's wrapper may be of before: its look then tells of what belongs to the hosts as well."""

    def test_it_is_neither_fetched_nor_removed_nor_compared(self, between: Between) -> None:
        for host in (between.old, between.new):
            (host / "a.ssh").mkdir()
        between.succeed(between.deleting().whole())
        between.planned = replace(between.planned, spared=("a.ssh", "gone.ssh"))
        (between.old / "a.ssh/authorized_keys").write_text("of the old host")
        (between.old / "mail").write_text("came")
        between.told()
        # Its own note has other words now, so that only a look at everything can tell: that leaves it out.
        assert between.run(between.changed(delete=True)).returncode == CANNOT_TELL
        for words in between.succeed(between.deleting().whole()):
            assert {"--exclude=/a.ssh", "--exclude=/gone.ssh"} <= set(words) or "--files-from=-" in words
            assert not any("authorized_keys" in word for word in words)
        (between.old / "a.ssh/authorized_keys").write_text("of the old host, again")
        (between.old / "mail").write_text("came again")
        (between.new / "a.ssh/authorized_keys").write_text("of the new host")
        (between.new / "gone.ssh").write_text("of the new host")
        done = between.run(between.changed(delete=True))
        assert done.returncode in (0, CANNOT_TELL), done
        for words in between.told():
            assert not any("ssh" in word for word in words[words.index("--files-from=-") :]), words
        assert (between.new / "gone.ssh").exists()
        assert "ssh" not in between.run(between.differences()).stdout

    def test_a_list_of_names_loses_them_whatever_they_hold(self, between: Between) -> None:
        planned = replace(between.planned, spared=("a\nb/.ssh", "c"))
        names = "./a\nb/.ssh", "./a\nb/.ssh/x", "./a\nb/.sshx", "./c", "./c/d", "./cd", "./x/c"
        text = "".join(f"{name}\0" for name in names).encode()
        (between.root / "names").write_bytes(text)
        start = planned.whole().rpartition("whole_pass\n")[0]
        done = between.run(f'{start}spare <"$HOME/names" >"$HOME/left"\n')
        assert done.returncode == 0, done
        assert (between.root / "left").read_bytes() == b"./a\nb/.sshx\0./cd\0./x/c\0"


def test_a_folder_that_becomes_a_link_before_its_files_are_removed_leads_out_of_no_tree(
    between: Between,
) -> None:
    (between.root / "outside").mkdir()
    (between.root / "outside/passwd").write_text("of the system")
    for host in (between.old, between.new):
        (host / "u").mkdir()
        (host / "u/passwd").write_text("")
    between.succeed(between.deleting().whole())
    (between.old / "u/passwd").unlink()
    swap = f'mv "{between.new}/u" "{between.root}/aside"; ln -s ../outside "{between.new}/u"'
    script = between.changed(delete=True).replace(
        "\nchanged_pass\n", f"\nfew() {{ {swap}; }}\nchanged_pass\n"
    )
    assert "ln -s" in script
    between.run(script)
    assert (between.new / "u").is_symlink()
    assert (between.root / "outside/passwd").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="gives a link to a user")
@pytest.mark.parametrize("kind", ["whole", "deleting", "changed", "differences"])
def test_a_user_who_swaps_the_folder_of_a_tree_for_a_link_leads_no_pass_elsewhere(
    between: Between, kind: str
) -> None:
    between.equal()
    (between.root / "etc").mkdir()
    (between.root / "etc/passwd").write_text("of the system")
    (between.old / "new").write_text("mail")
    between.new.rename(between.root / "aside")
    between.new.symlink_to("etc")
    os.lchown(between.new, 65534, 65534)
    scripts = {
        "whole": between.planned.whole(),
        "deleting": between.deleting().whole(),
        "changed": between.changed(delete=True),
        "differences": between.differences(),
    }
    done = between.run(scripts[kind])
    assert done.returncode == 1
    assert f"{SAID} {between.new}" in done.stderr
    assert between.told() == []
    assert [path.name for path in (between.root / "etc").iterdir()] == ["passwd"]


@pytest.mark.skipif(os.getuid() != 0, reason="gives a link to a user")
def test_a_folder_that_is_swapped_between_the_look_and_the_copy_is_seen(between: Between) -> None:
    between.equal()
    (between.root / "etc").mkdir()
    (between.old / "new").write_text("mail")
    new, aside = f'"{between.new}"', f"'{between.root}/aside'"
    swapped = f"mv {new} {aside}; ln -s etc {new}; chown -h nobody {new}\n"
    script = between.changed(delete=True).replace(
        '    if [ -s "$work/wanted" ]; then\n', f"{swapped}    if true; then\n"
    )
    assert swapped in script
    done = between.run(script)
    assert (done.returncode, between.told()) == (1, [])
    assert SAID in done.stderr


def test_what_is_to_go_and_cannot_be_listed_is_no_pass_that_succeeded(between: Between) -> None:
    (between.old / "goes").write_text("mail")
    between.equal()
    (between.old / "goes").unlink()
    # sort(1) needs room beside what it sorts.
    program(
        between.root / "bin", "sort", "cat >/dev/null\necho 'sort: No space left on device' >&2\nexit 2\n"
    )
    done = between.run(between.changed(delete=True))
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert (between.new / "goes").exists()


def test_what_a_pass_touches_is_told_whole_after_one_that_had_no_room_to_tell(between: Between) -> None:
    (between.old / "mbox").write_text("mail")
    between.equal()
    (between.old / "mbox").write_text("mail, and more")
    touched = between.root / "state/unit/touched-1"
    touched.write_text("./cut sho")
    between.succeed(between.changed(delete=True))
    assert {"./mbox", "."} <= set(touched.read_text().split("\n"))


def test_without_a_count_of_what_is_there_few_may_go(between: Between) -> None:
    for number in range(ABOVE):
        (between.old / f"goes {number}").write_text("mail")
    between.equal()
    for path in between.old.iterdir():
        path.unlink()
    (between.root / "state/unit/count-1").write_text("")
    done = between.run(between.changed(delete=True, max_delete=0.5))
    assert done.returncode == TOO_MANY, done.stderr
