"""What keeps a copy from slowing the old host down: its priorities, and a pause while the host is busy. sh text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LONGEST_PAUSE = 300
"""The longest that rsync is stopped at a stretch, in seconds: the other one gives up after a while without a byte."""

RESUME = 0.8
"""The share of the limit below which it goes on."""

_LOOK_EVERY = 2
_REST = 30

_IO_CLASSES = {"": "", "idle": "-c 3", "best-effort": "-c 2 -n 7"}

# A process that is gone may leave its number to another one; when it was started tells them apart (proc(5)).
_GOVERN = r"""born() { cut -d ' ' -f 22 "/proc/$1/stat" 2>/dev/null; }
govern() {
    started=$(born "$1")
    [ -n "$started" ] || return 0
    stopped=0
    rest=0
    while sleep @EVERY@ && [ "$(born "$1")" = "$started" ]; do
        read -r load _ <@LOADAVG@ || return 0
        load=${load%%.*}${load##*.}
        if [ $stopped -gt 0 ] && { [ "$load" -lt @LOW@ ] || [ $stopped -ge @LONGEST@ ]; }; then
            kill -s CONT "$1" 2>/dev/null
            stopped=0
            rest=@REST@
        elif [ $stopped -gt 0 ]; then
            stopped=$((stopped + @EVERY@))
        elif [ $rest -gt 0 ]; then
            rest=$((rest - @EVERY@))
        elif [ "$load" -gt @HIGH@ ]; then
            kill -s STOP "$1" 2>/dev/null
            stopped=@EVERY@
        fi
    done
}
"""


@dataclass(frozen=True, slots=True)
class Restraint:
    """How much of the old host a copy may have.

    `nice` is its priority (0-19, nice(1)), `ionice` its class at the disks ("": as it is; ionice(1)), `max_load` the
    load above which rsync is stopped for a while (0: never), as the first figure of /proc/loadavg.
    """

    nice: int = 0
    ionice: Literal["", "idle", "best-effort"] = ""
    max_load: float = 0.0

    def prefix_script(self) -> str:
        """Return the sh text that sets `gentle` to the words that go before a command."""
        io_class = _IO_CLASSES[self.ionice]
        script = f"gentle='{f'nice -n {self.nice}' if self.nice else ''}'\n"
        if io_class:
            # Some containers have the program and forbid what it does; then the command would not start.
            script += f'if ionice {io_class} true 2>/dev/null; then gentle="$gentle ionice {io_class}"; fi\n'
        return script

    def governor_script(self, *, loadavg: str = "/proc/loadavg", every: int = _LOOK_EVERY) -> str:
        """Return the sh text that watches the shell it runs in, and what that becomes by `exec`, until it ends.

        It keeps none of its streams. `loadavg` and `every`, the seconds between two looks, are for tests.
        """
        if not self.max_load:
            return ""
        values = {"EVERY": every, "LOADAVG": loadavg, "LONGEST": LONGEST_PAUSE, "REST": _REST}
        values |= {"HIGH": round(100 * self.max_load), "LOW": round(100 * RESUME * self.max_load)}
        text = _GOVERN
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        # Redirected where it is called, a function would leave what was there before open in some shells.
        return f"{text}( exec </dev/null >/dev/null 2>&1; govern $$ ) &\n"
