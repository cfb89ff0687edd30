"""The operator's machine dies in the middle of a command: what runs on a host ends on the host, and is whole."""

from __future__ import annotations

import base64
import json
import signal
import time
from pathlib import PurePosixPath

import pytest

from tests.faults.kills import journal
from tests.faults.outcome import Outcome
from tests.lab.driver import running, succeed
from tests.lab.lab import Lab, accepts
from tests.lab.scene import scene
from tests.lab.world import expect_moved

RATE = 8.0
SECONDS = 120.0
MARK = "/run/lab-slow"

SLOW = """cat >/usr/local/bin/{tool} <<'END'
#!/bin/sh
: >{mark}
sleep 1
PATH=/usr/sbin:/sbin:/usr/bin:/bin exec {tool} "$@"
END
chmod 755 /usr/local/bin/{tool}; rm -f {mark}"""
"""A program of the host that says when it began, and takes its time."""

UNEQUAL_MAPS = r"""cd /etc/mail
for map in *.db; do
    source=${map%.db}
    [ -f "$source" ] && [ "$source" != aliases ] || continue
    sed -e '/^[[:space:]]*#/d' -e '/^[[:space:]]*$/d' "$source" |
        awk '{ key = tolower($1); $1 = ""; sub(/^ /, ""); print key "\t" $0 }' | sort >/run/lab-source
    makemap -u hash "$map" | awk '{ key = $1; $1 = ""; sub(/^ /, ""); print key "\t" $0 }' | sort >/run/lab-map
    cmp -s /run/lab-source /run/lab-map || echo "$map"
done"""

LEFT = "find /etc/mail /tmp /var/tmp -name '.migrate.*' -o -name 'migrate*.??????????' | sort"


@pytest.mark.fault("the operator's machine dies while a host builds a configuration or a map, or reloads")
def test_the_operator_dies_while_a_host_works(lab: Lab, outcome: Outcome) -> None:
    with scene(lab, rate=RATE) as stage:
        die_while(lab, outcome, "new", "make", "exempt-old", "maps")
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        for tool, what in (("make", "maps"), ("m4", "sendmail.cf"), ("iptables", "reload")):
            die_while(lab, outcome, "old", tool, "relay", what)
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)


def die_while(lab: Lab, outcome: Outcome, role: str, tool: str, step: str, what: str) -> None:
    """Kill a run, and every connection of it, while a host runs a program for a step, and look what became of it."""
    lab.shell(role, SLOW.format(tool=tool, mark=MARK))
    with running(lab) as run:
        wait_for_mark(lab, role)
        assert run.end(signal.SIGKILL) == -signal.SIGKILL
    # Until the script has let go of its lock, as the next run would wait.
    lab.shell(role, f"flock -w {SECONDS:.0f} /run/migrate-lab true")
    lab.shell(role, f"rm /usr/local/bin/{tool}")
    expect_whole(lab, role, step)
    outcome.hit(f"{what}: the host finished it alone; all files new, maps like their sources", kills=1)


def wait_for_mark(lab: Lab, role: str) -> None:
    """Return when the slow program of a host has begun. Raise AssertionError where it does not."""
    deadline = time.monotonic() + SECONDS
    while lab.exec(role, "test", "-e", MARK)[0] != 0:
        assert time.monotonic() < deadline, "the slow program was not run"
        time.sleep(0.05)


def expect_whole(lab: Lab, role: str, step: str) -> None:
    """Raise AssertionError where a host has a part of the change that was cut off, or anything is left of it."""
    lines = [json.loads(line) for line in journal(lab)]
    planned = next(line for line in reversed(lines) if line["kind"] == "change_planned")
    assert planned["step"] == step
    assert all(line["data"].get("planned") != planned["sequence"] for line in lines), "it was cut off"
    do = planned["data"]["change"]["do"]
    assert do["host"] == role
    assert {state_of(lab, role, edit) for edit in do["files"]} <= {"after", "both"}
    assert lab.shell(role, UNEQUAL_MAPS) == ""
    # The shell around the script removes its folder after it has let go of the lock.
    deadline = time.monotonic() + SECONDS
    while left := lab.shell(role, LEFT):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    assert accepts(lab.place.address(role), 25), role


def state_of(lab: Lab, role: str, edit: dict[str, str | None]) -> str:
    """Return whether a file of a planned change is as before or as after, or neither."""
    path = str(PurePosixPath(str(edit["path"])))
    now = lab.shell(role, f"if [ -e {path} ]; then base64 {path}; fi")
    content = base64.b64decode(now) if now else None
    before, after = (
        None if edit[side] is None else base64.urlsafe_b64decode(str(edit[side]))
        for side in ("before", "after")
    )
    if before == after:
        return "both"
    return "before" if content == before else "after" if content == after else f"{path} is neither"
