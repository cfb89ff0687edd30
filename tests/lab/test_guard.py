"""Mail that comes in on the new host before its time is never overwritten or deleted without a word."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from migrator.mailstore import arrivals
from migrator.steps.common.passes import OVERWRITE, REDELIVERY
from tests.lab.driver import Running, running, succeed
from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

MBOX = "/var/spool/mail/user01"
MAILDIR = "/var/www/web1/user/user11/Maildir"
ARRIVED = f"{MAILDIR}/new/1764000000.M1P1.new-host"
FORCE = ("--force", OVERWRITE)
SECONDS = 60.0

PAUSING = """#!/bin/sh
# Runs rsync, then waits: a pass that takes as long as a test wants.
case "$*" in *--version*) exec /usr/bin/rsync "$@" ;; esac
/usr/bin/rsync "$@"; status=$?
touch /run/lab-copied
until [ -e /run/lab-go ]; do sleep 0.05; done
exit $status
"""
BREAKING = """#!/bin/sh
# Is ended, all its processes, in the middle of the large mailbox.
case "$*" in *--version*) exec /usr/bin/rsync "$@" ;; esac
/usr/bin/rsync "$@" & running=$!
until ls /var/mail/.user09.* >/dev/null 2>&1 || ! kill -0 $running; do sleep 0.02; done
pkill -SIGNAL -f ^/usr/bin/rsync; wait $running
"""


def deliver(lab: Lab, path: str, token: str) -> None:
    """Let the new host write a message: appended to an mbox, or a file of its own in a Maildir."""
    head = f"Message-ID: <{token}@outside.test>\\nX-Lab-Token: {token}"
    text = f"From a@b Sun Nov 29 12:00:00 2026\\n{head}\\n\\nmail\\n\\n"
    lab.shell("new", f"mkdir -p $(dirname {path}) && printf '{text}' >>{path}")


def tokens(lab: Lab, path: str, role: str = "new") -> Counter[str]:
    """Return how often each token stands in a mailbox."""
    return Counter(lab.shell(role, f"sed -n 's/^X-Lab-Token: //p' {path}").split())


def replace_rsync(lab: Lab, script: str) -> None:
    """Put a program in the place of rsync on the new host, found before it."""
    lab.shell("new", f"cat >/usr/local/bin/rsync <<'END'\n{script}END\nchmod 755 /usr/local/bin/rsync")


def real_rsync(lab: Lab) -> None:
    lab.shell("new", "rm -f /usr/local/bin/rsync; touch /run/lab-go")


def wait_for_file(lab: Lab, path: str) -> None:
    deadline = time.monotonic() + SECONDS
    while lab.exec("new", "test", "-e", path)[0] != 0:
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.1)


def expect_refused(done: subprocess.CompletedProcess[str], *paths: str) -> None:
    """Raise AssertionError where a run was not refused because of these files."""
    assert done.returncode == 3, done.stderr
    for path in paths:
        assert path in done.stderr
    assert "--force overwrite-new" in done.stderr


def performed(lab: Lab) -> int:
    """Return how many changes the journal says were done."""
    lines = (lab.state_path / "journal.jsonl").read_text().splitlines()
    return sum(json.loads(line)["kind"] == "change_done" for line in lines)


def in_the_middle_of_a_pass(lab: Lab, run: Running) -> None:
    """Wait until the first tree, the spool, is copied, and the others are not."""
    run.wait_for(lambda event: event["kind"] == "step_started" and event["step"] == "presync")
    wait_for_file(lab, "/run/lab-copied")


def test_mail_from_before_the_first_pass(lab: Lab) -> None:
    deliver(lab, MBOX, "own-1")
    deliver(lab, ARRIVED, "own-2")
    for _ in range(2):
        expect_refused(lab.migrate("run", "--until", "presync"), MBOX, ARRIVED)
    assert tokens(lab, MBOX) == {"own-1": 1}
    assert lab.exec("new", "test", "-e", "/var/spool/mail/user02")[0] != 0, "something was copied"
    succeed(lab, "run", "--until", "presync", *FORCE)
    assert tokens(lab, MBOX) == tokens(lab, MBOX, "old")


def test_mail_that_comes_during_a_pass(lab: Lab) -> None:
    replace_rsync(lab, PAUSING)
    with running(lab, "--until", "presync") as run:
        in_the_middle_of_a_pass(lab, run)
        deliver(lab, MBOX, "own-1")
        deliver(lab, ARRIVED, "own-2")
        lab.shell("new", "touch /run/lab-go")
        assert run.end() == 3
    expect_refused(lab.migrate("run", "--until", "presync"), MBOX, ARRIVED)
    assert tokens(lab, MBOX)["own-1"] == 1
    assert tokens(lab, ARRIVED) == {"own-2": 1}
    succeed(lab, "run", "--until", "presync", *FORCE)
    assert tokens(lab, MBOX) == tokens(lab, MBOX, "old")


def test_mail_that_comes_after_a_pass_was_killed(lab: Lab) -> None:
    replace_rsync(lab, PAUSING)
    with running(lab, "--until", "presync") as run:
        in_the_middle_of_a_pass(lab, run)
        assert run.end(signal.SIGKILL) == -signal.SIGKILL
    real_rsync(lab)
    deliver(lab, MBOX, "own-1")
    before = performed(lab)
    expect_refused(lab.migrate("resume", "--yes", "--wait"), MBOX)
    assert performed(lab) == before, "the pass that was killed was made again before the look"
    assert tokens(lab, MBOX)["own-1"] == 1
    succeed(lab, "run", "--until", "presync", *FORCE)
    assert tokens(lab, MBOX) == tokens(lab, MBOX, "old")


def test_mail_that_comes_between_passes_and_is_delivered_again_afterwards(lab: Lab) -> None:
    succeed(lab, "run", "--until", "presync")
    deliver(lab, MBOX, "own-1")
    refused = lab.migrate("run", "--until", "catch-up", "--yes", "--wait")
    expect_refused(refused, MBOX)
    told = " ".join(refused.stderr.split())
    assert REDELIVERY in told, "the command stands in what is told"
    lab.shell("new", f"mv {MBOX} /root/aside")
    succeed(lab, "run", "--until", "catch-up", "--yes", "--wait")
    assert tokens(lab, MBOX) == tokens(lab, MBOX, "old")
    command = REDELIVERY.replace("MAILBOX", MBOX).replace("USER", "user01").replace("FILE", "/root/aside")
    lab.shell("new", f"cd /root && {command}")
    wanted = tokens(lab, MBOX, "old") + Counter(["own-1"])
    deadline = time.monotonic() + SECONDS
    while tokens(lab, MBOX) != wanted and time.monotonic() < deadline:
        time.sleep(0.2)
    assert tokens(lab, MBOX) == wanted


def test_what_a_reader_on_the_new_host_does_to_copies_is_no_arrival(lab: Lab) -> None:
    succeed(lab, "run", "--until", "presync")
    lab.shell("new", f"cd {MAILDIR} && for each in new/*; do mv $each cur/${{each#new/}}:2,S; done")
    lab.shell("new", f"touch -r {MBOX} /root/time; chmod 640 {MBOX}; touch {MAILDIR}/dovecot.index.log")
    succeed(lab, "run", "--until", "catch-up", "--yes", "--wait")


@pytest.mark.parametrize("sign", ["TERM", "KILL"])
def test_what_an_rsync_that_was_ended_leaves_is_no_arrival(lab: Lab, sign: str) -> None:
    lab.shell("old", "head -c 200000000 /dev/urandom >>/var/mail/user09")
    replace_rsync(lab, BREAKING.replace("SIGNAL", sign))
    broken = lab.migrate("run", "--until", "presync")
    assert "rsync of /var/spool/mail/" in broken.stderr
    left = lab.shell("new", "cd /var/mail && ls -A | grep user09").strip()
    assert left == "user09" if sign == "TERM" else left.startswith(".user09.")
    real_rsync(lab)
    succeed(lab, "run", "--until", "presync")
    assert lab.shell("new", "cksum </var/mail/user09") == lab.shell("old", "cksum </var/mail/user09")


def test_after_a_rollback_a_second_migration_knows_the_copies_of_the_first_and_is_guarded(lab: Lab) -> None:
    succeed(lab, "run", "--until", "presync")
    log = arrivals.log_path("lab", 0)
    assert lab.exec("new", "test", "-s", log)[0] == 0
    assert lab.shell("new", f"stat -c %a {Path(log).parent} {log}").split() == ["700", "600"]
    succeed(lab, "rollback", "--yes")
    succeed(lab, "run", "--until", "install-key")
    deliver(lab, MBOX, "own-1")
    expect_refused(lab.migrate("run", "--until", "presync"), MBOX)
    assert tokens(lab, MBOX)["own-1"] == 1
    succeed(lab, "rollback", "--yes")
    lab.shell("new", f"rm {MBOX}")
    succeed(lab, "run", "--until", "presync")


def test_a_finished_migration_leaves_no_folder_of_its_own(firewall_lab: Lab) -> None:
    succeed(firewall_lab, "run", "--yes", "--wait")
    for role in ("old", "new"):
        assert firewall_lab.exec(role, "test", "-e", "/var/lib/migrate")[0] != 0
