"""What only looks, and what is refused, changes nothing on any host: one lab for all of it, as it was at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.driver import events, succeed
from tests.lab.lab import Lab
from tests.lab.snapshot import differences, snapshot

# One process of several takes all of these, for they share a lab.
pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("looking")]

HOSTS = ("old", "new")


@pytest.fixture(scope="module")
def still() -> Iterator[Lab]:
    """Yield a lab, and see at the end that no file of either host has changed and that there is no journal."""
    with Lab() as lab:
        before = {host: snapshot(lab, host) for host in HOSTS}
        yield lab
        for host in HOSTS:
            assert differences(before[host], snapshot(lab, host)) == []
        assert not lab.state_path.exists()


@pytest.fixture
def known_hosts(still: Lab) -> Iterator[Path]:
    """Yield the operator's known_hosts, and put it back afterwards."""
    path = still.folder / "known_hosts"
    text = path.read_text()
    yield path
    path.write_text(text)


def test_the_check_of_a_good_lab_finds_nothing_in_the_way(still: Lab) -> None:
    table = succeed(still, "check")
    found = json.loads(succeed(still, "check", "--json"))["findings"]
    assert {one["level"] for one in found} <= {"pass", "warn"}, found
    assert {one["name"] for one in found} >= {"reachable"}
    assert all(one["name"] in table for one in found)
    warned = [one for one in found if one["level"] == "warn"]
    assert all(one["advice"] for one in warned), warned


def test_a_dry_run_shows_every_deed_and_does_none(still: Lab) -> None:
    told = events(still, "run", "--dry-run")
    previews = {event["step"]: "" for event in told if event["kind"] == "change_preview"}
    for event in told:
        if event["kind"] == "change_preview":
            previews[event["step"]] += event["text"] + "\n"
    assert "+example.test\tesmtp:" in previews["relay"], "the difference of the mailertable"
    assert f"IN A {still.place.new}" in previews["move-dns"]
    assert "rsync of /var/spool/mail/" in previews["presync"]
    assert "iptables" in previews["close-new"]
    assert not [event for event in told if event["kind"] == "change_done" and event["host"] in HOSTS]
    assert "relay" in succeed(still, "run", "--dry-run", "--until", "presync")


def test_the_status_of_what_was_not_begun(still: Lab) -> None:
    assert json.loads(succeed(still, "status", "--json"))["state"] == "not begun"
    assert still.migrate("resume").returncode == 2
    assert still.migrate("rollback").returncode == 0


def expect_refused_key(still: Lab, state: Path, *words: str) -> None:
    """Raise AssertionError where a run goes past a host whose key is not trusted."""
    done = still.migrate("run", "--yes", "--state-dir", str(state))
    assert done.returncode == 1, done.stdout
    for word in ("host key", *words):
        assert word in done.stderr


def test_an_unknown_host_key_is_refused_with_what_to_do(
    still: Lab, known_hosts: Path, tmp_path: Path
) -> None:
    known_hosts.write_text("")
    expect_refused_key(still, tmp_path, "ssh-keyscan")
    assert known_hosts.read_text() == "", "no key is learned by itself"


def test_a_foreign_host_key_is_refused_with_what_to_do(still: Lab, known_hosts: Path, tmp_path: Path) -> None:
    old, new = still.place.old, still.place.new
    swapped = known_hosts.read_text().replace(old, "x").replace(new, old).replace("x", new)
    known_hosts.write_text(swapped)
    expect_refused_key(still, tmp_path, "ssh-keygen -R")


def test_a_bad_plan_is_refused_before_any_host_is_contacted(still: Lab, tmp_path: Path) -> None:
    text = still.plan_path.read_text()
    bad = tmp_path / "bad.toml"
    bad.write_text(text.replace('strategy = "hold"', 'strategy = "hole"').replace("max_closed", "max_close"))
    done = still.migrate("run", "--yes", "--json", plan=bad)
    assert done.returncode == 2
    faults = {fault["key"]: fault for fault in json.loads(done.stdout.splitlines()[-1])["faults"]}
    assert set(faults) == {"cutover.strategy", "cutover.max_close"}
    assert all(text.splitlines()[fault["line"] - 1] for fault in faults.values())


TALKING = (
    "cd /root; cp -p .bashrc .kept; { echo 'echo \"Welcome to the old mail server\"'; cat .kept; } >.bashrc"
)
OLD_RSYNC = r"""cat >/usr/local/bin/rsync <<'END'
#!/bin/sh
for word; do
    case $word in
        --ignore-missing-args|--delete-missing-args|--info=*|--open-noatime)
            echo "rsync: $word: unknown option" >&2
            exit 1 ;;
    esac
done
exec /usr/bin/rsync "$@"
END
chmod 755 /usr/local/bin/rsync"""


@pytest.mark.parametrize(
    ("broken", "mended", "name", "words"),
    [
        (TALKING, "cd /root; mv .kept .bashrc", "login-shell", "Welcome to the old mail server"),
        (OLD_RSYNC, "rm /usr/local/bin/rsync", "programs", "rsync does not know --ignore-missing-args"),
    ],
    ids=["login shell", "rsync 3.0"],
)
def test_what_the_copy_could_not_go_through_is_named_by_the_check_and_nothing_else(
    still: Lab, broken: str, mended: str, name: str, words: str
) -> None:
    still.shell("old", "[ -e /root/.bashrc ] || : >/root/.bashrc; getent passwd root | grep -q bash")
    still.shell("old", broken)
    try:
        done = still.migrate("check", "--json")
    finally:
        still.shell("old", mended)
    failed = [one for one in json.loads(done.stdout)["findings"] if one["level"] == "fail"]
    assert [(one["name"], one["host"]) for one in failed] == [(name, "old")], failed
    assert words in failed[0]["text"]
