"""Reads what Sendmail wrote into the log: what became of a message, and what went wrong.

The Sendmail Installation and Operation Guide (2.2.1, "The system log") gives the form: the queue's number of the
message, a colon, and `name=value` parted by commas. Strangers write parts of a line: a Message-ID (`msgid=`), the
argument of a command (`arg1=`), an address, another host's name and its reply. So a line is read as Sendmail writes
it: the first name tells its kind, names come in the order of sendmail/deliver.c (logdelivery, which writes `stat=`
last) and envelope.c (logsender), each once, and none inside quotes or angle brackets. Both kinds of time are read: that
of RFC 3164 ("Nov 29 12:00:00") and that of RFC 3339.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_LINE = re.compile(
    r"(?P<time>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9:]{4,5})?) "
    r"\S+ (?P<program>sendmail|sendmail-mta|sm-[a-z-]+)\[[0-9]+\]: (?P<rest>.*)"
)
_NUMBER = re.compile(r"(?P<id>[A-Za-z0-9]{6,24}|NOQUEUE): (?P<text>.*)", re.DOTALL)
_FIELD = re.compile(r"(?:\A|, )([a-z][a-z0-9_]*)=")
_DELIVERY = "to"
_ORDERS = {
    _DELIVERY: (
        *("to", "ctladdr", "delay", "xdelay", "mailer", "pri", "ntries", "relay", "tls_verify", "dsn"),
        *("quarantine", "stat"),
    ),
    # What comes behind is a stranger's Message-ID.
    "from": ("from", "size", "class", "pri", "nrcpts"),
    # What comes behind is the argument of a stranger's command.
    "ruleset": ("ruleset",),
}
"""The names of a line's fields by the first of them, in Sendmail's order, as far as it writes their values itself."""

_LAST = "stat"
_TROUBLE = re.compile(
    r"SYSERR|\bunsafe\b|[Pp]ermission denied|rejecting connections|Losing |savemail panic|lost input channel"
    r"|database .* (?:not open|out of date|older)|WARNING|cannot |can't |could not |STARTTLS=\w+, error"
    r"|loops back to me|timeout waiting|No space left|Insufficient disk space"
)
_USUAL = re.compile(r"Sent|queued|Deferred: (?:locked|queueing)")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of Sendmail's: its time as written, the program, the message's number ("" for none), and the rest."""

    time: str
    program: str
    id: str
    text: str

    @property
    def fields(self) -> dict[str, str]:
        """The `name=value` pairs that Sendmail wrote; `stat`, which comes last, is the rest of the line."""
        first = _FIELD.match(self.text)
        order = list(_ORDERS.get(first[1], ())) if first else []
        found: dict[str, str] = {}
        marks = _marks(self.text) if order else []
        for mark, end in zip(marks, [*(one.start() for one in marks), len(self.text)][1:], strict=True):
            if mark[1] == _LAST and mark[1] in order:
                return {**found, _LAST: self.text[mark.end() :]}
            if mark[1] in order:
                del order[: order.index(mark[1]) + 1]
                found[mark[1]] = self.text[mark.end() : end]
        return found

    @property
    def tells_of_delivery(self) -> bool:
        """Whether the line says what became of a try to deliver; one with `from=` tells of no delivery."""
        return self.text.startswith(f"{_DELIVERY}=")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one try to deliver a message: its number, to whom, by which host, and the words for it."""

    id: str
    recipients: str
    relay: str
    outcome: str

    @property
    def sent(self) -> bool:
        """Whether somebody took the message."""
        return self.outcome.startswith("Sent")


def parse(text: str) -> tuple[Line, ...]:
    """Given a log, return Sendmail's lines in order; those of other programs are passed over."""
    return tuple(line for raw in text.split("\n") if (line := _line(raw)) is not None)


def attempts(lines: Iterable[Line], ids: Iterable[str]) -> tuple[Attempt, ...]:
    """Given lines and numbers of messages, return what came of each try to deliver them, in order."""
    wanted = set(ids)
    found = ((line.id, line.fields) for line in lines if line.id in wanted and line.tells_of_delivery)
    return tuple(
        Attempt(number, fields.get("to", ""), fields.get("relay", ""), fields["stat"])
        for number, fields in found
        if "stat" in fields and "to" in fields
    )


def troubles(lines: Sequence[Line], most: int = 10) -> tuple[Line, ...]:
    """Given lines, return the last ones that tell of trouble, oldest first; of several that say the same the last."""
    latest = {_shape(line): line for line in lines if is_trouble(line)}
    kept = set(map(id, latest.values()))
    return tuple(line for line in lines if id(line) in kept)[-most:]


def is_trouble(line: Line) -> bool:
    """Return whether a line tells of a delivery that failed, or of something that Sendmail complains about."""
    outcome = line.fields.get(_LAST)
    if outcome is not None:
        return not _USUAL.match(outcome)
    # The other lines of these forms hold what strangers wrote, and tell of no trouble of this host.
    return not line.text.startswith(tuple(f"{kind}=" for kind in _ORDERS)) and bool(
        _TROUBLE.search(line.text)
    )


def _marks(text: str) -> list[re.Match[str]]:
    """Return where a field begins outside of quotes and angle brackets; where these do not end, wherever one does."""
    found = list(_FIELD.finditer(text))
    depth, quoted, escaped, position, outside = 0, False, False, 0, []
    for one in found:
        for character in text[position : one.start()]:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                quoted = not quoted
            elif not quoted and character in "<>":
                depth = max(0, depth + (1 if character == "<" else -1))
        position = one.start()
        if not quoted and not depth:
            outside.append(one)
    return outside if len(outside) > 1 or len(found) < 2 else found


def _line(raw: str) -> Line | None:
    found = _LINE.match(raw)
    if not found:
        return None
    number = _NUMBER.fullmatch(found["rest"])
    given = (number["id"], number["text"]) if number else ("", found["rest"])
    return Line(found["time"], found["program"], "" if given[0] == "NOQUEUE" else given[0], given[1])


def _shape(line: Line) -> str:
    """Return what two lines that say the same have in common: the outcome, or the text without its numbers."""
    return line.fields.get(_LAST) or re.sub(r"[0-9]+", "0", line.text)
