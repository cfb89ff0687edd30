"""Deliveries that wait for a server's first word which never comes.

Where more connections come at once than the listen queue of a daemon holds (Sendmail's is 10, option DaemonPortOptions,
`Listen`), Linux answers with cookies and may drop what completes the handshake (tcp(7), tcp_syncookies): the client has
a connection, the server knows of none. In SMTP the server speaks first (RFC 5321, 3.1), so the delivery waits, and
holds its message, for as long as Timeout.initial says: 5 minutes where nothing is set (Installation and Operation
Guide, 4.1.2).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from migrator.change import Change, HostName, Shell, Undo
from migrator.sendmail.processes import Process
from migrator.sendmail.queue import QueuedMessage
from migrator.steps.base import Context
from migrator.steps.common import daemons

PATIENCE = 20.0
"""Seconds after which one that has heard nothing yet is ended: what it holds is tried anew at once."""

_LONGEST = 120


def ended(context: Context, host: HostName, messages: Sequence[QueuedMessage]) -> Iterator[Change]:
    """Yield the end of each delivery of these messages that has heard nothing of the server, in one look; or nothing.

    Such a one has sent nothing of its message, which stays in the queue: nobody gets it twice.
    """
    found = _unanswered(daemons.running(context.reader(host)), {one.id for one in messages})
    if found:
        yield Change(
            f"end {len(found)} deliveries on the {host} host that no server has answered: {daemons.words(found)}",
            Shell(host, end_script(found), timeout=_LONGEST, shown=f"kill -KILL {_numbers(found)}"),
            Undo.NOT_NEEDED,
        )


def end_script(found: Sequence[Process]) -> str:
    """Return the script that ends deliveries which have heard nothing from a server, and only those.

    Each is stopped before it is looked at once more, for one that was answered meanwhile may be about to send.
    """
    return f"""unanswered() {{ # pid start [state]: by the title that it gave itself (usersmtp.c, deliver.c)
    pid=$1 began=$2 wanted=${{3:-}}
    {{ read -r stat <"/proc/$pid/stat"; }} 2>/dev/null || return 1
    set -- ${{stat##*) }}
    [ "${{20}}" = "$began" ] || return 1
    [ -z "$wanted" ] || [ "$1" = "$wanted" ] || return 1
    title=$({{ tr '\\000' ' ' <"/proc/$pid/cmdline"; }} 2>/dev/null)
    case "$title " in
        'sendmail: '*': client greeting '* | 'sendmail: '*': client EHLO '* | 'sendmail: '*': client HELO '*) ;;
        'sendmail: '*': user open '* | 'sendmail: '*': initial connection '*) ;;
        *) return 1 ;;
    esac
}}
for one in {daemons.named(tuple(found))}; do
    number=${{one%:*}} start=${{one#*:}}
    unanswered "$number" "$start" || continue
    kill -s STOP "$number" 2>/dev/null || continue
    for each in 1 2 3 4 5; do
        if unanswered "$number" "$start" T; then kill -s KILL "$number"; break; fi
        sleep 0.1
    done
    kill -s CONT "$number" 2>/dev/null || :
done
"""


def _unanswered(running: daemons.Running, ids: Collection[str]) -> tuple[Process, ...]:
    ages = running.ages()
    return tuple(one for one, age in ages.items() if one.unanswered in ids and age >= PATIENCE)


def _numbers(found: Sequence[Process]) -> str:
    return " ".join(str(one.pid) for one in found)
