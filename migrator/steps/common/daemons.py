"""Which Sendmail processes run on a host, and which of them hold an earlier configuration."""

from __future__ import annotations

from dataclasses import dataclass

from migrator.errors import CommandFailed
from migrator.hosts.base import Reader
from migrator.sendmail import processes
from migrator.sendmail.processes import Activity, Process

_CF = "/etc/mail/sendmail.cf"


@dataclass(frozen=True, slots=True)
class Running:
    """A host's Sendmail processes, and how many seconds ago each started and sendmail.cf was written."""

    all: tuple[Process, ...]
    uptime: float
    ticks: int  # clock ticks a second, the unit of a process's start
    configuration_age: float

    @property
    def listeners(self) -> tuple[Process, ...]:
        """Return the processes that accept connections."""
        return tuple(process for process in self.all if process.activity is Activity.LISTENER)

    @property
    def stale_listeners(self) -> tuple[Process, ...]:
        """Return the listeners that started before sendmail.cf was written."""
        return tuple(one for one in self.listeners if self._age(one) > self.configuration_age + 1)

    @property
    def unfinished(self) -> tuple[Process, ...]:
        """Return every session and delivery, whatever configuration it holds."""
        kinds = (Activity.LISTENER, Activity.QUEUE_DAEMON)
        return tuple(
            one for one in self.all if one.title.startswith("sendmail:") and one.activity not in kinds
        )

    @property
    def unfinished_of_before(self) -> tuple[Process, ...]:
        """Return the sessions and deliveries of another generation than the listener's.

        Sendmail's daemon begins a session (setsid, main.c `disconnect`) when it starts or reloads, and all that it
        forks stays in it, also what outlives its parent: so the session tells the configuration a process holds.
        """
        current = {listener.session for listener in self.listeners}
        return tuple(one for one in self.unfinished if one.session not in current)

    def _age(self, process: Process) -> float:
        return self.uptime - process.started / self.ticks


def running(host: Reader) -> Running:
    """Look at a host's Sendmail processes in one round trip. Raises CommandFailed where that is not possible."""
    output = host.inspect(
        "echo $(cut -d ' ' -f 1 /proc/uptime) $(getconf CLK_TCK || echo 100) $(date +%s) "
        f"$(stat -c %Y {_CF} || date +%s)\n{processes.READER}"
    )
    first, _, rest = output.stdout.partition("\n")
    words = first.split()
    if output.status != 0 or len(words) != 4:
        raise CommandFailed(
            "the Sendmail processes could not be listed",
            status=output.status,
            host=host.name,
            seen=(output.stderr or first).strip()[:500],
            advice="see that /proc is mounted there",
        )
    uptime, ticks, now, written = (float(word) for word in words)
    return Running(processes.parse(rest), uptime, int(ticks), now - written)


def end_script(waited_for: tuple[Process, ...], *, patience: int, longest: int) -> str:
    """Return the script that waits for processes to end, and after `patience` seconds ends idle sessions.

    An idle session holds no message, so its client only has to connect again. The script fails where a process is
    still there after `longest` seconds.
    """
    known = " ".join(f"{process.pid}:{process.started}" for process in waited_for)
    return f"""alive() {{ # pid:start, for a number may have passed to another process
    read -r stat <"/proc/${{1%:*}}/stat" 2>/dev/null || return 1
    set -- "$1" ${{stat##*) }}
    [ "${{21}}" = "${{1#*:}}" ]
}}
waited=0
while [ "$waited" -lt {longest} ]; do
    left=
    for one in {known}; do
        alive "$one" || continue
        left="$left $one"
        if [ "$waited" -ge {patience} ] && tr '\\0' ' ' <"/proc/${{one%:*}}/cmdline" | grep -q 'cmd read *$'; then
            kill -TERM "${{one%:*}}" 2>/dev/null
        fi
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
