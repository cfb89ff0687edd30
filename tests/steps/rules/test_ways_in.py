"""A tree may hold what lets the operator in, and is never it; what would shut a host is told days ahead."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from migrator.errors import CommandFailed, Refused
from migrator.hosts.base import Output
from migrator.hosts.facts import Account
from migrator.mailstore.entering import SAID
from migrator.plan import SyncTree
from migrator.steps.common import sparing
from migrator.steps.rules.finding import Finding, Level
from migrator.steps.rules.ways_in import ways_in
from migrator.steps.survey import Survey
from tests.fakes import FakeHost, World, make_facts
from tests.steps.sound import CF, both, brief, sound_world

PLACES = "walk "
MODES = "stat -c '%a %U'"


def world(*trees: SyncTree, home: str = "/home/admin", links: bool = True) -> World:
    """Return hosts where `admin` logs in, that follow the links of this machine."""
    found = sound_world(sync=trees)
    accounts = {"admin": Account("admin", 2100, 2100, home, "/bin/bash"), **make_facts().accounts}
    for name in ("old", "new"):
        found.facts[name] = make_facts(cf=CF, login="admin", home=home, accounts=accounts)
    for host in (found.old, found.new):
        if links:
            host.on(PLACES, _run)
    return found


def _run(_host: FakeHost, script: str) -> Output:
    done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, check=False)
    return Output(done.returncode, done.stdout, done.stderr)


def found(world: World, **context: Any) -> list[Finding]:
    return list(ways_in(both(world, **context)))


def test_a_tree_of_homes_may_move_and_what_stays_is_told() -> None:
    (passed,) = found(world(SyncTree("/home/", "/home/")))
    assert brief([passed]) == ["pass ways-in new"]
    assert "/home/admin/.ssh" in passed.text


def test_a_spool_holds_nothing_of_it() -> None:
    (passed,) = found(world(SyncTree("/var/spool/mail/", "/var/spool/mail/")))
    assert passed.text == "no tree holds what a host needs for itself"


@pytest.mark.parametrize(
    "path",
    [
        "/home/admin/.ssh",
        "/home/admin/.ssh/",
        "/home/admin/.ssh/x/",
        "/var/lib/migrate/",
        "/var/backups/migrate/a",
    ],
)
def test_a_tree_that_is_one_of_them_or_lies_in_one_fails(path: str) -> None:
    refused = found(world(SyncTree(path, "/srv/a")))
    assert brief(refused) == ["fail ways-in old"]
    assert path in refused[0].text
    refused = found(world(SyncTree("/srv/a/", path)))
    assert "fail ways-in new" in brief(refused)


def test_the_preflight_of_a_run_refuses_it_too() -> None:
    with pytest.raises(Refused, match="ways-in"):
        Survey().ready(world(SyncTree("/home/admin/.ssh/", "/srv/a/")).context())


def test_a_link_that_leads_there_deceives_nobody(tmp_path: Path) -> None:
    (tmp_path / "admin/.ssh").mkdir(parents=True)
    (tmp_path / "way").symlink_to("admin/.ssh")
    refused = found(world(SyncTree(f"{tmp_path}/way/", "/srv/a/"), home=f"{tmp_path}/admin"))
    assert brief(refused) == ["fail ways-in old"]


def test_a_home_behind_a_link_in_the_tree_would_stay_behind_with_its_mail(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "data/admin").mkdir(parents=True)
    (tmp_path / "home/admin").symlink_to("../data/admin")
    tree = SyncTree(f"{tmp_path}/home/", "/srv/a/")
    refused = found(world(tree, home=f"{tmp_path}/home/admin"))
    assert brief(refused) == ["fail ways-in old"]
    excluded = SyncTree(tree.source, tree.target, ("/admin",))
    assert {one.level for one in found(world(excluded, home=f"{tmp_path}/home/admin"))} == {Level.PASS}


@pytest.mark.skipif(os.getuid() != 0, reason="gives a link to a user")
@pytest.mark.parametrize("host", ["old", "new"])
def test_a_tree_behind_a_link_that_a_user_can_swap_is_told_days_ahead(tmp_path: Path, host: str) -> None:
    (tmp_path / "Maildir").mkdir()
    (tmp_path / "mail").symlink_to("Maildir")
    paths = ("/srv/a/", f"{tmp_path}/mail/")
    hosts = world(SyncTree(*(paths if host == "new" else paths[::-1])))
    for each in (hosts.old, hosts.new):
        each.on("enter_tree", _run)
    assert not [one for one in found(hosts) if SAID in one.text]
    os.lchown(tmp_path / "mail", 65534, 65534)
    (refused,) = [one for one in found(hosts) if SAID in one.text]
    assert brief([refused]) == [f"fail ways-in {host}"]
    assert f"{tmp_path}/mail" in refused.text


def test_a_link_that_leads_a_tree_into_the_system_or_into_another_tree(tmp_path: Path) -> None:
    (tmp_path / "etc").symlink_to("/etc")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to("a")
    (refused,) = found(world(SyncTree("/srv/etc/", f"{tmp_path}/etc/")))
    assert "/etc is the new host's own" in refused.text
    trees = SyncTree("/srv/a/", f"{tmp_path}/a/"), SyncTree("/srv/b/", f"{tmp_path}/b/")
    for order in (trees, trees[::-1]):
        told = [one.text for one in found(world(*order)) if "each would delete" in one.text]
        assert len(told) == 1
        assert f"{tmp_path}/b/ leads into {tmp_path}/a/" in told[0]


@pytest.mark.parametrize(
    ("mode", "owner", "good"),
    [
        *(("755", "admin", True), ("700", "root", True), ("4755", "admin", True)),
        *(("775", "admin", False), ("757", "root", False)),
        *(("755", "somebody", False), ("755", "UNKNOWN", False)),
    ],
)
def test_a_folder_that_sshd_would_refuse_after_the_copy(mode: str, owner: str, good: bool) -> None:
    hosts = world(SyncTree("/srv/home/", "/home/"))
    hosts.old.on(MODES, f"{mode} {owner}\n\n")
    refused = found(hosts)
    assert brief(refused) == (["pass ways-in new"] if good else ["fail ways-in old"])
    assert good or "/srv/home/admin" in refused[0].text


def test_a_host_that_cannot_tell_is_an_error_and_one_that_was_not_asked_counts_by_the_paths() -> None:
    hosts = world(SyncTree("/home/", "/home/"))
    hosts.new.on(PLACES, Output(1, "", "readlink: not found"))
    with pytest.raises(CommandFailed, match="ways in"):
        found(hosts)
    context = world(SyncTree("/home/", "/home/"), links=False).context()
    assert "admin/.ssh" in sparing.spared_of(context).of(0)


def test_keys_that_sshd_looks_for_elsewhere_are_kept() -> None:
    hosts = world(SyncTree("/srv/", "/srv/"))
    hosts.new.on(
        "sshd.*-T -C", "authorizedkeysfile /srv/keys/%u\nmigrate-sshd-of-root\nauthorizedkeysfile none\n"
    )
    (passed,) = found(hosts)
    assert "/srv/keys/admin" in passed.text
    assert "/srv/keys/admin" not in found(world(SyncTree("/srv/", "/srv/")))[0].text
