"""What the faults of the way to the hosts share: a run that is broken in a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.lab.driver import Event, change_of, running, start_of, succeed
from tests.lab.lab import Lab
from tests.lab.scene import Scene

HANGING = """[ -e /usr/bin/rsync.real ] || mv /usr/bin/rsync /usr/bin/rsync.real
cat >/usr/bin/rsync <<'RSYNC'
#!/bin/sh
case "$*" in *--version*) exec /usr/bin/rsync.real "$@" ;; esac
while [ -e /run/hanging ]; do sleep 0.2; done
exec /usr/bin/rsync.real "$@"
RSYNC
chmod 755 /usr/bin/rsync
touch /run/hanging"""
"""Lets the old host's disk hang, so that a pass is under way for as long as a fault takes; what it can do is told."""
ANSWERING = "rm -f /run/hanging"
"""Lets it answer again; a reboot does that as well."""
COPYING = {
    ("hold", "presync"): "install-key",
    ("hold", "final-copy"): "drain",
    ("firewall", "final-copy"): "move-dns",
}
"""The steps that make a pass, and what is done before."""
LOOKING = ("drain", "flush", "move-dns")
"""Steps that may find nothing to do: the deed is done when they begin to look."""
RUNS = 3
"""In how many runs a migration must come to its end after a fault."""


def ahead(lab: Lab, stage: Scene) -> None:
    """Copy ahead, and let people stop reading, as before a cutover."""
    succeed(lab, "run", "--until", "presync")
    stage.readers.stop()


def broken(lab: Lab, step: str, deed: Callable[[], None]) -> list[Event]:
    """Run up to the end of a step, do the deed when it begins to do something, and return what happened.

    Raise AssertionError where the run ends in another way than with 0, or with 1 and words that tell what to do.
    """
    if before := COPYING.get((lab.strategy, step)):
        succeed(lab, "run", "--yes", "--wait", "--until", before)
        lab.shell("old", HANGING)
    with running(lab, "--until", step) as run:
        run.wait_for((start_of if step in LOOKING else change_of)(step))
        deed()
        lab.shell("old", ANSWERING)
        code = run.end()
    assert code in (0, 1), run.seen[-1]
    if code == 1:
        told = run.seen[-1]
        assert (told["kind"], told["host"] in ("old", "new")) == ("ended", True), told
        assert all(told[name] for name in ("step", "expected", "seen", "advice")), told
    return run.seen


def finish(lab: Lab) -> list[Event]:
    """Run until the migration is over, and return what happened. Raise AssertionError where RUNS are not enough."""
    seen: list[Event] = []
    for _ in range(RUNS):
        with running(lab) as run:
            code = run.end()
        seen += run.seen
        if code == 0:
            return seen
    raise AssertionError(f"the migration is not over after {RUNS} runs: {seen[-1]}")


def ending(seen: Sequence[Event]) -> str:
    """Return how a run ended that was broken, for the table."""
    last = seen[-1]
    return f"exit 1 ({last['text'].partition(',')[0]})" if last["kind"] == "ended" else "ridden out"


def started_over(seen: Sequence[Event]) -> list[str]:
    """Return the steps that runs went back to."""
    return [event["data"]["to"] for event in seen if event["kind"] == "started_over"]
