"""Many trees passed over at once: real shells, the real wrapper, and rsync between folders for two hosts."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from migrator.mailstore import arrivals, forest, laying, rsync, staged
from migrator.mailstore.copying_script import CANNOT_TELL, FOREIGN, TOO_MANY
from migrator.mailstore.entering import ENTER, SAID
from migrator.mailstore.excludes import prune
from migrator.mailstore.forest_pass import ForestPass
from migrator.mailstore.look import old_functions, old_head
from migrator.mailstore.together import parse
from migrator.mailstore.way import Way
from migrator.mailstore.wrapper import wrapper_script
from migrator.plan import CopyPlan, SyncTree
from tests.mailstore import trees

COUNT = forest.MANY + 4
BLANKS = {4: " ", 6: "  ", 7: "\t"}
"""What the names of some trees' folders end with."""


def program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@dataclass
class Wood:
    """Many trees of an old host and what is copied of them; `ssh` runs the wrapper at once, and counts how often."""

    root: Path
    state: str
    plain: bool = False  # whether folders have names that are told from the root folder

    def __post_init__(self) -> None:
        for name in ("bin", "there", "here"):
            (self.root / name).mkdir()
        self.trees = {
            index: SyncTree(
                f"{self.root}/there/t {index}{BLANKS.get(index, '')}/",
                f"{self.root}/here/web{index}/mail/"
                if self.plain
                else f"{self.root}/here/to it's {index}{BLANKS.get(index, '')}",
                ("bak", "/top") if index == 1 else ("*.lock",),
            )
            for index in range(COUNT)
        }
        for index, tree in self.trees.items():
            box = Path(tree.source) / "u1/Maildir"
            for name in ("cur", "new", "tmp"):
                (box / name).mkdir(parents=True)
            (box / "cur/1:2,S").write_text(f"mail {index}")
            (Path(tree.source) / "mbox").write_text(f"box {index}")
        self.wrapper = self.root / "wrapper"
        self.wrapper.write_text(self.script())
        program(
            self.root / "bin/ssh",
            "#!/bin/sh\nasked=\nfor word; do\n    case $asked,$word in\n        ,migrate-*) asked=$word ;;\n"
            '        ,*) ;;\n        *) asked="$asked $word" ;;\n    esac\ndone\n'
            '[ -n "$asked" ] || exit 0\nprintf "%s\\n" "$asked" >>"$HOME/asked"\n'
            'SSH_ORIGINAL_COMMAND=$asked exec sh "$HOME/wrapper"\n',
        )

    def script(self) -> str:
        looks = [
            old_head(f"{self.state}/old/look-{index}", prune(rsync.excluded(tree, "")))
            for index, tree in self.trees.items()
        ]
        return wrapper_script(
            "unit",
            tuple(self.trees.values()),
            sudo=False,
            looks=looks,
            shared=old_functions(margin=300, slack=0.05),
            together=forest.old_text("old", self.trees, "", self.state),
        )

    def planned(self, **how: object) -> ForestPass:
        way = Way("unit", "198.51.100.10", 22, "root", state=self.state)
        return ForestPass("unit", self.trees, way, CopyPlan(), state=self.state, **how)  # type: ignore[arg-type]

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        time.sleep(0.3)
        environment = {**os.environ, "PATH": f"{self.root}/bin:{os.environ['PATH']}", "HOME": str(self.root)}
        return subprocess.run(
            ["sh", "-s"],
            input=script,
            capture_output=True,
            text=True,
            env=environment,
            cwd=self.root,
            timeout=120,
        )

    def succeed(self, script: str) -> str:
        done = self.run(script)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def asked(self) -> list[str]:
        """Return what the old host was asked since the last time."""
        path = self.root / "asked"
        found = path.read_text().splitlines()
        path.unlink()
        return [" ".join(line.split()[:2]) for line in found]

    def differences(self) -> dict[int, str]:
        told = parse(self.succeed(self.planned(delete=True).differences()), self.trees)
        assert {each.status for each in told.values()} == {0}
        return {index: each.stdout for index, each in told.items() if each.stdout}

    def expect_equal(self) -> None:
        for tree in self.trees.values():
            there, here = trees.told(Path(tree.source)), trees.told(Path(tree.target))
            assert here.keys() == there.keys()
            assert {path: _kept(here[path]) for path in here} == {path: _kept(there[path]) for path in there}


def _kept(facts: tuple[object, ...]) -> tuple[object, ...]:
    """Return what is compared of a name: rsync sets no time of a folder within the same second (--modify-window)."""
    kind, mode, modified, content, *_ = facts
    return kind, mode, int(str(modified)) // 10**9 if kind == stat.S_IFDIR else modified, content


@pytest.fixture(params=["odd names", "plain names"])
def wood(request: pytest.FixtureRequest, tmp_path: Path) -> Wood:
    return Wood(tmp_path, f"{tmp_path}/state", plain=request.param == "plain names")


@pytest.fixture
def copied(wood: Wood) -> Wood:
    """Trees that are equal on both hosts, and known to be."""
    wood.succeed(wood.planned().whole())
    wood.succeed(wood.planned(delete=True).whole())
    wood.asked()
    return wood


def source(wood: Wood, index: int) -> Path:
    return Path(wood.trees[index].source)


def change(wood: Wood) -> None:
    """Let mail come, be read and go in some of the trees."""
    with (source(wood, 3) / "mbox").open("a") as stream:
        stream.write("more")
    (source(wood, 4) / "u1/Maildir/cur/1:2,S").rename(source(wood, 4) / "u1/Maildir/cur/1:2,RS")
    (source(wood, 5) / "u1/Maildir/new/2\n2").write_text("new")
    (source(wood, 6) / "u1/Maildir/cur/1:2,S").unlink()
    (source(wood, 7) / "fresh box").write_text("new")


def test_few_trees_are_passed_over_one_by_one(wood: Wood) -> None:
    few = {index: wood.trees[index] for index in range(forest.MANY)}
    assert forest.together(few, "") == {}
    assert forest.old_text("old", few, "") == ""


def test_the_first_copy_brings_all_trees(wood: Wood) -> None:
    wood.succeed(wood.planned().whole())
    wood.expect_equal()


def one_rsync(asked: list[str], *numbers: int) -> bool:
    """Return whether the old host was asked by one look, and one rsync for all of these trees."""
    (look, rsync_of_all) = sorted(asked)
    found = re.fullmatch(r"migrate-tree-all-([0-9-]+)- --server", rsync_of_all)
    return look == "migrate-look-all changed" and set(found[1].split("-") if found else []) == set(
        map(str, numbers)
    )


def test_what_changed_in_several_trees_is_copied_and_proved_by_a_look_and_an_rsync_each(copied: Wood) -> None:
    change(copied)
    copied.succeed(copied.planned(delete=True).changed())
    assert one_rsync(copied.asked(), 3, 4, 5, 6, 7)
    copied.expect_equal()
    assert copied.differences() == {}
    assert one_rsync(copied.asked(), 3, 4, 5, 6, 7)


def test_a_few_trees_have_an_rsync_for_each(copied: Wood) -> None:
    (source(copied, 5) / "u1/Maildir/new/2").write_text("new")
    (source(copied, 7) / "fresh box").write_text("new")
    copied.succeed(copied.planned(delete=True).changed())
    wanted = ["migrate-look-all changed", "migrate-tree-5 --server", "migrate-tree-7 --server"]
    assert sorted(copied.asked()) == wanted
    copied.expect_equal()
    assert copied.differences() == {}
    assert sorted(copied.asked()) == wanted


def test_more_names_than_are_kept_twice_go_to_their_trees_at_once(copied: Wood) -> None:
    change(copied)
    script = (
        copied.planned(delete=True).changed().replace(f'"$fetched" -le {staged.MOST}', '"$fetched" -le 3')
    )
    copied.succeed(script)
    assert sorted(copied.asked()) == [
        "migrate-look-all changed",
        *(f"migrate-tree-{i} --server" for i in range(3, 8)),
    ]
    copied.expect_equal()
    assert copied.differences() == {}


def test_what_is_large_goes_to_its_tree_by_an_rsync_of_its_own(copied: Wood) -> None:
    change(copied)
    for index in (3, 8):
        (source(copied, index) / "u1/Maildir/new/large").write_bytes(b"mail" * 300_000)
    for wanted in (copied.planned(delete=True).changed(), copied.planned(delete=True).differences()):
        copied.succeed(wanted)
        asked = copied.asked()
        assert one_rsync([each for each in asked if not each[13:14].isdigit()], 3, 4, 5, 6, 7, 8)
        assert sorted(each for each in asked if each[13:14].isdigit()) == [
            "migrate-tree-3 --server",
            "migrate-tree-8 --server",
        ]
    copied.expect_equal()
    assert copied.differences() == {}


def test_a_file_of_two_names_comes_as_one(copied: Wood) -> None:
    change(copied)
    os.link(source(copied, 3) / "mbox", source(copied, 3) / "same")
    copied.succeed(copied.planned(delete=True).changed())
    here = Path(copied.trees[3].target)
    assert (here / "mbox").stat().st_ino == (here / "same").stat().st_ino
    copied.expect_equal()
    assert copied.differences() == {}


def test_what_came_is_in_the_log_of_its_tree_and_for_root_alone(copied: Wood) -> None:
    change(copied)
    copied.succeed(copied.planned(delete=True).changed())
    state = Path(copied.state, "unit")
    assert "|u1/Maildir/new/2\\#0122\n" in (state / "copied-5.log").read_text()
    assert (state / "staged").stat().st_mode & 0o777 == 0o700


def test_what_is_younger_on_the_new_host_stays(copied: Wood) -> None:
    change(copied)
    (copied.root / "box").symlink_to(Path(copied.trees[3].target) / "mbox")
    script = copied.planned(delete=True, keep_younger=True).changed()
    younger = f'touch -d "+1 hour" {copied.root}/box'
    copied.succeed(script.replace("staged_copied() {", f"staged_copied() {{\n    {younger}"))
    assert (Path(copied.trees[3].target) / "mbox").read_text() == "box 3"
    assert copied.differences().keys() == {3}


@pytest.mark.parametrize("name", ["mbox", "fresh box"], ids=["what had not come", "what had come"])
def test_what_changed_on_the_old_host_behind_the_pass_is_found_by_the_proof(copied: Wood, name: str) -> None:
    change(copied)
    copied.succeed(copied.planned(delete=True).changed())
    (source(copied, 7) / name).write_text("else")
    found = copied.differences()
    assert found.keys() == {7}
    assert name in found[7]


def test_what_is_other_in_a_tree_than_what_came_is_found_by_the_proof(copied: Wood) -> None:
    change(copied)
    copied.succeed(copied.planned(delete=True).changed())
    (Path(copied.trees[7].target) / "fresh box").write_text("old")
    copied.asked()
    found = copied.differences()
    assert found.keys() == {7}
    assert re.search(r"^>fc.*fresh box$", found[7], re.MULTILINE)
    assert one_rsync(copied.asked(), 3, 4, 5, 6, 7)


def test_an_old_host_that_sends_no_trees_at_once_sends_each(copied: Wood) -> None:
    change(copied)
    copied.wrapper.write_text(copied.script().replace("migrate-tree-all-", "migrate-tree-none-"))
    copied.succeed(copied.planned(delete=True).changed())
    copied.expect_equal()
    assert not Path(copied.state, "unit/staged").exists()
    assert copied.differences() == {}


@pytest.mark.skipif(os.getuid() != 0, reason="gives a link to a user")
def test_the_old_host_sends_no_trees_at_once_of_which_one_is_reached_by_a_users_link(copied: Wood) -> None:
    there = copied.trees[5].source.rstrip("/")
    Path(there).rename(copied.root / "moved")
    Path(there).symlink_to(copied.root / "moved")
    os.lchown(there, 65534, 65534)

    def said(numbers: str) -> str:
        command = f"migrate-tree-all-{numbers} --server --sender -logDtpre.iLsfxCIvu . ."
        done = subprocess.run(
            ["sh", str(copied.wrapper)],
            env={**os.environ, "SSH_ORIGINAL_COMMAND": command},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        return done.stderr

    assert SAID in said("3-5-7-")
    assert SAID not in said("3-15-55-7-")
    assert "only reads the trees" in said("3-x-")


@pytest.mark.skipif(os.getuid() != 0, reason="gives a link to a user")
def test_nothing_is_sent_through_a_link_that_a_user_put_in_the_place_of_a_tree(copied: Wood) -> None:
    change(copied)
    there = Path(copied.trees[5].source)
    outside = copied.root / "etc"
    there.rename(outside)
    (outside / "shadow").write_text("secret")
    Path(str(there).rstrip("/")).symlink_to(outside)
    os.lchown(str(there).rstrip("/"), 65534, 65534)
    done = copied.run(copied.planned().changed())
    assert done.returncode not in (0, CANNOT_TELL)
    assert SAID in done.stderr
    assert not [path for path in copied.root.rglob("shadow") if path.parent != outside]


def test_a_tree_whose_own_folder_changed_brings_what_changed_and_no_more(copied: Wood) -> None:
    # Every lock of a mailbox changes the folder that it stands in.
    (source(copied, 5) / "came").write_text("mail")
    source(copied, 6).chmod(0o750)
    boxes = [Path(copied.trees[index].target) / "mbox" for index in (5, 6)]
    before = [box.stat().st_ctime_ns for box in boxes]
    copied.succeed(copied.planned(delete=True).changed())
    assert [box.stat().st_ctime_ns for box in boxes] == before
    copied.expect_equal()
    assert copied.differences() == {}


def test_where_nothing_changed_one_look_is_all(copied: Wood) -> None:
    copied.succeed(copied.planned(delete=True).changed())
    assert copied.asked() == ["migrate-look-all changed"]
    assert copied.differences() == {}


def test_passes_before_the_last_one_bring_what_came_and_count_what_changed(copied: Wood) -> None:
    change(copied)
    copied.succeed(copied.planned().changed())
    assert (Path(copied.trees[5].target) / "u1/Maildir/new/2\n2").read_text() == "new"
    lines = Path(copied.state, "unit/passes").read_text().splitlines()[-COUNT:]
    words = [dict(word.split("=") for word in line.split("\t")) for line in lines]
    assert sum(int(each["changes"]) for each in words) == 5
    assert [int(each["tree"]) for each in words] == list(range(COUNT))
    copied.succeed(copied.planned(delete=True).changed())
    copied.expect_equal()


def test_folders_that_are_gone_go_with_all_that_was_in_them(copied: Wood) -> None:
    for index in (4, 6):
        (source(copied, index) / "u1/.Old/deep/er").mkdir(parents=True)
        (source(copied, index) / "u1/.Old/deep/mbox").write_text("old")
    copied.succeed(copied.planned(delete=True).changed())
    copied.expect_equal()
    for index in (4, 6):
        shutil.rmtree(source(copied, index) / "u1/.Old")
    copied.succeed(copied.planned(delete=True).changed())
    copied.expect_equal()
    assert copied.differences() == {}


def test_a_proof_names_what_differs_by_its_tree(copied: Wood) -> None:
    change(copied)
    found = copied.differences()
    assert found.keys() == {3, 4, 5, 6, 7}
    assert "extra ./u1/Maildir/cur/1:2,S\n" in found[6]
    assert "mbox" in found[3]


def test_what_others_changed_on_the_new_host_is_seen(copied: Wood) -> None:
    (Path(copied.trees[2].target) / "mbox").write_text("else")
    done = copied.run(copied.planned(delete=True).changed())
    assert done.returncode == FOREIGN
    assert "./2/mbox" in done.stderr


@pytest.mark.parametrize("scope", ["changed", "whole"])
def test_a_tree_that_would_lose_much_is_not_passed_over(wood: Wood, scope: str) -> None:
    for number in range(30):
        (source(wood, 2) / f"u1/Maildir/cur/more-{number}").write_text("mail")
    wood.succeed(wood.planned().whole())
    wood.succeed(wood.planned(delete=True).whole())
    for path in (source(wood, 2) / "u1/Maildir/cur").iterdir():
        path.unlink()
    planned = wood.planned(delete=True, max_delete=0.5)
    done = wood.run(planned.changed() if scope == "changed" else planned.whole())
    assert done.returncode == TOO_MANY, done.stderr
    assert "of tree 2 " in done.stderr
    assert (Path(wood.trees[2].target) / "u1/Maildir/cur/more-1").exists()


def test_a_tree_that_is_not_there_is_no_empty_one(copied: Wood) -> None:
    source(copied, 2).rename(copied.root / "unmounted")
    done = copied.run(copied.planned(delete=True).whole())
    assert done.returncode == 1
    assert "t 2" in done.stderr
    assert (Path(copied.trees[2].target) / "mbox").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="gives a link to a user")
@pytest.mark.parametrize("kind", ["whole", "deleting", "changed", "emptied", "rooted"])
def test_a_user_who_swaps_the_folder_of_a_tree_for_a_link_leads_no_pass_elsewhere(
    copied: Wood, kind: str
) -> None:
    here = Path(copied.trees[2].target)
    outside = copied.root / "etc"
    outside.mkdir()
    subprocess.run(["cp", "-a", "--", f"{here}/.", str(outside)], check=True)
    script = copied.planned(delete=kind != "whole").changed()
    if kind in ("whole", "deleting"):
        script = copied.planned(delete=kind == "deleting").whole()
    if kind == "emptied":
        (source(copied, 2) / "mbox").unlink()
    elif kind == "rooted":
        source(copied, 2).chmod(0o777)
    else:
        (source(copied, 2) / "mbox").write_text("of a user")
    before = trees.told(outside)
    here.rename(copied.root / "aside")
    here.symlink_to(outside)
    os.lchown(here, 65534, 65534)
    # What is only looked at may be seen through the link, and counts as changed by others; nothing is written.
    pretended = script.replace('if [ -s "$work/foreign" ]', "if false")
    done = copied.run(pretended)
    assert done.returncode == 1, done.stderr
    assert SAID in done.stderr
    assert trees.told(outside) == before
    assert copied.run(script).returncode not in (0, CANNOT_TELL)


@pytest.mark.parametrize("how", ["killed", "full"])
def test_a_worker_that_could_not_say_why_it_ended_did_not_succeed(wood: Wood, how: str) -> None:
    # Killed for want of memory with its rsync, or unable to write to a disk that has no room any more.
    each = f"{wood.state}/unit/pass-all/each"
    deed = "kill -s KILL $PPID" if how == "killed" else f"mkdir -p {each}/failed; exit 11"
    program(wood.root / "bin/rsync", f"#!/bin/sh\n[ $1 != --version ] || exit 0\n{deed}\n")
    done = wood.run(wood.planned().whole())
    assert done.returncode not in (0, CANNOT_TELL)
    assert not (Path(wood.state) / "unit/here-all").exists()


def test_what_stays_behind_is_that_of_each_tree(copied: Wood) -> None:
    for index in (1, 2):
        for name in ("bak", "top", "x.lock", "u1/bak"):
            (source(copied, index) / name).write_text("own")
    copied.succeed(copied.planned(delete=True).changed())
    names = {index: {path.name for path in Path(copied.trees[index].target).iterdir()} for index in (1, 2)}
    assert names == {1: {"u1", "mbox", "x.lock"}, 2: {"u1", "mbox", "bak", "top"}}
    assert copied.differences() == {}


def test_other_trees_under_the_same_numbers_are_looked_at_as_a_whole(copied: Wood) -> None:
    moved = SyncTree(f"{copied.root}/there/other/", copied.trees[2].target, copied.trees[2].exclude)
    source(copied, 2).rename(moved.source)
    copied.trees[2] = moved
    copied.wrapper.write_text(copied.script())
    assert copied.run(copied.planned(delete=True).changed()).returncode == CANNOT_TELL


def test_mail_that_stood_in_a_target_before_is_compared_by_contents(wood: Wood) -> None:
    target = Path(wood.trees[2].target)
    target.mkdir(parents=True)
    (target / "mbox").write_text("BOX 2")
    seen = (source(wood, 2) / "mbox").stat()
    os.utime(target / "mbox", ns=(seen.st_atime_ns, seen.st_mtime_ns))
    wood.succeed(wood.planned().whole())
    wood.expect_equal()


def test_the_script_of_two_thousand_trees_is_one_that_a_host_can_read() -> None:
    many = {
        index: SyncTree(f"/var/www/web{index}/user/", f"/var/www/web{index}/user/", ("*/bak",))
        for index in range(2000)
    }
    looks = [old_head(f"{arrivals.folder('unit')}/look-{index}", "x" * 200) for index in many]
    text = wrapper_script(
        "unit",
        tuple(many.values()),
        sudo=True,
        looks=looks,
        shared=old_functions(),
        together=forest.old_text("unit", many, ""),
    )
    assert len(text) < 2_000_000


def test_what_stays_behind_of_two_thousand_trees_that_differ_is_an_argument_that_a_kernel_bears(
    tmp_path: Path,
) -> None:
    patterns = (("/bak", "/web"), ("*.tmp", "/own/"), ())
    many = {
        index: SyncTree(f"/var/www/web{index}/user/", f"/var/www/web{index}/user/", patterns[index % 3])
        for index in range(2000)
    }
    numbers = (0, 1, 2, 9, 10, 1000, 1996, 1997, 1998, 1999)
    for index in numbers:
        for name in ("bak/x", "web/x", "own/x", "a.tmp", "u/bak", "u/mbox.lock", "mbox"):
            (tmp_path / str(index) / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / str(index) / name).write_text("")
    done = subprocess.run(
        ["sh", "-c", "eval \"find . $words -type f -printf '%P\\n'\""],
        env={**os.environ, "words": forest.prune(many, "")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    kept = (
        {"own/x", "a.tmp", "u/bak", "mbox"},
        {"bak/x", "web/x", "u/bak", "mbox"},
        {"bak/x", "web/x", "own/x", "a.tmp", "u/bak", "mbox"},
    )
    assert set(done.stdout.split()) == {f"{index}/{name}" for index in numbers for name in kept[index % 3]}


def counted(wood: Wood) -> None:
    """Have every rsync of the new host leave a line of what it was told."""
    real = shutil.which("rsync")
    program(wood.root / "bin/rsync", f'#!/bin/sh\necho "$*" >>"$HOME/ran"\nexec {real} "$@"\n')


def ran(wood: Wood) -> list[str]:
    """Return what the rsyncs between folders of the new host were told since the last time."""
    path = wood.root / "ran"
    lines = [line for line in path.read_text().splitlines() if "/state/unit/" in line and " -e " not in line]
    path.unlink()
    return lines


@pytest.fixture
def rooted(tmp_path: Path) -> Wood:
    """Trees that are equal, in folders that root alone can put elsewhere."""
    wood = Wood(tmp_path, f"{tmp_path}/state", plain=True)
    wood.succeed(wood.planned().whole())
    wood.succeed(wood.planned(delete=True).whole())
    counted(wood)
    return wood


def test_what_came_is_laid_into_all_trees_by_one_rsync_and_compared_by_one(rooted: Wood) -> None:
    change(rooted)
    rooted.succeed(rooted.planned(delete=True).changed())
    (laid,) = ran(rooted)
    assert laid.endswith("/state/unit/laid/ /")
    rooted.expect_equal()
    assert rooted.differences() == {}
    (checked,) = ran(rooted)
    assert "--dry-run" in checked
    assert checked.endswith("/state/unit/laid/ /")


@pytest.mark.skipif(os.getuid() != 0, reason="gives a folder to a user")
@pytest.mark.parametrize("how", ["others", "owner", "link"])
def test_a_tree_that_a_user_could_put_elsewhere_is_laid_by_itself(rooted: Wood, how: str) -> None:
    change(rooted)
    (source(rooted, 8) / "fresh box").write_text("new")
    above = Path(rooted.trees[5].target).parent
    if how == "others":
        above.chmod(0o777)
    elif how == "owner":
        os.chown(above, 65534, -1)
    else:
        above.rename(rooted.root / "here/real")
        above.symlink_to("real")
    rooted.succeed(rooted.planned(delete=True).changed())
    alone, laid = sorted(ran(rooted), key=lambda line: line.endswith(" /"))
    assert alone.endswith(f"/staged/5/ {rooted.trees[5].target}/".replace("//", "/"))
    assert laid.endswith("/laid/ /")
    rooted.expect_equal()


def test_a_link_that_stands_in_a_tree_in_place_of_a_folder_leads_nothing_elsewhere(rooted: Wood) -> None:
    change(rooted)
    outside, box = rooted.root / "outside", Path(rooted.trees[5].target) / "u1/Maildir/new"
    outside.mkdir()
    box.rename(rooted.root / "aside")
    box.symlink_to(outside)
    # Others have changed it, which is seen; so it has to have been done behind that.
    script = rooted.planned().changed().replace('if [ -s "$work/foreign" ]', "if false")
    rooted.run(script)
    assert list(outside.iterdir()) == []


def test_a_pass_that_ends_while_it_lays_has_logged_what_it_laid(rooted: Wood) -> None:
    (source(rooted, 5) / "u1/Maildir/new/a\\#1").write_text("new")
    change(rooted)
    script = rooted.planned(delete=True).changed()
    done = rooted.run(script.replace("copy_laid() {", "copy_laid() {\n    return 11\n"))
    assert done.returncode == 11
    log = Path(rooted.state, "unit/copied-5.log").read_text()
    found = (source(rooted, 5) / "u1/Maildir/new/2\n2").stat()
    moment = time.strftime("%Y/%m/%d-%H:%M:%S", time.gmtime(found.st_mtime))
    assert f" {moment} {found.st_size} |>f+++++++++|u1/Maildir/new/2\\#0122\n" in log
    assert "|u1/Maildir/new/a\\#134#1\n" in log


@pytest.mark.parametrize("shell", [("dash",), ("bash", "--posix"), ("busybox", "sh")], ids=" ".join)
def test_any_shell_and_awk_tells_which_trees_root_alone_can_put_elsewhere(
    tmp_path: Path, shell: tuple[str, ...]
) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"there is no {shell[0]}")
    for name in ("a/b", "a/c", "open/d", "e f"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to("a")
    names = ("a/b/", "a/c", "open/d", "e f", "link/b", "a/gone", "a/./b")
    asked = "".join(f"{number} {tmp_path}/{name}\n" for number, name in enumerate(names))
    script = f"work={tmp_path} attributes=\n{ENTER}{laying.FUNCTIONS}\nrooted\n"
    done = subprocess.run([*shell, "-c", script], input=asked, capture_output=True, text=True, check=True)
    assert done.stdout == f"0 {tmp_path}/a/b\n1 {tmp_path}/a/c\n"
