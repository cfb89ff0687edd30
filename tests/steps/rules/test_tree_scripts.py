"""The scripts that measure trees do so in a real shell, whatever the names are."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.plan import SyncTree
from migrator.steps.rules import tree_scripts

ODD = "it's $(touch pwned) `x` ;a"


def run(script: str, folder: Path) -> str:
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True, cwd=folder, check=True)
    assert not (folder / "pwned").exists()
    return done.stdout


@pytest.fixture
def tree(tmp_path: Path) -> SyncTree:
    source = tmp_path / ODD
    (source / "user" / "bak").mkdir(parents=True)
    (source / "user" / "mail").write_bytes(b"x" * 100_000)
    (source / "user" / "bak" / "old").write_bytes(b"x" * 900_000)
    (source / "user" / "empty").touch()
    (source / "user" / ".procmailrc").write_text("DEFAULT=x")
    return SyncTree(f"{source}/", f"{tmp_path}/absent/{ODD}/", ("*/bak",))


def test_sizes_leave_out_what_stays_behind(tree: SyncTree, tmp_path: Path) -> None:
    absent = SyncTree("/absent/", "/srv/absent/")
    found = tree_scripts.parse_sizes(run(tree_scripts.sizes([tree, absent]), tmp_path))
    assert found[1] is None
    assert found[0] is not None
    assert 90 <= found[0] < 200


def test_a_link_is_measured_where_it_leads(tree: SyncTree, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tree.source)
    (found,) = tree_scripts.parse_sizes(
        run(tree_scripts.sizes([SyncTree(f"{tmp_path}/link/", "/")]), tmp_path)
    )
    assert found is not None
    assert found > 900


def test_room_is_that_of_the_nearest_folder_that_exists(tree: SyncTree, tmp_path: Path) -> None:
    there = SyncTree("/a/", tree.source)
    absent, present = tree_scripts.parse_rooms(run(tree_scripts.rooms([tree, there]), tmp_path))
    assert absent.used == 0
    assert present.used > 900
    assert absent.mount == present.mount
    assert abs(absent.available - present.available) < 1_000_000


def test_owners_and_files_are_listed(tree: SyncTree, tmp_path: Path) -> None:
    number = str(Path(tree.source).stat().st_uid)
    assert run(tree_scripts.owners([tree.source, "/absent"]), tmp_path).split() == [number]
    found = run(tree_scripts.files([tree.source, "/absent"]), tmp_path).split("\0")
    assert {Path(name).name for name in found if name} == {"mail", "old"}


@given(st.text())
def test_any_output_is_read_or_passed_over(text: str) -> None:
    tree_scripts.parse_sizes(text)
    tree_scripts.parse_rooms(text)
