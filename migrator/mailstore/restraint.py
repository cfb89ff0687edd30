"""What keeps a copy from slowing the old host down: its priorities, and a pause while the host is busy. sh text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

CF = "/etc/mail/sendmail.cf"

LONGEST_PAUSE = 300
"""The longest that rsync is stopped at a stretch, in seconds: the other one gives up after a while without a byte."""

RESUME = 0.8
"""The share of the limit below which it goes on."""

_LOOK_EVERY = 2
_REST = 30

SHARE = 0.75
"""The share of the lowest load at which Sendmail itself holds back, above which the copy does: a load comes late."""

# Sendmail's own limits (Installation and Operation Guide, 5.6: QueueLA, RefuseLA, DelayLA; 8 and 12 for each processor,
# and no delay, where they are not set; DaemonPortOptions may lower them for one port). Prints SHARE of the lowest, in
# hundredths; nothing where there is no Sendmail that could close its port.
_OWN = r"""own_limit() {
    [ -r @CF@ ] || return 0
    awk -v processors="$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)" '
        function lower(value) { if (value + 0 > 0 && (!lowest || value + 0 < lowest)) lowest = value + 0 }
        BEGIN { queue = 8 * processors; refuse = 12 * processors }
        /^O QueueLA=/ { sub(/^[^=]*=/, ""); queue = $0 }
        /^O RefuseLA=/ { sub(/^[^=]*=/, ""); refuse = $0 }
        /^O DelayLA=/ { sub(/^[^=]*=/, ""); lower($0) }
        /^O DaemonPortOptions=/ {
            count = split(tolower($0), part, /[,=] */)
            for (i = 1; i < count; i++) if (part[i] ~ /^ *(queue|refuse|delay)la$/) lower(part[i + 1])
        }
        END { lower(queue); lower(refuse); printf "%d\n", lowest * @SHARE@ }' @CF@
}
"""

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
    load above which rsync is stopped for a while (0: never), as the first figure of /proc/loadavg. With `own_limits`
    and no `max_load` it is what the host's Sendmail bears before it holds back itself, or closes its port.
    """

    nice: int = 0
    ionice: Literal["", "idle", "best-effort"] = ""
    max_load: float = 0.0
    own_limits: bool = False

    def prefix_script(self) -> str:
        """Return the sh text that sets `gentle` to the words that go before a command."""
        io_class = _IO_CLASSES[self.ionice]
        script = f"gentle='{f'nice -n {self.nice}' if self.nice else ''}'\n"
        if io_class:
            # Some containers have the program and forbid what it does; then the command would not start.
            script += f'if ionice {io_class} true 2>/dev/null; then gentle="$gentle ionice {io_class}"; fi\n'
        return script

    def governor_script(
        self, *, loadavg: str = "/proc/loadavg", every: int = _LOOK_EVERY, cf: str = CF
    ) -> str:
        """Return the sh text that watches the shell it runs in, and what that becomes by `exec`, until it ends.

        It keeps none of its streams. `loadavg`, `every`, the seconds between two looks, and `cf` are for tests.
        """
        if not self.max_load and not self.own_limits:
            return ""
        values: dict[str, int | str] = {
            "EVERY": every,
            "LOADAVG": loadavg,
            "LONGEST": LONGEST_PAUSE,
            "REST": _REST,
        }
        watch = "( exec </dev/null >/dev/null 2>&1; govern $$ ) &\n"
        if self.max_load:
            figures = {"HIGH": round(100 * self.max_load), "LOW": round(100 * RESUME * self.max_load)}
            return _filled(_GOVERN, values | figures) + watch
        figures_there = {"HIGH": '"$high"', "LOW": f'"$((high * {round(100 * RESUME)} / 100))"'}
        own = _filled(_OWN, {"CF": cf, "SHARE": round(100 * SHARE)})
        return f'{own}{_filled(_GOVERN, values | figures_there)}high=$(own_limit)\nif [ -n "$high" ]; then {watch}fi\n'


def _filled(text: str, values: Mapping[str, int | str]) -> str:
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text
