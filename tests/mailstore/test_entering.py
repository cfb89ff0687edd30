"""Root enters the folder of a tree through its own links, and through none that a user could have put there."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from migrator.mailstore.entering import ENTER, LINK
from tests.hosts.shell import SHELLS

USER = 65534

as_root = pytest.mark.skipif(os.getuid() != 0, reason="gives links to a user")


@pytest.fixture(params=[*SHELLS, "busybox sh"])
def shell(request: pytest.FixtureRequest) -> list[str]:
    words = str(request.param).split(" ")
    if subprocess.run(["which", words[0]], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"no {words[0]} here")
    return words


def enter(shell: list[str], path: Path | str, *words: str, before: str = "") -> tuple[int, str, str]:
    """Enter a folder and return the status, where that led, and what was said."""
    script = f"{ENTER}{before}enter_tree {shlex.join([str(path), *words])} && pwd -P"
    done = subprocess.run([*shell, "-c", script], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.removesuffix("\n"), done.stderr


def given_to_a_user(link: Path) -> Path:
    os.lchown(link, USER, USER)
    return link


@pytest.mark.parametrize("name", ["plain", "it's a $(tree)", "-e", "two\nlines", "an end\n", "ü*?["])
def test_a_folder_is_entered_whatever_its_name_is(shell: list[str], tmp_path: Path, name: str) -> None:
    (tmp_path / name / "in it").mkdir(parents=True)
    assert enter(shell, f"{tmp_path}//./{name}/in it/") == (0, f"{tmp_path}/{name}/in it", "")
    assert enter(shell, "/") == (0, "/", "")


def test_links_of_root_are_followed_wherever_they_lead(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / "disk/home/u").mkdir(parents=True)
    (tmp_path / "var").mkdir()
    (tmp_path / "home").symlink_to("var/../disk/home")
    (tmp_path / "var/mail").symlink_to(f"{tmp_path}/home/u")
    assert enter(shell, tmp_path / "var/mail") == (0, f"{tmp_path}/disk/home/u", "")


def test_a_folder_that_is_missing_is_made_or_no_folder(shell: list[str], tmp_path: Path) -> None:
    status, where, said = enter(shell, tmp_path / "a/b")
    assert (status, where) == (1 if shell == ["bash"] else 2, "")
    assert said
    assert enter(shell, tmp_path / "a/b", "make") == (0, f"{tmp_path}/a/b", "")


@as_root
@pytest.mark.parametrize("link", ["home/u/Maildir", "home/u"])
def test_a_users_link_is_told_and_not_followed(shell: list[str], tmp_path: Path, link: str) -> None:
    (tmp_path / "etc/Maildir").mkdir(parents=True)
    (tmp_path / link).parent.mkdir(parents=True)
    (tmp_path / link).symlink_to(tmp_path / "etc")
    given_to_a_user(tmp_path / link)
    status, where, said = enter(shell, tmp_path / "home/u/Maildir", "make")
    assert (status, where) == (LINK, "")
    assert f"{tmp_path}/{link}" in said


@as_root
def test_a_link_of_root_where_users_can_put_another_one_is_a_users(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "home/u").mkdir(parents=True)
    (tmp_path / "home/u/mail").symlink_to(tmp_path / "etc")
    os.chown(tmp_path / "home/u", USER, USER)
    assert enter(shell, tmp_path / "home/u/mail")[:2] == (LINK, "")
    os.chown(tmp_path / "home/u", 0, 0)
    (tmp_path / "home/u").chmod(0o777)
    assert enter(shell, tmp_path / "home/u/mail")[:2] == (LINK, "")
    (tmp_path / "home/u").chmod(0o1777)
    assert enter(shell, tmp_path / "home/u/mail") == (0, f"{tmp_path}/etc", "")


def test_a_folder_that_is_swapped_while_it_is_entered_leads_nowhere(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / "etc/inner").mkdir(parents=True)
    (tmp_path / "u/mail/inner").mkdir(parents=True)
    swap = f"mv {tmp_path}/u/mail {tmp_path}/aside; ln -s {tmp_path}/etc {tmp_path}/u/mail"
    # The test for a link is `[`; what it does next is to enter.
    before = (
        f'[() {{ command [ "$@"; came=$?; if test "$1 $2" = "-L ./mail"; then {swap}; fi; return $came; }}\n'
    )
    if shell != ["bash"]:
        pytest.skip("only bash has functions of that name")
    status, where, _ = enter(shell, tmp_path / "u/mail/inner", before=before)
    assert (status, where) == (LINK, "")


def test_links_in_a_circle_end(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert enter(shell, tmp_path / "a")[:2] == (LINK, "")
