"""Whatever a folder, a file, a user or a pattern is called, a script for a host takes it for a name and no more."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from migrator.change import FileEdit, Upload
from migrator.hosts import script as scripts
from migrator.hosts.ssh import _reading
from migrator.hosts.sshd import settings_script
from migrator.hosts.upload import upload_script
from migrator.mailstore import access, arrivals, rsync
from migrator.mailstore.copying import Pass
from migrator.mailstore.way import Way
from migrator.mailstore.wrapper import wrapper_script
from migrator.plan import CopyPlan, SyncTree, places
from migrator.steps.rules import tree_scripts

WORDS = (
    "'",
    '"',
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned;",
    "&",
    "|",
    "\\",
    "*",
    "?",
    "[a]",
    "~",
    "%s",
    "!",
)
BYTES = st.one_of(
    st.lists(
        st.sampled_from([*WORDS, " ", "\t", "\n", "-", "--help", "=", "#", "é", "名", "\udcff", "\udce9x"])
    ).map("".join),
    st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1),
)
NAMES = BYTES.map(lambda name: name.replace("/", "")[:40]).filter(
    lambda name: name not in ("", ".", "..") and len(os.fsencode(name)) < 120
)
"""Names of files: any bytes but NUL and the slash."""
PLANNED = NAMES.filter(lambda name: not re.search("[\x00-\x1f\x7f-\x9f]", name))
"""What a plan takes: it refuses control characters."""
PATTERNS = NAMES.filter(lambda name: not name.startswith(("+ ", "- ", "!")))


@contextmanager
def sandbox() -> Iterator[Path]:
    """Give a folder in which nothing named pwned may appear."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
        assert not list(Path(folder).rglob("pwned"))


def run(script: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    environment = {
        **{"PATH": f"{folder}/bin:{os.environ['PATH']}", "TMPDIR": str(folder), "HOME": str(folder)},
        **{"LC_ALL": "C"},
    }
    return subprocess.run(
        ["sh", "-s"],
        input=os.fsencode(script),
        cwd=folder,
        env=environment,
        capture_output=True,
        check=False,
        timeout=60,
    )


def program(folder: Path, name: str, text: str) -> None:
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def told(folder: Path) -> list[str]:
    """Return the arguments that the program in the place of rsync was started with."""
    return os.fsdecode((folder / "told").read_bytes()).split("\0")[:-1]


few = settings(max_examples=40)
FIRST = "-a'b\"c $(touch pwned)`touch pwned`\n;*\udcff"


@few
@example(FIRST)
@given(NAMES)
def test_a_file_is_read_by_its_name(name: str) -> None:
    with sandbox() as folder:
        (folder / name).write_bytes(b"mail")
        done = run("exec 3>&1\n" + _reading(f"{folder}/{name}", "MARK"), folder)
        assert done.stdout == b"mail\nMARK 0 \n"


@few
@example(FIRST.replace("\n", ""))
@given(NAMES.filter(lambda name: not name.endswith("\n")))
def test_a_file_is_written_by_its_name(name: str) -> None:
    with sandbox() as folder:
        upload = Upload(
            "old", (FileEdit(f"{folder}/{name}", None, b"new", owner=f"{os.getuid()}:{os.getgid()}"),)
        )
        done = run(upload_script(upload), folder)
        assert (done.returncode, done.stderr) == (0, b"")
        assert [os.fsdecode(path.name) for path in folder.iterdir()] == [name]
        assert (folder / name).read_bytes() == b"new"


@few
@example(FIRST, FIRST, [FIRST])
@given(NAMES, NAMES, st.lists(PATTERNS, max_size=3))
def test_a_pass_takes_its_target_and_patterns_as_they_are(
    source: str, target: str, exclude: list[str]
) -> None:
    with sandbox() as folder:
        program(folder, "rsync", 'for each; do printf "%s\\000" "$each"; done >"$HOME/told"')
        program(folder, "ssh", ":")
        program(folder, "getent", 'echo "x:x:0:0::$HOME:/bin/sh"')
        tree = SyncTree(f"/{source}/", f"{folder}/{target}/", tuple(exclude))
        way = Way("unit", "2001:db8::10", 22, "mover", state=f"{folder}/state")
        script = Pass("unit", 3, tree, way, CopyPlan(), state=f"{folder}/state").whole()
        done = run(script, folder)
        assert (done.returncode, done.stderr) == (0, b"")
        words = told(folder)
        assert words[-1] == f"{folder}/{target}/"
        assert words[-2] == "mover@[2001:db8::10]:."
        excluded = [word.removeprefix("--exclude=") for word in words if word.startswith("--exclude=")]
        assert excluded == [*rsync.excluded(replace(tree, exclude=()), ""), *exclude]
        assert f"/{source}/" not in words
        assert (folder / target).is_dir()


@few
@example(FIRST)
@given(NAMES)
def test_the_wrapper_enters_the_folder_of_that_name(name: str) -> None:
    for sudo in (False, True):
        with sandbox() as folder:
            (folder / name).mkdir()
            program(folder, "rsync", 'pwd >"$HOME/told"; for each; do printf "<%s>" "$each"; done')
            program(folder, "sudo", 'shift; exec "$@"')
            wrapper = wrapper_script("unit", [SyncTree(f"{folder}/{name}/", "/x/")], sudo=sudo)
            asked = "export SSH_ORIGINAL_COMMAND='migrate-tree-0 --server --sender -logDtpr . .'\n"
            done = run(asked + wrapper, folder)
            assert (done.stdout, done.stderr) == (b"<--server><--sender><-logDtpr><.><.>", b"")
            assert os.fsdecode((folder / "told").read_bytes()) == f"{folder}/{name}\n"


@few
@example(FIRST.replace("\n", ""), FIRST.replace("\n", ""))
@given(PLANNED, PATTERNS)
def test_trees_are_measured_and_looked_at_by_their_names(name: str, exclude: str) -> None:
    with sandbox() as folder:
        inside = folder / name / "new"
        inside.mkdir(parents=True)
        (inside / "mail").write_bytes(b"x" * 5000)
        tree = SyncTree(f"{folder}/{name}/", f"{folder}/{name}/", (f"*/{exclude}/none",))
        assert len(tree_scripts.parse_sizes(os.fsdecode(run(tree_scripts.sizes([tree]), folder).stdout))) == 1
        assert len(tree_scripts.parse_rooms(os.fsdecode(run(tree_scripts.rooms([tree]), folder).stdout))) == 1
        assert run(tree_scripts.owners([tree.source]), folder).stdout.split() == [str(os.getuid()).encode()]
        found = os.fsdecode(run(tree_scripts.files([tree.source]), folder).stdout)
        assert found.split("\0")[:-1] == [f"{folder}/{name}/new/mail"]
        target = arrivals.Target(tree.target, spool=False)
        look = run(arrivals.look_script("unit", [target], state=f"{folder}/state"), folder)
        assert arrivals.parse(os.fsdecode(look.stdout)).paths == (f"{folder}/{name}/new/mail",)


@few
@example(FIRST)
@given(NAMES)
def test_sshd_is_asked_about_a_user_of_any_name(name: str) -> None:
    with sandbox() as folder:
        program(folder, "sshd", 'for each; do printf "%s\\000" "$each"; done >"$HOME/told"')
        run(settings_script(user=name, address="198.51.100.20"), folder)
        assert told(folder) == ["-T", "-C", f"user={name},host=198.51.100.20,addr=198.51.100.20"]


@few
@example(FIRST)
@given(NAMES.filter(lambda name: not name.endswith("\n")))
def test_a_key_is_taken_out_of_a_home_of_any_name(name: str) -> None:
    with sandbox() as folder:
        door = access.DoorPaths.of("unit", f"{folder}/{name}")
        Path(door.wrapper).parent.mkdir(parents=True)
        for path in (door.authorized_keys, door.wrapper):
            Path(path).write_text("ssh-ed25519 AAAA admin\nssh-ed25519 AAAA migrate:unit\n")
        assert run(access.remove_entry_script(door, "unit"), folder).returncode == 0
        assert Path(door.authorized_keys).read_text() == "ssh-ed25519 AAAA admin\n"
        assert not Path(door.wrapper).exists()


@given(NAMES)
def test_the_line_of_a_home_of_any_name_is_one_line_with_one_command(name: str) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGhxuXmWHrrkijqQ44VwZliyziR6SfFtYPQLT31Xcpbu"
    path = f"/home/{name}/.ssh/migrate-unit.sh"
    try:
        line = access.authorized_line("unit", key, ["198.51.100.20"], path, (9, 2))
    except ValueError:
        assert re.search("[\x00-\x1f\x7f-\x9f]", name)
        return
    assert line.count("\n") == 1
    _, _, rest = line.partition('command="')
    command, quote, end = rest.replace('\\"', "\1").partition('"')
    assert (quote, end) == ('"', f" {key} migrate:unit\n")
    assert shlex.split(command.replace("\1", '"')) == ["sh", path]


@given(st.text(st.characters(exclude_categories=[])))
def test_a_plan_takes_no_path_that_a_line_could_not_hold(text: str) -> None:
    for parse in (places.host_path, places.pattern, places.target):
        try:
            taken = parse(text)
        except ValueError:
            continue
        assert not set(taken) & set("\0\n\r\x1b")


@pytest.mark.parametrize("text", ["EOF\n", "END_0\nrm -rf /\n", "'\n"])
def test_no_text_ends_its_here_document(text: str, tmp_path: Path) -> None:
    done = run(scripts.here("cat", text) + "echo after\n", tmp_path)
    assert done.stdout.decode() == f"{text}after\n"
