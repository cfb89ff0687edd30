"""What a host's Sendmail is, as rows of a page: name and words."""

from __future__ import annotations

from migrator.sendmail import safety
from migrator.sendmail.processes import Process
from migrator.steps.rules.finding import some
from migrator.toolbox.diagnosis.rules import moment, started
from migrator.toolbox.diagnosis.seen import Seen
from migrator.toolbox.flush import counted

PROCESSES = 10


def rows(seen: Seen) -> dict[str, str]:
    """Given what was seen of a host, return its rows in the order of a page."""
    build = seen.build
    found = {
        "system": f"{seen.facts.os_name}, {seen.facts.hostname}",
        "Sendmail": build.version,
        "compiled with": " ".join(sorted(build.options)),
        "calls itself": build.macros.get("j", "") or "nothing",
    }
    shown = sorted(seen.running.all, key=lambda one: one.started)[:PROCESSES]
    found |= {f"process {one.pid}": _process(seen, one) for one in shown}
    if len(seen.running.all) > PROCESSES:
        found["processes"] = f"and {len(seen.running.all) - PROCESSES} more"
    return {
        **found,
        "takes mail for": some(sorted(seen.class_w), 20),
        "MTA queue": counted(seen.queues.mta),
        "client queue": counted(seen.queues.client),
        "queue folders": ", ".join((*seen.cf.queue_directories, *seen.queues.client_cf.queue_directories)),
        "maps": some([f"{table.name} {table.built}" for table in seen.tables], 20),
        "DontBlameSendmail": " ".join(sorted(safety.flags(seen.cf.option("DontBlameSendmail") or "")))
        or "safe",
        ".forward files": some(list(seen.forwards)) or "none",
    }


def _process(seen: Seen, one: Process) -> str:
    return f"since {moment(started(seen, one))} UTC, user number {one.user}: {one.title.strip()}"
