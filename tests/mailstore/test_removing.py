"""What a pass removes lies in its tree, whatever a user does meanwhile to the folders that are the user's own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from migrator.mailstore.removing import FUNCTIONS
from tests.hosts.shell import SHELLS
from tests.mailstore.trees import NAMES, walk


def remove(shell: str, tree: Path, *names: str, before: str = "") -> str:
    """Remove names as a pass does, the deepest first, and return what was said."""
    (tree.parent / "doomed").write_bytes(b"".join(os.fsencode(f"./{name}") + b"\0" for name in names))
    folders = "remove_each '-type d -empty' <../doomed 2>/dev/null\n"
    script = f"{FUNCTIONS}{before}remove_each '! -type d' <../doomed\n{folders}"
    done = subprocess.run([shell, "-c", script], cwd=tree, capture_output=True, text=True, check=False)
    return done.stderr


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "it's a tree/u/dir").mkdir(parents=True)
    (tmp_path / "outside/dir").mkdir(parents=True)
    for file in ("outside/file", "outside/dir/file"):
        (tmp_path / file).write_text("of the system")
    return tmp_path / "it's a tree"


def test_names_of_every_kind_go_and_nothing_else(shell: str, tree: Path) -> None:
    for folder in ("", "u/", "u/dir/"):
        for name in NAMES:
            (tree / f"{folder}{name}").write_text("")
    (tree / "u/dir/stays").write_text("")
    doomed = [f"{folder}{name}" for folder in ("u/dir/", "u/", "") for name in NAMES]
    assert remove(shell, tree, *doomed, "u/dir", "u") == ""
    assert list(walk(tree)) == ["u", "u/dir", "u/dir/stays"]
    assert remove(shell, tree, "u/dir/stays", "u/dir", "u") == ""
    assert list(walk(tree)) == []


def test_hundreds_of_names_of_one_folder(shell: str, tree: Path) -> None:
    names = [f"u/dir/{number}" for number in range(450)]
    for name in names:
        (tree / name).write_text("")
    assert remove(shell, tree, *names, "u/dir", "u") == ""
    assert list(walk(tree)) == []


@pytest.mark.parametrize("link", ["u", "u/dir"])
def test_a_folder_that_a_user_swapped_for_a_link_is_not_gone_through(
    shell: str, tree: Path, link: str
) -> None:
    (tree / link).rename(tree.parent / "aside")
    (tree / link).symlink_to("../../outside" if "/" in link else "../outside")
    remove(shell, tree, "u/dir/file", "u/file", "u/dir/dir/file", "u/dir/dir", "u/dir", "u")
    assert (tree.parent / "outside/file").exists()
    assert (tree.parent / "outside/dir/file").exists()


def test_a_link_itself_goes_and_what_it_leads_to_stays(shell: str, tree: Path) -> None:
    (tree / "u/link").symlink_to("../../outside/dir")
    (tree / "u/file").symlink_to("../../outside/file")
    assert remove(shell, tree, "u/link", "u/file") == ""
    assert list(walk(tree)) == ["u", "u/dir"]
    assert len(list(walk(tree.parent / "outside"))) == 3


def test_a_folder_that_is_swapped_while_names_go_leads_nowhere(
    shell: str, tree: Path, tmp_path: Path
) -> None:
    for number in range(30):
        (tree / f"u/dir/{number}").write_text("")
        (tmp_path / f"outside/dir/{number}").write_text("")
    # Between the look at the folder and the removal in it, as a user's own loop would do sooner or later.
    (tmp_path / "find").write_text(
        f'#!/bin/sh\nrm -rf "{tmp_path}/moved"; mv "{tree}/u/dir" "{tmp_path}/moved"\n'
        f'ln -s "{tmp_path}/outside/dir" "{tree}/u/dir"\nexec /usr/bin/find "$@"\n'
    )
    (tmp_path / "find").chmod(0o755)
    names = [f"u/dir/{number}" for number in range(30)]
    remove(shell, tree, *names, before=f'PATH="{tmp_path}:$PATH"; export PATH\n')
    assert len(list(walk(tmp_path / "outside/dir"))) == 31
    assert list(walk(tmp_path / "moved")) == []
