"""rsync does not get through, or meets what nobody expects in a mailbox."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.outcome import Outcome
from tests.lab.driver import Running, running, succeed
from tests.lab.lab import Lab
from tests.lab.scene import scene
from tests.lab.world import expect_moved

RATE = 8.0
SECONDS = 60.0
INSIDE = Path(__file__).with_name("inside")
TREE = "/var/www/web1/mail"
PRIVATE = f"{TREE}/preferences/user03.pref"
LARGE = "/var/www/web1/mail/aa-large"
"""First in its tree, so that the rest is listed and not yet sent while it is on its way."""
LATE = "/var/www/web1/mail/zz-late"

# A root whom the kernel gives no right to read what is not his: what root squash of NFS does, and SELinux.
SQUASHED = f"""case $PWD in
    {TREE}*) exec setpriv --inh-caps=-all --bounding-set=-dac_override,-dac_read_search /usr/bin/rsync "$@" ;;
esac
exec /usr/bin/rsync "$@"
"""
# Slow enough to be met in the middle.
SLOW = 'exec /usr/bin/rsync --bwlimit=8000 "$@"\n'
# Ended by a signal each time it has sent for a while.
ENDED = 'exec timeout -s KILL 0.7 /usr/bin/rsync --bwlimit=8000 "$@"\n'
END_SENDER = "pkill -KILL -f '^/usr/bin/rsync .*--sender'"


def wrap_rsync(lab: Lab, script: str) -> None:
    """Put a program before rsync on the old host."""
    lab.shell(
        "old", f"cat >/usr/local/bin/rsync <<'END'\n#!/bin/sh\n{script}END\nchmod 755 /usr/local/bin/rsync"
    )


def unwrap_rsync(lab: Lab) -> None:
    lab.shell("old", "rm -f /usr/local/bin/rsync")


def make_large(lab: Lab) -> None:
    """Give the old host a file that takes some seconds, and one behind it."""
    lab.shell("old", f"head -c 30000000 /dev/urandom >{LARGE}; echo late >{LATE}")


def in_the_middle(lab: Lab, run: Running, step: str) -> None:
    """Wait until the large file is on its way. Raise AssertionError where it never is."""
    run.wait_for(
        lambda event: (
            event["kind"] == "change_planned" and event["step"] == step and f"{TREE}/" in event["text"]
        )
    )
    deadline = time.monotonic() + SECONDS
    while lab.exec("new", "sh", "-c", f"ls {TREE}/.aa-large.* 2>/dev/null | grep -q .")[0] != 0:
        assert time.monotonic() < deadline, "the large file did not come"


def messages(run: Running) -> list[str]:
    return [event["text"] for event in run.seen if event["kind"] == "message"]


@pytest.mark.fault("rsync exits 23: a file of the old host cannot be read, not even by root")
@pytest.mark.parametrize("step", ["presync", "final-copy"])
def test_an_unreadable_file(lab: Lab, outcome: Outcome, step: str) -> None:
    with scene(lab, rate=RATE) as stage:
        if step == "final-copy":
            succeed(lab, "run", "--yes", "--wait", "--until", "sweep")
        stage.readers.stop()
        lab.shell("old", f"chmod 600 {PRIVATE}")
        wrap_rsync(lab, SQUASHED)
        done = lab.migrate("run", "--yes", "--wait")
        told = " ".join(done.stderr.split())
        assert done.returncode == 1, done.stdout + done.stderr
        for word in (step, "user03.pref", "Permission denied", "some files could not be copied"):
            assert word in told
        outcome.hit(f"{step}: exit 1 names the file; when it can be read, the next run goes on")
        lab.shell("old", f"chmod 644 {PRIVATE}")
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault("rsync exits 24: files vanish between listing and copying")
def test_vanishing_files(lab: Lab, outcome: Outcome) -> None:
    with scene(lab, rate=RATE) as stage:
        stage.readers.stop()
        wrap_rsync(lab, SLOW)
        for step, options in (("presync", ("--until", "presync")), ("final-copy", ())):
            if step == "final-copy":
                succeed(lab, "run", "--yes", "--wait", "--until", "sweep")
            make_large(lab)
            with running(lab, *options) as run:
                in_the_middle(lab, run, step)
                lab.shell("old", f"rm {LATE}")
                assert run.end() == 0
            again = [text for text in messages(run) if "vanished during the pass" in text]
            assert bool(again) is (step == "final-copy")
            assert lab.exec("new", "test", "-e", LATE)[0] != 0
        outcome.hit("presync: nothing, the final pass sees to it", times=1)
        outcome.hit("final-copy: the pass is made once more")
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault("rsync exits 12 (or 255, as ssh tells it): the sender is killed in the middle of a file")
def test_a_killed_sender(lab: Lab, outcome: Outcome) -> None:
    with scene(lab, rate=RATE) as stage:
        stage.readers.stop()
        make_large(lab)
        wrap_rsync(lab, ENDED)
        done = lab.migrate("run", "--until", "presync")
        told = " ".join(done.stderr.split())
        assert done.returncode == 1, done.stdout + done.stderr
        for word in ("presync", f"rsync of {TREE}/ failed", "between the hosts"):
            assert word in told
        outcome.hit("each time: tried three times, then exit 1, and the next run goes on", times=3)
        wrap_rsync(lab, SLOW)
        succeed(lab, "run", "--yes", "--wait", "--until", "sweep")
        make_large(lab)
        with running(lab) as run:
            in_the_middle(lab, run, "final-copy")
            lab.shell("old", END_SENDER)
            assert run.end() == 0
        assert [text for text in messages(run) if "broke off with exit status" in text]
        outcome.hit("once, in the final copy: the pass is made again by itself")
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault("names with quotes, newlines, $() and bytes that are no UTF-8, and links out of the tree")
def test_hostile_names_and_links(lab: Lab, outcome: Outcome) -> None:
    source = INSIDE / "hostile.py"
    for role in ("old", "new"):
        lab.python(role, source, "accounts")
    lab.python("old", source, "files")
    before = lab.python("old", source, "list")
    secrets = {
        role: lab.shell(role, "cksum /etc/shadow /root/outside 2>/dev/null || true")
        for role in ("old", "new")
    }
    with scene(lab, rate=RATE) as stage:
        stage.readers.stop()
        succeed(lab, "run", "--yes", "--wait")
        outcome.hit(
            "each is copied as it is; a link stays a link, and what it names is neither read nor written"
        )
        outcome.settle(stage)
    assert lab.python("new", source, "list") == before
    assert lab.python("old", source, "list") == before
    for role, sums in secrets.items():
        assert lab.shell(role, "cksum /etc/shadow /root/outside 2>/dev/null || true") == sums
        assert lab.shell(role, "find / -xdev -name 'was-run*'") == ""
    expect_moved(lab)
