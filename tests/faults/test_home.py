"""Bringing mail home is broken off in the middle of a message, and the next rollback completes it."""

from __future__ import annotations

import pytest

from tests.faults.outcome import Outcome
from tests.lab.driver import succeed
from tests.lab.lab import Lab
from tests.lab.scene import scene
from tests.lab.world import expect_moved_back

RATE = 8.0

# The programs stand before the host's own; each breaks once, taking with it the script that called it.
KILLED_APPENDING = """cat >/usr/local/bin/dd <<'END'
#!/bin/sh
case "$*" in *oflag=append*) ;; *) exec /usr/bin/dd "$@" ;; esac
if ! mkdir /run/dd-was-killed 2>/dev/null; then exec /usr/bin/dd "$@"; fi
target=${1#of=}
head -c 200 >>"$target"
realpath "$target" >/run/dd-was-killed/mailbox
kill -s KILL 0
END
chmod 755 /usr/local/bin/dd"""
KILLED_RECEIVING = """cat >/usr/local/bin/rsync <<'END'
#!/bin/sh
case "$*" in *--ignore-existing*) ;; *) exec /usr/bin/rsync "$@" ;; esac
if ! mkdir /run/rsync-was-killed 2>/dev/null; then exec /usr/bin/rsync "$@"; fi
timeout -s KILL 1 /usr/bin/rsync --bwlimit=1 "$@"
END
chmod 755 /usr/local/bin/rsync"""


def fail(lab: Lab, *words: str) -> None:
    """Roll back. Raise AssertionError where that does not fail with these words and with what is to be done."""
    ended = lab.migrate("rollback", "--yes")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    for word in ("bring-home", *words, "run the same command again"):
        assert word in ended.stderr, ended.stderr


@pytest.mark.fault(
    "killed on the old host while mail is brought home: in an append to a mailbox, in receiving files"
)
def test_half_a_message_is_completed(lab: Lab, outcome: Outcome) -> None:
    with scene(lab, rate=RATE) as stage:
        stage.readers.stop()
        succeed(lab, "run", "--until", "smoke", "--yes", "--wait")
        lab.shell("old", KILLED_APPENDING)
        fail(lab, "mailboxes could not be joined", "exit status 137")
        mailbox = lab.shell("old", "cat /run/dd-was-killed/mailbox").strip()
        lab.shell("old", f"test -e {mailbox}.lock -a -d /var/lib/migrate/lab/home-0/append")
        lab.shell("old", KILLED_RECEIVING)
        fail(lab, "rsync cannot carry home /var/www/web1/user/ of the new host")
        lab.shell("old", f"test -d /run/rsync-was-killed -a ! -e {mailbox}.lock")
        lab.shell("old", "test ! -e /var/lib/migrate/lab/home-0")
        succeed(lab, "rollback", "--yes")
        outcome.hit("ended with 1; the next rollback completed the message and went on", times=2, kills=2)
        outcome.settle(stage, home="old")
    expect_moved_back(lab)
