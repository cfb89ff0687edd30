"""Which Sendmail processes run on a host, and which of them hold an earlier configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass

from migrator import host_text
from migrator.errors import CommandFailed
from migrator.hosts.base import Reader
from migrator.sendmail import processes
from migrator.sendmail.processes import Activity, Process

_CF = "/etc/mail/sendmail.cf"
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")


LONGEST_PROGRAM = 24 * 3600
"""Seconds after which what Sendmail has started counts as a service that somebody starts by mail, and no delivery."""


@dataclass(frozen=True, slots=True)
class Running:
    """A host's Sendmail processes, and how many seconds ago each started and sendmail.cf was written."""

    all: tuple[Process, ...]
    uptime: float
    ticks: int  # clock ticks a second, the unit of a process's start
    configuration_age: float

    @property
    def listeners(self) -> tuple[Process, ...]:
        """Return the processes that accept connections, but for what bridges the moment of a reload."""
        return tuple(one for one in self.all if one.activity is Activity.LISTENER and not one.is_bridge)

    @property
    def bridges(self) -> tuple[Process, ...]:
        """Return the second daemons that a reload which was killed has left behind."""
        return tuple(one for one in self.all if one.activity is Activity.LISTENER and one.is_bridge)

    @property
    def stale_listeners(self) -> tuple[Process, ...]:
        """Return the listeners that started before sendmail.cf was written.

        Where that was in the future the clock was set back since, and its time tells nothing.
        """
        if self.configuration_age < -1:
            return ()
        return tuple(one for one in self.listeners if self._age(one) > self.configuration_age + 1)

    @property
    def unfinished(self) -> tuple[Process, ...]:
        """Return every process that may deliver, whatever configuration it holds and whatever it calls itself.

        A Sendmail that still reads its input (`sendmail -Am`, a `sendmail -bs` of a program) has no title yet. Daemons,
        what only looks (`-bv`, `mailq`), and what hands mail of the client queue to the daemon are not among them.
        """
        return tuple(one for one in self.all if self._may_deliver(one))

    @property
    def runners(self) -> tuple[Process, ...]:
        """Return the processes that only run the queue of the MTA, again and again (`-q15m`, `-qp`)."""
        return tuple(
            one
            for one in self.all
            if one.activity is Activity.QUEUE_DAEMON and not one.of_client_queue and not one.program
        )

    def stale_runners(self, generations: frozenset[int]) -> tuple[Process, ...]:
        """Return the runners of these generations that did not start anew when the listener did."""
        since = min((listener.started for listener in self.listeners), default=None)
        return tuple(
            one
            for one in self.runners
            if one.session in generations and (since is None or one.started < since)
        )

    @property
    def generations(self) -> frozenset[int]:
        """Return the sessions of the daemons that run now, those that only run the queue included.

        A daemon makes its session when it starts or reloads (setsid, main.c `disconnect`), and all that it forks stays
        in it, also what outlives its parent: so the session tells which configuration a process holds.
        """
        kinds = (Activity.LISTENER, Activity.QUEUE_DAEMON)
        return frozenset(one.session for one in self.all if one.activity in kinds and not one.is_bridge)

    def of_before(self, generations: frozenset[int]) -> tuple[Process, ...]:
        """Return what may deliver by the configuration that daemons of these sessions held.

        A runner of the queue that did not start anew still forks such processes; a daemon that did has another session.
        """
        renewed = self.generations - {one.session for one in self.stale_runners(generations)}
        return self.unfinished_of(generations - renewed)

    def unfinished_of(self, generations: frozenset[int]) -> tuple[Process, ...]:
        """Return what may deliver and is of these generations, and all that began before the listener did."""
        since = min((listener.started for listener in self.listeners), default=None)
        return tuple(
            one
            for one in self.unfinished
            if one.session in generations or since is None or one.started < since
        )

    def _may_deliver(self, one: Process) -> bool:
        if one.program:
            return self._age(one) < LONGEST_PROGRAM
        daemons = (Activity.LISTENER, Activity.QUEUE_DAEMON, Activity.LOOKING)
        return one.activity not in daemons and not one.of_client_queue and not self._is_permanent(one)

    def _is_permanent(self, one: Process) -> bool:
        # Of -qp: it stays, and waits between its runs.
        return one.runs_queue and any(one.parent == other.pid for other in self.all if other.is_control)

    def ages(self) -> dict[Process, float]:
        """Return for how many seconds each session and delivery has been there."""
        return {process: max(0.0, self._age(process)) for process in self.unfinished}

    def _age(self, process: Process) -> float:
        return self.uptime - process.started / self.ticks


def running(host: Reader) -> Running:
    """Look at a host's Sendmail processes in one round trip. Raises CommandFailed where that is not possible."""
    output = host.inspect(
        "echo $(cut -d ' ' -f 1 /proc/uptime) $(getconf CLK_TCK || echo 100) $(date +%s) "
        f"$(stat -c %Y {_CF} || date +%s)\n{processes.READER}"
    )
    first, _, rest = output.stdout.partition("\n")
    words = host_text.words(first)
    if output.status != 0 or len(words) != 4 or not all(map(_NUMBER.fullmatch, words)):
        raise CommandFailed(
            "the Sendmail processes could not be listed",
            status=output.status,
            host=host.name,
            seen=(output.stderr or first).strip()[:500],
            advice="see that /proc is mounted there",
        )
    uptime, ticks, now, written = (float(word) for word in words)
    return Running(processes.parse(rest), uptime, int(ticks), now - written)


def named(processes_: tuple[Process, ...]) -> str:
    """Return processes as text to remember: number and start of each, so that a number used again is another one."""
    return " ".join(f"{process.pid}:{process.started}" for process in processes_)


def remaining(found: tuple[Process, ...], remembered: str) -> tuple[Process, ...]:
    """Return those of the processes that were remembered."""
    known = set(host_text.words(remembered))
    return tuple(process for process in found if f"{process.pid}:{process.started}" in known)


def end_script(waited_for: tuple[Process, ...], *, patience: int, longest: int) -> str:
    """Return the script that waits for processes to end, and after `patience` seconds ends idle sessions.

    An idle session holds no message, so its client only has to connect again. The script fails where a process is
    still there after `longest` seconds.
    """
    known = named(waited_for)
    return f"""alive() {{ # pid:start, for a number may have passed to another process
    {{ read -r stat <"/proc/${{1%:*}}/stat"; }} 2>/dev/null || return 1
    set -- "$1" ${{stat##*) }}
    [ "${{21}}" = "${{1#*:}}" ]
}}
idle() {{ # by the start of the title only: what a client says stands further behind
    title=$({{ tr '\\0' ' ' <"/proc/$1/cmdline"; }} 2>/dev/null)
    what=${{title#sendmail: }}
    case ${{what%% *}} in *:) what=${{what#* }} ;; esac
    case $what in 'server '*' cmd read' | 'server '*' cmd read '* | 'server '*' startup'*) return 0 ;; esac
    return 1
}}
waited=0
while [ "$waited" -lt {longest} ]; do
    left=
    for one in {known}; do
        alive "$one" || continue
        left="$left $one"
        if [ "$waited" -ge {patience} ] && idle "${{one%:*}}"; then kill -TERM "${{one%:*}}" 2>/dev/null; fi
    done
    [ -n "$left" ] || exit 0
    sleep 1
    waited=$((waited + 1))
done
echo "still running after {longest} s:$left" >&2
exit 1
"""


def words(found: tuple[Process, ...]) -> str:
    """Return processes for a person: number and title of the first few."""
    shown = ", ".join(f"{process.pid} ({process.title})" for process in found[:5])
    return f"{shown} and {len(found) - 5} more" if len(found) > 5 else shown or "none"
