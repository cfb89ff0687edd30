"""How a script travels: it starts when it has arrived whole, runs to its end, and is alone of its plan."""

from __future__ import annotations

import secrets
import shlex

PRELUDE = "LC_ALL=C PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin; export LC_ALL PATH\n"
"""What every script starts with: messages that can be read, and the programs of an administrator."""

LOCK_WAIT = 600
"""How long a script waits for the one before it, in seconds: longer than what any short script takes."""

BUSY = 75
"""The exit status where another script of the plan still holds the host (EX_TEMPFAIL of sysexits.h)."""

SILENCE = 60
"""How long a streaming script goes on without a sign of its reader, in seconds."""

IO_ERROR = 74
"""The exit status where there is no room for a script, so that nothing of it was done (EX_IOERR of sysexits.h)."""

ROOM = 256
"""What has to be free for what a script writes beside itself, in units of 1024 bytes."""

_FULL = 'echo "no room for a script, so nothing was done: see df -h and df -i of ${TMPDIR:-/tmp}" >&2'

_BUSY = "echo 'another script of this migration still runs on this host' >&2"

HEARTBEAT = b":\n"
"""The sign: anything but white space on the script's standard input; nothing to a shell that it reached by mistake."""

LAST = b"\n"
"""What a script is sent that is to end: white space, which is nothing to such a shell either."""


def inspecting(script: str) -> str:
    """Given a script that changes nothing, return what to hand to `sh -s`."""
    return "{\nexec </dev/null\n" + PRELUDE + script + "\nexit\n}\n"


def command(argv: tuple[str, ...], stdin: str = "") -> str:
    """Given a program with its arguments and its standard input, return what to hand to `sh -s`.

    A standard input that lacks its last newline gets one.
    """
    words = shlex.join(argv)
    if not stdin:
        return inspecting(words)
    return "{\n" + PRELUDE + here(words, stdin) + "exit\n}\n"


def here(words: str, text: str) -> str:
    """Given a simple command and its standard input, return both as a here-document that no text can end."""
    mark = f"END_{secrets.token_hex(16)}"
    return f"{words} <<'{mark}'\n{text}{'' if text.endswith(chr(10)) else chr(10)}{mark}\n"


def lock_file(name: str) -> str:
    """Given a migration's name, return the sh text that sets `lock` to the path of its lock on a host.

    For root that is a folder where nobody else can hold the lock, or leave a link in its place.
    """
    return (
        "for lock in /run /var/run /run/lock /var/lock /tmp; do if [ -d $lock ] && [ -w $lock ]; then break; fi; done\n"
        f"lock=$lock/{shlex.quote('migrate-' + name)}\n"
    )


def whole(script: str, name: str) -> str:
    """Given a script that changes a host and the migration's name, return what to hand to `sh -s`.

    It runs in a session of its own with its output in files, so a connection that breaks does not end it; the
    files are printed at its end. It holds the migration's lock, which daemons that it starts do not inherit.
    """
    holder = (
        f'exec 9>>"$2" && flock -w {LOCK_WAIT} 9 || {{ {_BUSY}; exit {BUSY}; }}\n'
        'umask 022\nsh "$1/script" 9>&-\n'
    )
    return (
        "{\n"
        + _folder(script, name)
        + here('cat >"$folder/holder"', holder)
        + 'setsid sh "$folder/holder" "$folder" "$lock" </dev/null >"$folder/out" 2>"$folder/err" &\n'
        # Set after the start, because the script must not inherit it.
        "trap '' HUP PIPE\nwait $!\nstatus=$?\n"
        'cat "$folder/err" >&2\ncat "$folder/out"\nrm -rf "$folder"\nexit $status\n}\n'
    )


def streaming(script: str, name: str) -> str:
    """Given a long script whose output is wanted as it comes, return what to hand to `sh -s`.

    Its reader keeps standard input open and writes HEARTBEAT to it; the script and all that it started are
    ended when the input ends or is silent for SILENCE seconds. It holds the migration's lock.
    """
    return (
        "{\nexec 3<&0 </dev/null\n"
        + _folder(script, name)
        + f'exec 9>>"$lock" && flock -w {LOCK_WAIT} 9 || {{ rm -rf "$folder"; {_BUSY}; exit {BUSY}; }}\n'
        'umask 022\nsetsid sh "$folder/script" 3<&- &\nrunning=$!\n'
        "trap '' HUP PIPE\n"
        # dd takes what there is, so one sign is enough; an end of the input gives nothing.
        f'( exec 9>&-; while [ -n "$(timeout {SILENCE} dd bs=64 count=1 2>/dev/null <&3)" ]; do :; done\n'
        'kill -s TERM -- "-$running" ) >/dev/null 2>&1 &\nwatcher=$!\n'
        "exec 3<&- 9>&-\nwait $running\nstatus=$?\n"
        'kill "$watcher" 2>/dev/null\nrm -rf "$folder"\nexit $status\n}\n'
    )


def _folder(script: str, name: str) -> str:
    # A script that did not fit would run up to where it was cut off, and what it says would be lost.
    room = f'dd if=/dev/zero of="$folder/room" bs=1024 count={ROOM} 2>/dev/null && rm -f "$folder/room"'
    return (
        PRELUDE
        + lock_file(name)
        + "umask 077\n"
        + f'no_room() {{ rm -rf "$folder"; {_FULL}; exit {IO_ERROR}; }}\n'
        + 'folder=$(mktemp -d "${TMPDIR:-/tmp}/migrate.XXXXXXXXXX") || no_room\n'
        + here('cat >"$folder/script"', script)
        + f"[ $? -eq 0 ] && {room} || no_room\n"
    )
