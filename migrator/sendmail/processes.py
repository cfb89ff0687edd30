"""Reads what the Sendmail processes of a host are doing: from /proc and the title each gives itself.

The titles are those of sm_setproctitle in Sendmail's conf.c, daemon.c, srvrsmtp.c, usersmtp.c, deliver.c and
queue.c; option ProcessTitlePrefix stands before them ("MTA: "). A title is a hint: whether a process is older
than a reload is a matter of `started`, and one that has given itself none yet delivers as well as another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from migrator import host_text
from migrator.sendmail.text_error import TextError

READER = r"""
LC_ALL=C; export LC_ALL
program=$(command -v sendmail)
clients="/var/spool/m*queue-client /var/spool/client*queue
$(sed -n 's/^O *QueueDirectory *= *//p' /etc/mail/submit.cf 2>/dev/null)"
is_sendmail() { # by its name, or by the program that it is: newaliases and others are links to it
  case $stat in *'(sendmail'*) return 0 ;; esac
  [ -n "$program" ] && [ "$process/exe" -ef "$program" ]
}
of_client() { # whether it works in the folder of the client queue: then it delivers nothing, but hands mail on
  for folder in $clients; do if [ "$process/cwd" -ef "$folder" ]; then return 0; fi; done
  return 1
}
row() { # what kind of process it is
  user=
  while read -r key real rest; do
    if [ "$key" = Uid: ]; then user=$real; fi
  done 2>/dev/null < "$process/status"
  [ -n "$user" ] || return
  title=$(tr '\000' ' ' 2>/dev/null < "$process/cmdline") || return
  printf '%s%s\000%s\000%s\000' "$user" "$1" "$stat" "$title"
}
for process in /proc/[0-9]*; do
  { read -r stat < "$process/stat"; } 2>/dev/null || continue
  is_sendmail || continue
  if of_client; then row c; else row ''; fi
done
grep -las AGENT=sendmail /proc/[0-9]*/environ 2>/dev/null | while read -r process; do
  process=${process%/environ}
  { read -r stat < "$process/stat"; } 2>/dev/null || continue
  is_sendmail || row p
done
printf '\000'
"""
"""A POSIX shell text for parse: lists the processes whose program is called sendmail or begins so (Debian's
sendmail-mta), or is the same program by another name, framed by NUL as a title may hold anything else; an empty field
ends the list. Then come the programs that Sendmail has started (AGENT=sendmail, conf.c): procmail, mail.local, a
`|program`. The user's number has a letter behind it: c for a process of the client queue, p for such a program."""

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
_LOOKING = re.compile(
    r"\S*sendmail\S* -b[tvpPihH]( -(O\S+|d\S+|-))*( (?!-)\S.*)?\s*|(\S*/)?(newaliases|mailq|hoststat)\s*",
    re.DOTALL,
)
_CLIENT_QUEUE = re.compile(
    r"sendmail: (\S+: )?(Queue runner@\S+ for|running queue:) \S*/(mqueue-client|clientmqueue)(/|\s|\Z)"
)
_BRIDGE = re.compile(r"sendmail: migrate-bridge: ")
_UNANSWERED = re.compile(
    r"sendmail: (?:[A-Za-z][A-Za-z0-9_-]*: )?(?:\S*/)?([A-Za-z0-9]+) \S+: "
    r"(?:client (?:greeting|EHLO|HELO)|user open|initial connection)(?:\s|\Z)"
)
_WORKER = re.compile(r"sendmail: (\S+: )?running queue: ")
_CONTROL = re.compile(r"sendmail: (\S+: )?Queue control")


class Activity(Enum):
    """What a process does, as far as its title tells."""

    LISTENER = "listener"
    QUEUE_DAEMON = "queue daemon"
    IDLE_SESSION = "idle session"
    BUSY_SESSION = "busy session"
    DELIVERING = "delivering"
    LOOKING = "looking"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Process:
    """One Sendmail process. `started` is in clock ticks since boot, `user` the number of the real user.

    `session` is the one it belongs to: a daemon makes its own when it starts or reloads (setsid, main.c
    `disconnect`), and what it forks stays in it. `client`: it works in the client queue, and hands mail to the daemon.
    `program`: it is none of Sendmail's own, but Sendmail, or what Sendmail started, has started it.
    """

    pid: int
    parent: int
    session: int
    started: int
    user: int
    title: str
    client: bool = False
    program: bool = False

    @property
    def activity(self) -> Activity:
        """What the process does now, by its title; a program, which may call itself anything, delivers."""
        return Activity.DELIVERING if self.program else classify(self.title)

    @property
    def of_client_queue(self) -> bool:
        """Whether it only hands on what mail programs left in the client queue."""
        return not self.program and (self.client or _CLIENT_QUEUE.match(self.title) is not None)

    @property
    def is_bridge(self) -> bool:
        """Whether it is the second daemon that takes connections while the real one reloads."""
        return not self.program and _BRIDGE.match(self.title) is not None

    @property
    def is_control(self) -> bool:
        """Whether it keeps permanent runners of the queue (`-qp`)."""
        return not self.program and _CONTROL.match(self.title) is not None

    @property
    def runs_queue(self) -> bool:
        """Whether it goes through the queue and delivers nothing just now, as a permanent runner does mostly."""
        return not self.program and _WORKER.match(self.title) is not None

    @property
    def unanswered(self) -> str:
        """The identifier of the message that it holds without a word from the server yet; "" for what does not."""
        found = None if self.program else _UNANSWERED.match(self.title)
        return found.group(1) if found else ""


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
    if _LOOKING.fullmatch(title):
        return Activity.LOOKING
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
    kind = user[-1:] if user[-1:] in ("c", "p") else ""
    numbers = (pid, *fields[1:2], *fields[3:4], *fields[19:20], user.removesuffix(kind))
    if len(numbers) != 5 or not all(number.isascii() and number.isdigit() for number in numbers):
        raise TextError(f"{stat!r} is no state of a process")
    number, parent, session, started, owner = map(int, numbers)
    return Process(number, parent, session, started, owner, title.strip(), kind == "c", kind == "p")
