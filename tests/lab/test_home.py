"""What the new host got comes home between real hosts: nothing lost, doubled or overwritten, nothing left behind."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from migrator.change import BringHome
from migrator.cli.wiring import Tools, wired
from migrator.errors import CommandFailed
from migrator.event import Event
from migrator.plan import load
from tests.lab.driver import succeed
from tests.lab.lab import Lab
from tests.lab.snapshot import snapshot
from tests.mailstore.mailboxes import message

pytestmark = pytest.mark.lab

TREES = range(3)
_USER = re.compile(r"user\d\d")
HOMES = "/var/www/web1/user"
STRANGE = "it's $(id)\n-n \udce9 \\#101 => x"
"""A name that a shell, rsync's listing or a decoder may trip over."""

NEW_ONLY: Mapping[str, bytes] = {
    "/var/mail/user05": message(50) + message(51),
    f"{HOMES}/user11/Maildir/new/1796000001.M1.new": b"Subject: came on the new host\n\n",
    f"{HOMES}/user11/Maildir/.Later/cur/1796000002.M2.new:2,S": b"Subject: in a folder of the new host\n\n",
    f"{HOMES}/user12/Maildir/cur/-{STRANGE}:2,": b"Subject: a strange name\n\n",
    f"{HOMES}/user13/mail/{STRANGE}": message(52),
    f"{HOMES}/user13/{STRANGE}/file": b"something else\n",
}
"""What only the new host has; the first stands on both hosts at first, and is shorter on the old one."""


@contextmanager
def tools(lab: Lab) -> Iterator[tuple[Tools, list[Event]]]:
    """Give what a step and an executor have, and the list of what is told."""
    told: list[Event] = []
    with wired(load(lab.plan_path), frozenset(), told.append) as found:
        yield found, told


def quoted(path: str) -> str:
    """Return a path as bash reads it, in letters that every layer between takes as they are."""
    return "$'" + "".join(f"\\x{byte:02x}" for byte in path.encode("utf-8", "surrogateescape")) + "'"


def put(lab: Lab, host: str, path: str, content: bytes, *, add: bool = False) -> None:
    """Write a file on a host, or add to it, as the owner of the folder above it that there is."""
    name, text = quoted(path), base64.b64encode(content).decode()
    lab.shell(
        host,
        f"user={_USER.search(path)[0]}\n"  # type: ignore[index]
        f"folder=$(dirname -- {name}; echo .); folder=${{folder%?.}}\n"
        f'mkdir -p -- "$folder"; base64 -d <<<{text} {">>" if add else ">"}{name}\n'
        f'case $folder in {HOMES}/*) chown -R "$user:$user" {HOMES}/"$user" ;; *) chown "$user:mail" {name} ;; esac',
    )


def content(lab: Lab, host: str, path: str) -> bytes:
    """Return a file of a host."""
    return base64.b64decode(lab.shell(host, f"base64 -w 0 <{quoted(path)}"))


def owner(lab: Lab, host: str, path: str) -> str:
    """Return owner and mode of a file of a host."""
    return lab.shell(host, f"stat -c '%U:%G %a' -- {quoted(path)}").strip()


def part_ways(lab: Lab) -> None:
    """Give both hosts the same mail, then each its own."""
    put(lab, "old", "/var/mail/user05", message(50))
    put(lab, "old", f"{HOMES}/user14/Maildir/new/1796000003.M3.old", b"Subject: on both\n\n")
    put(lab, "old", f"{HOMES}/user14/Maildir/cur/1796000004.M4.old:2,", b"Subject: on both\n\n")
    put(lab, "old", f"{HOMES}/user14/notes", b"of both")
    succeed(lab, "run", "--until", "presync")
    for path, text in NEW_ONLY.items():
        put(lab, "new", path, text)
    put(lab, "new", "/var/mail/user01", message(60) + message(61), add=True)
    put(lab, "new", "/var/mail/user01.lock", b"0")
    put(lab, "new", f"{HOMES}/user14/notes", b"of the new host")
    lab.shell(
        "new",
        f"cd {HOMES}/user14/Maildir; mkdir -p .Archive/cur .Archive/new .Archive/tmp\n"
        "mv new/1796000003.M3.old .Archive/cur/1796000003.M3.old:2,S\n"
        "mv cur/1796000004.M4.old:2, cur/1796000004.M4.old:2,RS\nchown -R user14:user14 .Archive",
    )
    put(lab, "old", "/var/mail/user01", message(70), add=True)
    put(lab, "old", f"{HOMES}/user11/Maildir/new/1796000009.M9.old", b"Subject: came on the old host\n\n")


@pytest.mark.parametrize("name", ["lab", "sudo_lab"])
def test_mail_of_the_new_host_comes_home(name: str, request: pytest.FixtureRequest) -> None:
    lab: Lab = request.getfixturevalue(name)
    part_ways(lab)
    before = {host: snapshot(lab, host) for host in ("old", "new")}
    mailbox = content(lab, "old", "/var/mail/user01")
    with tools(lab) as (found, told):
        homeless = [found.context.copies.homeless(tree) for tree in TREES]
        assert homeless[0] == ("user01: 2 messages", "user05: 1 message")
        assert homeless[1] == ()
        assert set(homeless[2]) == {
            "user11/Maildir/new/1796000001.M1.new",
            "user11/Maildir/.Later/cur/1796000002.M2.new:2,S",
            f"user12/Maildir/cur/-{STRANGE}:2,",
            f"user13/mail/{STRANGE}: 1 message",
            f"user13/{STRANGE}/file",
        }
        assert {host: snapshot(lab, host) for host in before} == before, "a look changed something"
        assert "user05: 1 message" in found.dry().preview(BringHome(0))

        executor = found.live()
        assert all(executor.execute(BringHome(tree)) for tree in TREES)
        assert [found.context.copies.homeless(tree) for tree in TREES] == [(), (), ()]
    assert any("user14/notes" in event.data.get("left", ()) for event in told)

    assert content(lab, "old", "/var/mail/user01") == mailbox + message(60) + message(61)
    for path, text in NEW_ONLY.items():
        assert content(lab, "old", path) == text
        assert owner(lab, "old", path) == owner(lab, "new", path)
    after = snapshot(lab, "old")
    added = {path for path in after.keys() - before["old"].keys() if path.startswith(("/var/", HOMES))}
    assert not [path for path in added if "M3.old" in path or "M4.old" in path or ".lock" in path]
    assert not [path for path in added if path.startswith("/var/lib/migrate")]
    assert content(lab, "old", f"{HOMES}/user14/notes") == b"of both"
    assert before["old"].keys() <= after.keys()

    with tools(lab) as (found, _):
        assert all(found.live().execute(BringHome(tree)) for tree in TREES)
    assert snapshot(lab, "old") == after, "a second time changed something"
    assert snapshot(lab, "new") == before["new"]


def test_a_mailbox_that_stays_locked_is_named_and_comes_home_later(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migrator.mailstore.joining.PATIENCE", 1)
    put(lab, "old", "/var/mail/user01", message(1))
    put(lab, "old", "/var/mail/user02", message(1))
    succeed(lab, "run", "--until", "presync")
    for user in ("user01", "user02"):
        put(lab, "new", f"/var/mail/{user}", message(2), add=True)
    put(lab, "old", "/var/mail/user01.lock", b"0")
    with tools(lab) as (found, _):
        executor = found.live()
        with pytest.raises(CommandFailed) as caught:
            executor.execute(BringHome(0))
        assert caught.value.seen == "/var/spool/mail/user01 is locked by another program"
        assert found.context.copies.homeless(0) == ("user01: 1 message",)
        lab.shell("old", "rm /var/mail/user01.lock")
        executor.execute(BringHome(0))
        assert found.context.copies.homeless(0) == ()
    assert content(lab, "old", "/var/mail/user01") == message(1) + message(2)


SLOW = """\
#!/bin/sh
/usr/bin/rsync "$@" &
running=$!
for turn in 1 2 3 4 5 6 7 8; do # what writes to the disk does not keep up with the line
    for one in $(pgrep -x -P $running rsync); do kill -STOP $one; sleep 0.2; kill -CONT $one; done
    sleep 0.05
done
wait $running
"""


def test_an_old_host_that_is_slow_to_write_gets_all_of_it(lab: Lab) -> None:
    big = f"{HOMES}/user11/Maildir/new/1796000001.M1.new"
    lab.shell("new", f"head -c 30000000 /dev/urandom >{big}; chown user11:user11 {big}")
    text = base64.b64encode(SLOW.encode()).decode()
    lab.shell("old", f"base64 -d <<<{text} >/usr/local/bin/rsync; chmod +x /usr/local/bin/rsync")
    with tools(lab) as (found, _):
        found.live().execute(BringHome(2))
    digests = [lab.shell(host, f"sha256sum {big}") for host in ("old", "new")]
    assert digests[0] == digests[1]
