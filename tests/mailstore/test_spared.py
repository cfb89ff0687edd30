"""What a host keeps for itself is told by where it really is, and is left alone by everything that touches a tree."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from migrator.errors import Refused
from migrator.hosts.script import inspecting
from migrator.mailstore import home, rsync, spared
from migrator.mailstore.spared import Places, Spared
from migrator.plan import CopyPlan, SyncTree
from tests.hosts.shell import SHELLS, run

HOME = SyncTree("/home/", "/home/")


def told(shell: str, kept: list[str], roots: list[str]) -> Places:
    done = run(shell, inspecting(spared.places_script(kept, roots)))
    assert (done.returncode, done.stderr) == (0, "")
    return spared.parse_places(done.stdout, kept, roots)


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestWhereThingsAre:
    def test_a_folder_in_a_tree(self, shell: str, tmp_path: Path) -> None:
        (tmp_path / "home/admin/.ssh").mkdir(parents=True)
        places = told(shell, [f"{tmp_path}/home/admin/.ssh"], [f"{tmp_path}/home/", f"{tmp_path}/home"])
        assert (places.inside(0), places.inside(1), places.around(0)) == (
            ("admin/.ssh",),
            ("admin/.ssh",),
            "",
        )

    def test_what_is_not_there_yet_is_kept_by_its_name(self, shell: str, tmp_path: Path) -> None:
        assert told(shell, [f"{tmp_path}/home/a/.ssh"], [f"{tmp_path}/home/"]).inside(0) == ("a/.ssh",)

    def test_a_tree_that_a_link_leads_to(self, shell: str, tmp_path: Path) -> None:
        (tmp_path / "srv/homes/admin").mkdir(parents=True)
        (tmp_path / "home").symlink_to("srv/../srv//homes/")
        for root in ("home", "home/", "srv/homes/"):
            places = told(shell, [f"{tmp_path}/home/admin/.ssh"], [f"{tmp_path}/{root}"])
            assert places.inside(0) == ("admin/.ssh",), root

    def test_the_links_on_the_way_are_kept_with_what_they_lead_to(self, shell: str, tmp_path: Path) -> None:
        (tmp_path / "data/admin").mkdir(parents=True)
        (tmp_path / "data/keys").mkdir()
        (tmp_path / "home").mkdir()
        (tmp_path / "home/admin").symlink_to(f"{tmp_path}/data/admin")
        (tmp_path / "data/admin/.ssh").symlink_to("../keys")
        places = told(shell, [f"{tmp_path}/home/admin/.ssh"], [f"{tmp_path}/home", f"{tmp_path}/data"])
        assert places.inside(0) == ("admin",)
        assert set(places.inside(1)) == {"admin/.ssh", "keys"}
        assert (places.links(0), places.links(1)) == (("admin",), ())

    @pytest.mark.parametrize("name", ["a b", "it's", "$(id)", "-n", "new\nline", "tail\n", "\udcff"])
    def test_names_of_every_kind(self, shell: str, tmp_path: Path, name: str) -> None:
        (tmp_path / "home" / f"x{name}").mkdir(parents=True)
        (tmp_path / "home/link").symlink_to(f"x{name}")
        places = told(shell, [f"{tmp_path}/home/link/.ssh"], [f"{tmp_path}/home"])
        assert places.inside(0) == ("link", f"x{name}/.ssh")

    def test_links_in_a_circle_end(self, shell: str, tmp_path: Path) -> None:
        (tmp_path / "home").mkdir()
        (tmp_path / "home/a").symlink_to("b")
        (tmp_path / "home/b").symlink_to("a")
        assert set(told(shell, [f"{tmp_path}/home/a/.ssh"], [f"{tmp_path}/home"]).inside(0)) >= {"a", "b"}

    @pytest.mark.parametrize("root", ["home/admin/.ssh", "home/admin/.ssh/", "home/admin/.ssh/old", "way"])
    def test_a_tree_that_is_one_of_them_or_lies_in_one(self, shell: str, tmp_path: Path, root: str) -> None:
        (tmp_path / "home/admin/.ssh").mkdir(parents=True)
        (tmp_path / "way").symlink_to("home/admin/.ssh")
        own = told(shell, [f"{tmp_path}/home/admin/.ssh"], [f"{tmp_path}/{root}"])
        assert own.around(0) == f"{tmp_path}/home/admin/.ssh"
        for found in (Spared(old=own), Spared(new=own)):
            with pytest.raises(Refused, match="keeps for itself"):
                found.of(0)

    @pytest.mark.parametrize("text", ["", "/a\0\0", "/a\0\0end", "/a\0\0/b\0\0/c\0\0end\0", "\0/b\0\0end\0"])
    def test_what_is_cut_off_is_no_answer(self, text: str) -> None:
        with pytest.raises(ValueError, match="end"):
            spared.parse_places(text, ["/a"], ["/b"])


def test_the_two_hosts_places_in_a_tree_with_another_target() -> None:
    old = spared.lexical(spared.kept_paths(["/home/ops", "/root"]), ["/home/"])
    new = spared.lexical(spared.kept_paths(["/srv/people/admin"]), ["/srv/people"])
    assert {"ops/.ssh", "admin/.ssh", "ops/.rhosts"} <= set(Spared(old, new).of(0))
    assert not any(path.startswith("srv") for path in Spared(old, new).of(0))


@pytest.mark.parametrize(
    ("source", "target", "path"),
    [
        ("/var/", "/srv/var/", "/lib/migrate"),
        ("/var/lib", "/srv/lib", "/migrate"),
        ("/var/backups/", "/var/backups/", "/migrate"),
        ("/root/", "/srv/root/", "/.ssh"),
        ("/srv/root/", "/root/", "/.ssh"),
    ],
)
def test_what_every_host_keeps_stays_behind_whoever_logs_in(source: str, target: str, path: str) -> None:
    tree = SyncTree(source, target)
    assert path in rsync.excluded(tree, "")
    assert f"--exclude={path}" in rsync.pass_words(tree, copying=CopyPlan())
    assert f"--exclude={path}" in home.listing_words(tree)


def test_a_path_is_a_pattern_that_matches_it_alone() -> None:
    assert spared.pattern("a/.ssh") == "/a/.ssh"
    assert spared.pattern("a*[b]\\c/.ssh") == "/a\\*\\[b]\\\\c/.ssh"
    assert spared.pattern("a\\c") == "/a\\c"


@pytest.mark.parametrize("name", ["admin", "a*b", "it's [x]\\"])
def test_a_pass_of_rsync_leaves_the_ways_in_alone_and_takes_the_rest(tmp_path: Path, name: str) -> None:
    for host, folders in (("old", (name, "user")), ("new", (name, "only-here"))):
        for folder in folders:
            (tmp_path / host / folder / ".ssh").mkdir(parents=True)
            (tmp_path / host / folder / ".ssh/authorized_keys").write_text(host)
            (tmp_path / host / folder / "mail").write_text(host)
    tree = SyncTree(f"{tmp_path}/old/", f"{tmp_path}/new/")
    own = (f"{name}/.ssh", "only-here/.ssh")
    words = rsync.pass_words(tree, copying=CopyPlan(), delete=True, checksum=True, spared=own)
    subprocess.run([*words, tree.source, tree.target], check=True, capture_output=True)
    assert (tmp_path / "new" / name / ".ssh/authorized_keys").read_text() == "new"
    assert (tmp_path / "new" / name / "mail").read_text() == "old"
    assert (tmp_path / "new/only-here/.ssh/authorized_keys").read_text() == "new"
    assert (tmp_path / "new/user/.ssh/authorized_keys").read_text() == "old"
    words = home.listing_words(tree, own)
    listed = subprocess.run([*words, tree.target, tree.source], check=True, capture_output=True, text=True)
    assert ".ssh" not in listed.stdout
