"""A large mailbox that only grew gets its new end in place: real shells, the real wrapper, rsync and files."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from migrator.hosts.script import inspecting
from migrator.mailstore import arrivals, ends
from migrator.mailstore.arrivals import Target
from migrator.mailstore.copying import Pass, look_of
from migrator.mailstore.way import Way
from migrator.mailstore.wrapper import wrapper_script
from migrator.plan import CopyPlan, SyncTree

MAIL = b"From a@outside.test Mon Jan  1 00:00:09 2024\n\n" + b"a line of mail\n" * 100 + b"\n"
LONG = MAIL * (ends.LARGE // len(MAIL) + 1)
AT = 1_700_000_000.5


@dataclass
class Between:
    """Two folders for two hosts; ssh runs the wrapper of the old one at once."""

    root: Path
    planned: Pass
    worth: int = ends.LARGE

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PATH": f"{self.root}/bin:{os.environ['PATH']}", "HOME": str(self.root)}
        return subprocess.run(
            ["sh", "-s"],
            input=script,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            env=environment,
            cwd=self.root,
            timeout=60,
            check=False,
        )

    def succeed(self, script: str) -> str:
        done = self.run(script)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    @property
    def old(self) -> Path:
        return self.root / "old"

    @property
    def new(self) -> Path:
        return self.root / "it's new"

    @property
    def stage(self) -> Path:
        return self.root / "state/unit/ends-1"

    def write(self, name: str, content: bytes = LONG) -> Path:
        path = self.old / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (AT, AT))
        return path

    def grow(self, name: str, more: bytes = MAIL) -> None:
        with (self.old / name).open("ab") as stream:
            stream.write(more)
        os.utime(self.old / name, (AT + 9, AT + 9))

    def sweep(self) -> None:
        """Let a pass make both equal, and one that ended be known to the guard."""
        self.mark()
        self.succeed(replace(self.planned, delete=True).whole())
        self.succeed(arrivals.end_script("unit", self.planned.state))

    def mark(self) -> None:
        (self.root / "state/unit").mkdir(parents=True, exist_ok=True)
        self.succeed(arrivals.begin_script("unit", None, self.planned.state))

    def final(self, **how: bool) -> str:
        """Return the script of the final pass, to which one large mailbox is worth a transfer of ends."""
        planned = replace(self.planned, delete=True, **how)  # type: ignore[arg-type]
        return planned.opening + planned.changed().replace(f"-ge {ends.WORTH}", f"-ge {self.worth}")

    def arrived(self) -> list[str]:
        """Return what the guard takes for mail of the new host."""
        targets = (Target("/nowhere", spool=False), Target(f"{self.new}/", spool=False))
        script = arrivals.look_script("unit", targets, state=self.planned.state)
        return [
            str(Path(each).relative_to(self.new))
            for each in arrivals.parse(self.succeed(inspecting(script))).paths
        ]

    def proved(self) -> bool:
        """Return whether the proof finds nothing, and a look of our own neither."""
        names = [path.relative_to(self.old) for path in self.old.rglob("*") if path.is_file()]
        found = [
            name
            for name in names
            if (self.old / name).read_bytes() != (self.new / name).read_bytes()
            or (self.old / name).stat().st_mtime_ns != (self.new / name).stat().st_mtime_ns
        ]
        return found == [] and self.succeed(self.planned.opening + self.planned.differences()) == ""


@pytest.fixture
def between(tmp_path: Path) -> Between:
    for name in ("bin", "old", "it's new"):
        (tmp_path / name).mkdir()
    tree = SyncTree(f"{tmp_path}/old/", f"{tmp_path}/it's new")
    looks = ["", look_of("unit", 1, tree, spool="", state=f"{tmp_path}/there")]
    (tmp_path / "wrapper").write_text(
        wrapper_script("unit", (SyncTree("/nowhere/", "/nowhere"), tree), sudo=False, looks=looks)
    )
    ssh = tmp_path / "bin/ssh"
    ssh.write_text(
        "#!/bin/sh\nasked=\nfor word; do\n    case $asked,$word in\n        ,migrate-*) asked=$word ;;\n"
        '        ,*) ;;\n        *) asked="$asked $word" ;;\n    esac\ndone\n'
        '[ -n "$asked" ] || exit 0\nSSH_ORIGINAL_COMMAND=$asked exec sh "$HOME/wrapper"\n'
    )
    ssh.chmod(0o755)
    way = Way("unit", "192.0.2.10", 22, "mover", state=f"{tmp_path}/state")
    return Between(tmp_path, Pass("unit", 1, tree, way, CopyPlan(), state=f"{tmp_path}/state"))


def inode(path: Path) -> int:
    return path.stat().st_ino


@pytest.mark.parametrize("name", ["box", "u1/mail/it's long", "-rf", "$(id)/ b ", "\\n"])
def test_a_large_mailbox_that_only_grew_is_the_same_file_with_a_new_end(between: Between, name: str) -> None:
    between.write(name)
    between.sweep()
    before = inode(between.new / name)
    between.grow(name)
    between.succeed(between.final())
    assert (between.proved(), inode(between.new / name)) == (True, before)
    assert not between.stage.exists()


def test_small_ones_and_new_ones_come_in_the_same_pass(between: Between) -> None:
    for name, content in (("box", LONG), ("small", MAIL), ("gone", MAIL)):
        between.write(name, content)
    between.sweep()
    between.grow("box")
    between.grow("small")
    between.write("came", LONG)
    (between.old / "gone").unlink()
    between.succeed(between.final())
    assert between.proved()
    assert sorted(path.name for path in between.new.iterdir()) == ["box", "came", "small"]


def test_where_little_is_written_no_transfer_is_made_for_ends(between: Between) -> None:
    between.worth = ends.WORTH
    between.write("box", MAIL * 1000)
    between.sweep()
    before = inode(between.new / "box")
    between.grow("box")
    between.succeed(between.final())
    assert between.proved()
    assert inode(between.new / "box") != before


def test_many_large_ones_are_worth_it_together(between: Between) -> None:
    between.worth = ends.WORTH
    names = [f"box{number}" for number in range(1 + ends.WORTH // len(LONG))]
    for name in names:
        between.write(name)
    between.sweep()
    before = [inode(between.new / name) for name in names]
    for name in names:
        between.grow(name)
    between.succeed(between.final())
    assert between.proved()
    assert [inode(between.new / name) for name in names] == before


def test_what_was_written_anew_and_is_longer_by_that_is_brought_whole(between: Between) -> None:
    between.write("box")
    between.sweep()
    between.write("box", b"From z" + LONG[6:] + MAIL)
    between.succeed(between.final())
    assert between.proved()


@pytest.mark.parametrize("content", [LONG[: len(LONG) // 2], b"", b"From z" + LONG[6:]])
def test_what_is_shorter_or_as_long_as_before_is_brought_whole(between: Between, content: bytes) -> None:
    between.write("box")
    between.write("other")
    between.sweep()
    between.write("box", content)
    between.grow("other")
    between.succeed(between.final())
    assert between.proved()


def test_what_grows_while_its_end_is_brought_is_whole_all_the_same(between: Between) -> None:
    path = between.write("box")
    between.sweep()
    between.grow("box")
    meanwhile = f"printf 'From b@outside.test Mon Jan  1 00:00:09 2024\\n\\nlate\\n' >>{path}\n"
    between.succeed(between.final().replace("each_end append_end &&", f"{meanwhile}each_end append_end &&"))
    assert between.proved()


def test_a_mailbox_of_two_names_stays_one_file(between: Between) -> None:
    between.write("box")
    os.link(between.old / "box", between.old / "same")
    between.sweep()
    between.grow("box")
    between.succeed(between.final())
    assert between.proved()
    assert inode(between.new / "box") == inode(between.new / "same")


def test_a_name_with_a_newline_is_brought_as_ever(between: Between) -> None:
    between.write("line\nbreak")
    between.write("box")
    between.sweep()
    between.grow("line\nbreak")
    between.grow("box")
    between.succeed(between.final())
    assert between.proved()


def test_where_what_is_younger_here_stays_an_end_still_gets_its_time(between: Between) -> None:
    between.write("box")
    between.sweep()
    between.grow("box")
    between.succeed(between.final(keep_younger=True))
    assert between.proved()


def test_an_old_host_that_gives_no_ends_gives_whole_files(between: Between) -> None:
    between.write("box")
    between.sweep()
    between.grow("box")
    wrapper = between.root / "wrapper"
    wrapper.write_text(wrapper.read_text().replace("--append|", ""))
    between.succeed(between.final())
    assert between.proved()
    assert not between.stage.exists()


def swapped_for_a_link(box: Path, elsewhere: Path) -> None:
    box.unlink()
    box.symlink_to(elsewhere)


def swapped_for_another_name(box: Path, elsewhere: Path) -> None:
    box.unlink()
    os.link(elsewhere, box)


def swapped_with_its_folder(box: Path, elsewhere: Path) -> None:
    box.parent.rename(box.parent.with_name("moved"))
    box.parent.symlink_to(elsewhere.parent)


LOOKED, CHECKED = "each_end append_end &&", 'dd if="$ends'
"""Just before the ends are appended, and behind the look at each file."""


@pytest.mark.parametrize(
    ("swap", "moment"),
    [
        (swapped_for_a_link, LOOKED),
        (swapped_for_a_link, CHECKED),
        # Behind the check a kernel sees to it: no user links to what is another's (proc(5), protected_hardlinks).
        (swapped_for_another_name, LOOKED),
        (swapped_with_its_folder, LOOKED),
        (swapped_with_its_folder, CHECKED),
    ],
)
def test_nothing_is_appended_to_what_a_user_puts_in_the_place_of_a_mailbox(
    between: Between, swap: Callable[[Path, Path], None], moment: str
) -> None:
    between.write("u1/box")
    between.sweep()
    between.grow("u1/box")
    elsewhere = between.root / "elsewhere" / "box"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(LONG)
    swapper = between.root / "bin/swap"
    swapper.write_text('#!/bin/sh\n: >"$HOME/now"\nwhile [ -e "$HOME/now" ]; do sleep 0.02; done\n')
    swapper.chmod(0o755)
    script = between.final().replace(moment, f"swap; {moment}")
    environment = {
        **os.environ,
        "PATH": f"{between.root}/bin:{os.environ['PATH']}",
        "HOME": str(between.root),
    }
    with subprocess.Popen(["sh", "-c", script], env=environment, cwd=between.root) as running:
        while not (between.root / "now").exists():
            assert running.poll() is None
        swap(between.new / "u1/box", elsewhere)
        (between.root / "now").unlink()
        running.wait(timeout=30)
    assert elsewhere.read_bytes() == LONG


def killed(between: Between, *, appended: int | None = None) -> None:
    """Run a final pass that is killed in the middle of an end, or (None) just behind it."""
    script = between.final()
    if appended is None:
        script = script.replace('    unfinished "$ends_name"\n}\nsettle_end', "    exit 9\n}\nsettle_end")
    else:
        script = script.replace(
            "conv=notrunc,nocreat", f"conv=notrunc,nocreat count={appended} iflag=count_bytes"
        )
        script = script.replace('    unfinished "$ends_name"\n}\nsettle_end', "    exit 9\n}\nsettle_end")
    script = script.replace("    # What could not be brought so is brought whole", "    exit 9\n    #")
    between.succeed(arrivals.begin_script("unit", arrivals.AS_BEFORE, between.planned.state))
    assert between.run(script).returncode == 9
    assert (between.stage / "list").exists()


CUT = pytest.mark.parametrize("appended", [1, 100, len(MAIL) - 1, None])


@CUT
def test_the_guard_knows_an_end_of_which_a_killed_pass_appended_a_part(
    between: Between, appended: int | None
) -> None:
    between.write("box")
    between.sweep()
    between.grow("box")
    killed(between, appended=appended)
    assert (between.new / "box").stat().st_size > len(LONG)
    assert between.arrived() == []


@CUT
def test_mail_that_comes_to_such_a_mailbox_is_found(between: Between, appended: int | None) -> None:
    between.write("box")
    between.sweep()
    between.grow("box")
    killed(between, appended=appended)
    with (between.new / "box").open("ab") as stream:
        stream.write(b"From c@outside.test Mon Jan  1 00:00:09 2024\n\ncame in here\n\n")
    assert between.arrived() == ["box"]


@CUT
@pytest.mark.parametrize("kept", [False, True], ids=["", "what is younger stays"])
def test_after_a_killed_pass_the_next_one_makes_both_equal(
    between: Between, appended: int | None, kept: bool
) -> None:
    between.write("box")
    between.sweep()
    between.grow("box")
    killed(between, appended=appended)
    between.succeed(between.final(keep_younger=kept))
    assert between.proved()
    assert not between.stage.exists()


@pytest.mark.parametrize("kept", [False, True], ids=["", "what is younger stays"])
def test_after_a_killed_pass_one_over_everything_makes_both_equal(between: Between, kept: bool) -> None:
    between.write("box")
    between.sweep()
    between.grow("box")
    killed(between, appended=100)
    between.succeed(replace(between.planned, delete=True, keep_younger=kept).whole())
    assert between.proved()
    assert not between.stage.exists()
