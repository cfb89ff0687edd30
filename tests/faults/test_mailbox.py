"""Somebody holds or writes a mailbox of the old host while it is copied for the last time."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.outcome import Outcome
from tests.lab.driver import change_of, running, succeed
from tests.lab.lab import Lab
from tests.lab.message import Message
from tests.lab.scene import Scene, scene
from tests.lab.world import expect_moved

RATE = 8.0
SECONDS = 60.0
INSIDE = Path(__file__).with_name("inside")
MAILDIR = "/var/www/web1/user/user15/Maildir"
LOCKED = ("user01@example.test", "user02@example.test")
HOLD = INSIDE / "hold_lock.py"
WRITER = """stop=/run/lab-writer.stop; rm -f $stop /run/lab-writer.log
trap 'echo "$number" >/run/lab-writer.log' EXIT
number=0
while [ ! -e $stop ]; do
    number=$((number + 1))
    for user in user05 user15; do
        token=grow-$user-$number
        printf 'Message-ID: <%s@outside.test>\\nX-Lab-Token: %s\\n\\nbody\\nend of %s\\n\\n' $token $token $token \
            >/run/lab-writer.message
        if [ $user = user05 ]; then
            lockfile -1 /var/mail/user05.lock # or it would write into what procmail is writing
            { echo 'From w@outside.test Mon Nov 23 12:00:00 2026'; cat /run/lab-writer.message; } >>/var/mail/user05
            rm -f /var/mail/user05.lock
        else
            install -o user15 -g user15 -m 600 /run/lab-writer.message FOLDER/tmp/$token
            mv FOLDER/tmp/$token FOLDER/new/$token
        fi
    done
    sleep 0.2
done""".replace("FOLDER", MAILDIR)


def eventually(lab: Lab, script: str, role: str = "old") -> None:
    """Wait until a script on a host succeeds. Raise AssertionError where it does not in time."""
    deadline = time.monotonic() + SECONDS
    while lab.exec(role, "sh", "-c", script)[0] != 0:
        assert time.monotonic() < deadline, script
        time.sleep(0.1)


@contextmanager
def writing(lab: Lab, stage: Scene) -> Iterator[None]:
    """Let a program of the old host write to an mbox and to a Maildir, past Sendmail, and account for what it wrote."""
    lab.shell("old", f"setsid bash -c {shlex.quote(WRITER)} </dev/null >/dev/null 2>&1 &")
    eventually(lab, "grep -q grow-user05-2 /var/mail/user05")
    yield
    lab.shell("old", "touch /run/lab-writer.stop")
    eventually(lab, "test -s /run/lab-writer.log")
    for number in range(1, int(lab.shell("old", "cat /run/lab-writer.log")) + 1):
        for user in ("user05", "user15"):
            token = f"grow-{user}-{number}"
            recipient = f"{user}@example.test"
            stage.traffic.messages.append(
                Message(token, recipient, accepted_at=time.time(), accepted_by=lab.place.old)
            )


@pytest.mark.fault("a mailbox that a program goes on writing during the final copy")
def test_a_growing_mailbox(lab: Lab, outcome: Outcome) -> None:
    with scene(lab, rate=RATE) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        with writing(lab, stage):
            done = lab.migrate("run", "--yes", "--wait")
        told = " ".join(done.stderr.split())
        assert done.returncode == 1, done.stdout + done.stderr
        assert "not yet equal" in told
        assert "user05" in told or "grow-user15" in told
        assert "stop IMAP and POP there" in told
        outcome.hit(
            "the pass is made five times; then exit 1 names the mailbox and the cure, and the next run goes on"
        )
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault(
    "a mailbox locked by a process (a dot lock, and one of fcntl) while mail for it is delivered"
)
def test_a_locked_mailbox(lab: Lab, outcome: Outcome) -> None:
    with scene(lab, rate=RATE) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        lab.shell("old", "touch /var/mail/user01.lock")
        lab.start_python("old", HOLD, "/var/mail/user02")
        for number, recipient in enumerate(LOCKED):
            stage.queue_on_old(number, recipient)
        lab.shell("old", "sendmail -OMinQueueAge=0 -qR@example.test </dev/null >/dev/null 2>&1 &")
        eventually(lab, "pgrep -f '[p]rocmail .*user01' && pgrep -f '[p]rocmail .*user02'")
        with running(lab) as run:
            run.wait_for(change_of("drain"))
            assert "deliveries" in run.seen[-1]["text"]
            lab.shell("old", "rm /var/mail/user01.lock; touch /run/lab-lock.stop")
            assert run.end() == 0
        outcome.hit("the run waits for the deliveries that wait for the lock, and goes on when it is lifted")
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault("the lock of a mailbox left behind by a program that died")
def test_a_stale_lock(lab: Lab, outcome: Outcome) -> None:
    with scene(lab, rate=RATE) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        with running(lab) as run:
            run.wait_for(change_of("final-copy"))
            lab.shell("old", "touch /var/mail/user01.lock")
            assert run.end() == 0
        assert lab.exec("new", "test", "-e", "/var/mail/user01.lock")[0] != 0
        outcome.hit("it stays on the old host: on the new one it would hold up the mailbox's mail")
        outcome.settle(stage)
    expect_moved(lab)
