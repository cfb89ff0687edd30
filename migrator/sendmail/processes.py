"""Reads what the Sendmail processes of a host are doing: from /proc and the title each gives itself.

The titles are those of sm_setproctitle in Sendmail's conf.c, daemon.c, srvrsmtp.c, usersmtp.c, deliver.c and
queue.c; option ProcessTitlePrefix stands before them ("MTA: "). A title is a hint: whether a process is older
than a reload is a matter of `started`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from migrator import host_text
from migrator.sendmail.text_error import TextError

READER = r"""
LC_ALL=C; export LC_ALL
for process in /proc/[0-9]*; do
  { read -r stat < "$process/stat"; } 2>/dev/null || continue
  case $stat in *'(sendmail'*) ;; *) continue ;; esac
  user=
  while read -r key real rest; do
    if [ "$key" = Uid: ]; then user=$real; fi
  done 2>/dev/null < "$process/status"
  [ -n "$user" ] || continue
  title=$(tr '\000' ' ' 2>/dev/null < "$process/cmdline") || continue
  printf '%s\000%s\000%s\000' "$user" "$stat" "$title"
done
printf '\000'
"""
"""A POSIX shell text for parse: lists the processes whose program is called sendmail or begins so (Debian's
sendmail-mta), framed by NUL as a title may hold anything else; an empty field ends the list."""

_TASKS = re.compile(r"sendmail: (?=(.*))(?:[A-Za-z][A-Za-z0-9_-]*: (?=(.*)))?", re.DOTALL)
_LISTENING = re.compile(
    r"accepting connections\s*\Z|(rejecting|delaying|deferring) connections on daemon |rejecting new messages: "
)
_QUEUE_DAEMON = re.compile(r"Queue (runner@|control)")
_IDLE = re.compile(r"server .* (startup|cmd read)|startup with ")
_DELIVERING = re.compile(
    r"\S+ from queue|running queue: |(\S+ )?\S+: (client \S|user open|initial connection)"
)
_SESSION = re.compile(r"(\S+ )?(\S+@)?(\S+ )?\[\S+\]( \(may be forged\))?: |(\S+ )?\S*localhost\S*: |server ")


class Activity(Enum):
    """What a process does, as far as its title tells."""

    LISTENER = "listener"
    QUEUE_DAEMON = "queue daemon"
    IDLE_SESSION = "idle session"
    BUSY_SESSION = "busy session"
    DELIVERING = "delivering"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Process:
    """One Sendmail process. `started` is in clock ticks since boot, `user` the number of the real user.

    `session` is the one it belongs to: a daemon makes its own when it starts or reloads (setsid, main.c
    `disconnect`), and what it forks stays in it.
    """

    pid: int
    parent: int
    session: int
    started: int
    user: int
    title: str

    @property
    def activity(self) -> Activity:
        """What the process does now, by its title."""
        return classify(self.title)


def parse(output: str) -> tuple[Process, ...]:
    """Given what READER printed, return the processes. Raise TextError where the output is not whole."""
    fields = output.split("\0")
    if len(fields) % 3 != 2 or fields[-2:] != ["", ""]:
        raise TextError("the list of processes is not whole")
    rows = zip(fields[:-2:3], fields[1:-2:3], fields[2:-2:3], strict=True)
    return tuple(_process(user, stat, title) for user, stat, title in rows)


def classify(title: str) -> Activity:
    """Given a process's title or command line, return what it does.

    A client may send a command that reads like another title; no title of a client reads like a listener.
    """
    found = _TASKS.match(title)
    tasks = [task for task in found.groups("") if task] if found else []
    kinds = (
        (_LISTENING, Activity.LISTENER),
        (_QUEUE_DAEMON, Activity.QUEUE_DAEMON),
        (_IDLE, Activity.IDLE_SESSION),
        (_DELIVERING, Activity.DELIVERING),
        (_SESSION, Activity.BUSY_SESSION),
    )
    return next((activity for pattern, activity in kinds if any(map(pattern.match, tasks))), Activity.OTHER)


def _process(user: str, stat: str, title: str) -> Process:
    """Read one row: proc(5) has the name as 2nd, parent, session and start as 4th, 6th and 22nd field."""
    pid, _, rest = stat.partition(" (")
    fields = host_text.words(rest.rpartition(") ")[2])
    numbers = (pid, *fields[1:2], *fields[3:4], *fields[19:20], user)
    if len(numbers) != 5 or not all(number.isascii() and number.isdigit() for number in numbers):
        raise TextError(f"{stat!r} is no state of a process")
    number, parent, session, started, owner = map(int, numbers)
    return Process(number, parent, session, started, owner, host_text.stripped(title))
