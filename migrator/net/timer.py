"""Shell text that makes a host act by itself after a while, whatever becomes of the operator's machine.

A port that is closed carries such a timer, which opens it again. Three files stand beside the marker:
`MARKER.set` names the timer that is set, and `MARKER.N.sh` is what it runs. The marker itself, with the
time in seconds since 1970, is written just before the action begins: where it exists, the action may have
happened, and whoever set the timer must measure the port anew before relying on it.
The scripts also work under `set -eu`.
"""

import re
from shlex import quote

from migrator.errors import MigrateError

FIRED = 3
"""The exit status of the timer script where an earlier timer went off and nobody dealt with it yet."""

_FUNCTIONS = """disarm() {
    case $1 in
        unit) systemctl stop "$2.timer" 2>/dev/null || : ;;
        pid) if grep -q -F -e "$3" "/proc/$2/cmdline" 2>/dev/null; then kill -- "-$2" || :; fi ;;
    esac
    rm -f "$3"
}
"""

# A pid alone may have passed to another process: it counts only while the script's path stands in its
# command line. The unit or the session belongs to the host, not to the connection, so it outlives the loss
# of the latter. Where systemd does not run, systemd-run fails at once.
_ARM = """[ ! -e "$marker" ] || exit 3
umask 077
action=$marker.$(date +%s).$$.sh
unit=migrate-timer-$(date +%s)-$$
earlier=$(cat "$marker.set" 2>/dev/null) || earlier=
cat >"$action" <<'END_OF_ACTION' || exit 1
{action}
END_OF_ACTION
if systemd-run --quiet --unit="$unit" --on-active={seconds}s \\
    --timer-property=AccuracySec=100ms /bin/sh "$action" 0 >/dev/null 2>&1
then armed="unit $unit $action"
else
    pid=$(setsid /bin/sh "$action" {seconds} </dev/null 2>/dev/null &)
    [ -n "$pid" ] || exit 1
    armed="pid $pid $action"
fi
printf '%s\\n' "$armed" >"$marker.set.new" && mv -f "$marker.set.new" "$marker.set" || exit 1
[ ! -e "$marker" ] || exit 3
if [ -n "$earlier" ]; then disarm $earlier; fi
[ ! -e "$marker" ] || exit 3
"""

_ACTION = """echo $$
exec >/dev/null
sleep "$1"
date +%s >{marker}.fired && mv -f {marker}.fired {marker}
tries=0
until (
{script}
) || [ "$tries" -ge 30 ]; do tries=$((tries + 1)); sleep 1; done
rm -f "$0"
"""

_CANCEL = """earlier=$(cat "$marker.set" 2>/dev/null) || earlier=
if [ -n "$earlier" ] && [ ! -e "$marker" ]; then disarm $earlier; fi
rm -f "$marker.set"
"""


def timer_script(seconds: int, action_script: str, marker_path: str) -> str:
    """Return the script that has the host run `action_script` in `seconds`, in place of any timer set before.

    The new timer is set before the old one is dropped. Where the old one has gone off, the script exits with
    `FIRED`, then or at the start, and a new one that is set already stays set; after `forget_script` it can
    be called anew. The action is tried again, each second, up to 30 times until it succeeds.

    `marker_path` is absolute and in a directory that exists and only root writes to; its characters are
    letters, digits and `_./-`. Raise MigrateError where it is not, or where `seconds` is not positive.
    """
    if seconds < 1:
        raise MigrateError("a timer needs a positive time", expected="1 second or more", seen=str(seconds))
    marker = _checked(marker_path)
    action = _ACTION.format(marker=quote(marker), script=action_script)
    if "END_OF_ACTION" in action_script:
        raise MigrateError("a timer's action must not hold the line that ends it", seen="END_OF_ACTION")
    arm = _ARM.replace("{seconds}", str(seconds)).replace("{action}", action)
    return f"marker={marker}\n{_FUNCTIONS}{arm}"


def cancel_script(marker_path: str) -> str:
    """Return the script that drops the timer, where one is set.

    The marker stays: it says whether this came too late.
    """
    return f"marker={_checked(marker_path)}\n{_FUNCTIONS}{_CANCEL}"


def fired_script(marker_path: str) -> str:
    """Return the script that prints when the timer went off (seconds since 1970), or nothing."""
    marker = _checked(marker_path)
    return f"if [ -e {marker} ]; then cat {marker}; fi\n"


def forget_script(marker_path: str) -> str:
    """Return the script that removes the marker, for a caller that has seen it and measured the port anew."""
    return f"rm -f {_checked(marker_path)}\n"


def _checked(marker_path: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9_./-]+", marker_path) or ".." in marker_path.split("/"):
        raise MigrateError(
            "the path of a timer's marker is not plain", expected="[A-Za-z0-9_./-]", seen=marker_path
        )
    return marker_path
