"""What the key of a migration may ask of the old host, and what it may not."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.mailstore.entering import LINK
from migrator.mailstore.restraint import Restraint
from migrator.mailstore.wrapper import wrapper_script
from migrator.plan import SyncTree

LOOK = 'look() { echo "look in $PWD"; for each; do echo "<$each>"; done; }'
CAPABLE = "-nlHogDtpre.iLsfxCIvu"


class Door:
    """The wrapper, with a program in the place of rsync (and of sudo) that says where and how it was started."""

    def __init__(self, folder: Path, *, sudo: bool = False, restraint: Restraint | None = None) -> None:
        self.tree = folder / "a b'c $(id)"
        self.tree.mkdir()
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.program("rsync", 'echo "in $PWD"; for each; do echo "<$each>"; done')
        self.program("sudo", 'echo "sudo $1"; shift; exec "$@"')
        self.wrapper = folder / "wrapper"
        self.wrapper.write_text(
            wrapper_script(
                "unit",
                (SyncTree(f"{self.tree}/", "/x/"), SyncTree("/none/", "/y/")),
                sudo=sudo,
                looks=(LOOK,),
                restraint=restraint,
            )
        )

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.bin / name).chmod(0o755)

    def ask(self, command: str | None) -> tuple[int, str]:
        environment = {"PATH": f"{self.bin}:{os.environ['PATH']}"}
        if command is not None:
            environment["SSH_ORIGINAL_COMMAND"] = command
        done = subprocess.run(
            ["sh", str(self.wrapper)],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            errors="replace",
        )
        assert done.returncode == 0 or not done.stdout
        return done.returncode, done.stdout


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


def test_a_knock_is_answered(door: Door) -> None:
    assert door.ask("migrate-hello") == (0, "migrate-read unit\n")


@pytest.mark.parametrize(
    "options",
    [
        [CAPABLE],
        ["-vlHogDtprze.iLsfxCIvu", "--numeric-ids", "--timeout=900"],
        ["-nlHogDtprce.iLsfxCIvu", "--log-format=%i"],
        ["-logDtpr"],
        ["-lHogDtpIRe.LsfxCIvu", "--timeout=900", "--delete-missing-args", "--files-from=-", "--from0"],
        ["-lHogDtpAXRSe.LsfxCIvu", "--bwlimit=10240", "--ignore-missing-args", "--files-from=-", "--from0"],
        ["-nldHogDtpAXcRSe.LsfxCIvu", "--max-delete=5", "--no-implied-dirs"],
    ],
)
def test_a_reading_rsync_runs_in_the_folder_of_its_tree(door: Door, options: list[str]) -> None:
    status, said = door.ask(f"migrate-tree-0 --server --sender {' '.join(options)} . .")
    words = "".join(f"<{word}>\n" for word in ("--server", "--sender", *options, ".", "."))
    assert (status, said) == (0, f"in {door.tree}\n{words}")


def test_with_sudo_it_does_so_as_root(tmp_path: Path) -> None:
    door = Door(tmp_path, sudo=True)
    _, said = door.ask(f"migrate-tree-0 --server --sender {CAPABLE} . .")
    assert said.startswith(f"sudo -n\nin {door.tree}\n<--server>\n<--sender>\n<{CAPABLE}>\n<.>\n<.>")


@pytest.mark.parametrize(
    "command",
    [
        None,
        "",
        "id",
        "rsync --server --sender -logDtpr . .",
        "migrate-hello now",
        f"migrate-tree-1 --server --sender {CAPABLE} . .",
        f"migrate-tree-2 --server --sender {CAPABLE} . .",
        f"migrate-tree-0 --server {CAPABLE} . .",
        f"migrate-tree-0 --sender --server {CAPABLE} . .",
        f"migrate-tree-0 --server --sender {CAPABLE} . /etc",
        f"migrate-tree-0 --server --sender {CAPABLE} /etc .",
        f"migrate-tree-0 --server --sender {CAPABLE} . . .",
        f"migrate-tree-0 --server --sender {CAPABLE} . ..",
        f"migrate-tree-0 --server --sender {CAPABLE} .",
        "migrate-tree-0 --server --sender",
        "migrate-tree-0 --server --sender -logDtprs . .",
        "migrate-tree-0 --server --sender -LogDtpr . .",
        "migrate-tree-0 --server --sender -kogDtpr . .",
        "migrate-tree-0 --server --sender --copy-links -r . .",
        "migrate-tree-0 --server --sender --remove-source-files . .",
        "migrate-tree-0 --server --sender --log-file=x . .",
        "migrate-tree-0 --server --sender --files-from=x . .",
        "migrate-tree-0 --server --sender --files-from=/etc/shadow --from0 -R . .",
        "migrate-tree-0 --server --sender --timeout=9x . .",
        "migrate-tree-0 --server --sender --bwlimit=1.5m . .",
        "migrate-tree-0 --server --sender --bwlimit= . .",
        "migrate-tree-0 --server --sender --max-delete=-1 . .",
        "migrate-load now",
        "migrate-look-0",
        "migrate-look-1 mark",
        "migrate-look-2 mark",
        "migrate-look-0 mark /etc",
        "migrate-look-0 mark ..",
        "migrate-look-0 mark a=b",
        "migrate-look-0 mark $(id)",
        "migrate-look-0 mark ;id",
        "migrate-look-0 mark\nid",
        "migrate-sizes-0 /etc",
        "migrate-sizes-2",
        "migrate-tree-0 --server --sender -logDtpr . . ; id",
        "migrate-tree-0 --server --sender -logDtpr . . \n id",
        "migrate-tree-0 --server --sender $(id) . .",
        "migrate-tree-0 --server --sender `id` . .",
        "migrate-tree-0 --server --sender * . .",
        "migrate-tree-0\t--server --sender -r . .",
    ],
)
def test_everything_else_is_refused(door: Door, command: str | None) -> None:
    status, said = door.ask(command)
    # The folder of tree 1 does not exist: that is sh's own refusal.
    assert (status, said) == (2 if "tree-1" in (command or "") else 1, "")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
def test_arbitrary_commands_are_refused(tmp_path_factory: pytest.TempPathFactory, command: str) -> None:
    door = Door(tmp_path_factory.mktemp("door"))
    assert door.ask(command)[0] == 1


def test_a_look_runs_in_the_folder_of_its_tree_with_its_words(door: Door) -> None:
    assert door.ask("migrate-look-0 changed seen t-1") == (
        0,
        f"look in {door.tree}\n<changed>\n<seen>\n<t-1>\n",
    )
    assert door.ask("migrate-look-0 -delete")[1].endswith("<-delete>\n")


def test_a_look_needs_root_as_reading_does(tmp_path: Path) -> None:
    assert Door(tmp_path, sudo=True).ask("migrate-look-0 recent")[1].startswith("sudo -n\nlook in ")


def test_the_load_and_the_processors_are_told(door: Door) -> None:
    status, said = door.ask("migrate-load")
    load, processors = said.split()[:2]
    assert (status, int(processors)) == (0, os.cpu_count())
    assert float(load) >= 0


def test_sizes_of_what_stands_in_a_tree_are_told(door: Door) -> None:
    (door.tree / "-rf *\n").write_bytes(b"x" * 5000)
    (door.tree / "user").mkdir()
    (door.tree / "user" / "mail").write_bytes(b"x" * 100_000)
    status, said = door.ask("migrate-sizes-0")
    sizes = {name: int(size) for size, _, name in (one.partition("\t") for one in said.split("\0")[:-1])}
    assert (status, sizes["./-rf *\n"]) == (0, 5000)
    assert 100_000 <= sizes["./user"] < 110_000


def test_an_empty_tree_has_no_sizes(door: Door) -> None:
    assert door.ask("migrate-sizes-0") == (0, "")


class TestRestraint:
    """What runs for the key gets the priorities of the plan."""

    @pytest.mark.parametrize("sudo", [False, True])
    @pytest.mark.parametrize(
        "asked",
        [f"migrate-tree-0 --server --sender {CAPABLE} . .", "migrate-look-0 recent", "migrate-sizes-0"],
    )
    def test_it_runs_gently(self, tmp_path: Path, sudo: bool, asked: str) -> None:
        door = Door(tmp_path, sudo=sudo, restraint=Restraint(nice=7, ionice="idle"))
        for program in ("nice", "ionice"):
            door.program(program, f'[ "$*" = "-c 3 true" ] || echo "{program} $1 $2"; shift 2; exec "$@"')
        said = door.ask(asked)[1].removeprefix("sudo -n\n")
        assert said.startswith("nice -n 7\nionice -c 3\n")

    def test_a_host_that_forbids_the_class_reads_without_it(self, tmp_path: Path) -> None:
        door = Door(tmp_path, restraint=Restraint(ionice="best-effort"))
        door.program("ionice", "exit 1")
        assert door.ask("migrate-look-0 recent") == (0, f"look in {door.tree}\n<recent>\n")


@pytest.mark.skipif(os.getuid() != 0, reason="gives a link to a user")
@pytest.mark.parametrize(
    "command", [f"migrate-tree-0 --server --sender {CAPABLE} . .", "migrate-look-0 mark", "migrate-sizes-0"]
)
def test_a_user_who_swaps_the_folder_of_a_tree_for_a_link_shows_nothing_of_the_system(
    door: Door, tmp_path: Path, command: str
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/shadow").write_text("of the system")
    door.tree.rename(tmp_path / "aside")
    door.tree.symlink_to("etc")
    assert door.ask(command)[0] == 0
    os.lchown(door.tree, 65534, 65534)
    assert door.ask(command) == (LINK, "")
