"""`migrate`, killed by SIGKILL at a chosen moment: a program for `python -m`.

Given a moment, a place in the migration and a command line of `migrate`, it is `migrate`, and dies

- after the first line of the journal that is further on than the place, the moment it is on the disk (`line`), or
- in the middle of the first command from there on, after a share of the time that its kind takes (0 to 1).

The program itself knows nothing of it: what is watched is the call that waits for the disk, and the executor.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from migrator.change import Command, Note

JOURNAL = "journal.jsonl"
LINE = "line"

LENGTHS = {"shell": 0.3, "upload": 0.6, "rsync": 1.0, "home": 1.0, "dns": 0.01, "probe": 0.02}
"""How long a command of each kind takes here, in seconds."""


class Place(NamedTuple):
    """How far a migration has come: the number of the step under way, and how many different lines it has written.

    A line that is only written again, because a run began anew, leads no further.
    """

    step: int = -1
    lines: int = 0


def place(journal: Iterable[bytes]) -> Place:
    """Given the lines of a journal, return how far it has come."""
    order: list[str] = []
    written: dict[str, set[tuple[str, str]]] = {}
    under_way, summary = "", ""
    for line in journal:
        event = json.loads(line)
        kind, data = event["kind"], event["data"]
        if kind == "run_started":
            order, under_way = [name for name, _, _ in data["steps"]], under_way or "begin"
        elif kind == "started_over":
            for name in data["steps"]:
                written.pop(name, None)
            under_way = data["to"]
        elif kind == "rollback_started":
            under_way = "rollback"
        elif kind == "run_done":
            under_way = "end"
        elif under_way != "rollback":
            under_way = event["step"] or under_way
        summary = event["text"] if kind == "change_planned" else summary
        written.setdefault(under_way, set()).add((kind, _which(event, summary)))
    if under_way not in written:
        return Place()
    return Place(["begin", *order, "end", "rollback"].index(under_way), len(written[under_way]))


def _which(event: dict[str, Any], summary: str) -> str:
    """Return what tells a line from others of its kind in one step, also where the step began anew."""
    match event["kind"]:
        case "change_done" | "message":
            return summary
        case "change_planned" | "change_undone":
            return f"{event['text']} {event['data'].get('planned', '')}"
        case "step_undone":
            return str(event["step"])
    return ""


def die_after_a_line(known: Place) -> None:
    """From now on, kill this process after the first line of the journal that is further on than a place."""
    wait_for_disk = os.fsync

    def fsync(descriptor: int) -> None:
        wait_for_disk(descriptor)
        written = Path(f"/proc/self/fd/{descriptor}").readlink()
        if written.name == JOURNAL and place(written.read_bytes().splitlines()) > known:
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = fsync  # type: ignore[assignment] # the journal waits for a descriptor


def die_in_a_command(known: Place, share: float, journal: Path) -> None:
    """From now on, kill this process in the middle of the first command that is further on than a place."""
    from migrator.executor import LiveExecutor

    perform = LiveExecutor.execute

    def execute(executor: LiveExecutor, command: Command) -> bool:
        if not isinstance(command, Note) and place(journal.read_bytes().splitlines()) > known:
            threading.Thread(target=_die, args=(share * LENGTHS[command.kind],), daemon=True).start()
        return perform(executor, command)

    setattr(LiveExecutor, "execute", execute)  # noqa: B010 - a method may not be assigned to


def _die(seconds: float) -> None:
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    moment, step, lines, path, *arguments = sys.argv[1:]
    if moment == LINE:
        die_after_a_line(Place(int(step), int(lines)))
    else:
        die_in_a_command(Place(int(step), int(lines)), float(moment), Path(path))
    sys.argv = ["migrate", *arguments]
    from migrator.cli import main

    main()
