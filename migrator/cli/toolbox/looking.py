"""What only looks at a host's queues, in words for a person and as data for a program."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from migrator import host_text
from migrator.cli.toolbox.common import Common
from migrator.cli.toolbox.driving import Desk, desk
from migrator.cli.toolbox.typed import checked
from migrator.errors import UsageError
from migrator.event import Event, Kind
from migrator.sendmail import tally
from migrator.sendmail.queue import QueuedMessage
from migrator.toolbox import maillog, message, queues
from migrator.toolbox.flush import counted
from migrator.toolbox.message import Whole
from migrator.toolbox.queues import Queues

_SHOWN = 4


def queue_top(common: Common, by: str, most: int) -> int:
    """Tell what most messages of both queues wait for, and return the exit code. Raises UsageError for another word."""
    side = next((one for one in tally.SIDES if one == by), None)
    if side is None:
        raise UsageError("By what?", expected=", ".join(tally.SIDES), seen=by)
    with desk(common) as here:
        found = _read(here)
        rows = tally.top(found.all, side, most)
        table = [f"{one.messages:7}  {_since(one.oldest):16}  {one.name}" for one in rows]
        here.say(
            "\n".join([*_heading(found), *(table and [f"{'messages':>8} oldest (UTC)     {side}"]), *table]),
            by=side,
            top=[
                {"name": one.name, "messages": one.messages, "oldest": one.oldest and one.oldest.isoformat()}
                for one in rows
            ],
            **_counts(found),
        )
    return 0


def queue_list(common: Common, *, recipient: str, domain: str) -> int:
    """Tell which messages wait in both queues, oldest first, and return the exit code."""
    if recipient and domain:
        raise UsageError("--recipient and --domain are two questions", advice="give one of them")
    with desk(common) as here:
        found = _read(here)
        rows = [
            (one, queue)
            for queue, messages in found.by_name
            for one in queues.chosen(messages, recipient=recipient, domain=domain)
        ]
        rows.sort(key=lambda row: _age(row[0]))
        here.say(
            "\n".join([*_heading(found), *(_words(one, queue) for one, queue in rows)]),
            messages=[{"queue": queue, **_as_data(one)} for one, queue in rows],
            **_counts(found),
        )
    return 0


def queue_show(common: Common, number: str, *, body: bool) -> int:
    """Tell what one message is, and return the exit code.

    Raises UsageError for what is no number, and where no queue holds it.
    """
    with checked():
        queues.checked_number(number)
    with desk(common) as here:
        context, host = here.tools.context, here.target.host
        whole = message.show(context.reader(host), context.facts(host), number, body=body)
        logged = [f"{line.time} {line.text}" for line in maillog.about(context.reader(host), [number])]
        data = {
            "message": _as_data(whole.message),
            "files": dict(whole.files),
            "headers": list(whole.headers),
            "log": logged,
        }
        if body:
            data["body"] = whole.body
        here.tell(
            Event(Kind.MESSAGE, datetime.now(UTC), text="\n".join(_page(whole, logged, body)), data=data)
        )
    return 0


def _read(here: Desk) -> Queues:
    context, host = here.tools.context, here.target.host
    return queues.read(context.reader(host), context.facts(host))


def _page(whole: Whole, logged: Sequence[str], body: bool) -> list[str]:
    one = whole.message
    tries = f"{one.attempts} tries, the last {_since(one.last_attempt)} UTC"
    return [
        f"{one.id}: {one.kind}, format {one.version}, since {_since(one.created)} UTC, {tries}",
        f"from {one.sender or tally.BOUNCES}",
        *(f"to {each.address}: {each.reason or one.reason or 'no reason noted'}" for each in one.recipients),
        *(f"file {path}: {size} bytes" for path, size in whole.files.items()),
        "headers:",
        *(f"  {line}" for line in whole.headers),
        *(["body:", *host_text.lines(whole.body)] if body else []),
        *(["log:", *(f"  {line}" for line in logged)] if logged else []),
    ]


def _heading(found: Queues) -> list[str]:
    lines = [f"MTA queue: {counted(found.mta)}", f"client queue: {counted(found.client)}"]
    return [*lines, found.explanation] if found.explanation else lines


def _counts(found: Queues) -> dict[str, Any]:
    return {"mta": len(found.mta), "client": len(found.client), "explanation": found.explanation}


def _words(one: QueuedMessage, queue: str) -> str:
    whom = _some([each.address for each in one.recipients])
    kind = "" if one.kind == "queued" else f" {one.kind}"
    head = f"{one.id} {queue}{kind} {_since(one.created)} {one.attempts} tries"
    return f"{head} {one.sender or tally.BOUNCES} -> {whom}: {'; '.join(tally.reasons(one))}"


def _as_data(one: QueuedMessage) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "folder": one.folder,
        "version": one.version,
        "created": one.created and one.created.isoformat(),
        "last_attempt": one.last_attempt and one.last_attempt.isoformat(),
        "attempts": one.attempts,
        "sender": one.sender,
        "recipients": [
            {"address": each.address, "reason": each.reason or one.reason} for each in one.recipients
        ],
        "reason": one.reason,
    }


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _age(one: QueuedMessage) -> tuple[float, str]:
    return (one.created.timestamp() if one.created else 0.0, one.id)


def _since(time: Any) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else "never"
