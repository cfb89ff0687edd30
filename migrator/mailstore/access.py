"""The one door that the new host gets to the old one: a key whose only use is to read the planned trees by rsync.

OpenSSH runs the forced command of the key whatever its user asks for, and hands over what was asked in
SSH_ORIGINAL_COMMAND (sshd(8), "AUTHORIZED_KEYS FILE FORMAT"). The command here knows each tree by a token, so no
path ever crosses the line, and refuses everything but rsync's sending side.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from migrator.plan import Plan, SyncTree

HELLO = "migrate-read {name}"
"""What the door answers to a knock."""
KNOCK = "migrate-hello"
_RESTRICTIONS = "no-pty,no-port-forwarding,no-agent-forwarding,no-X11-forwarding"


@dataclass(frozen=True, slots=True)
class KeyPaths:
    """Where the new host keeps its half: the key pair, and the old host's key as it was verified."""

    private: str
    public: str
    known_hosts: str

    @classmethod
    def of(cls, name: str, home: str) -> KeyPaths:
        """Given a migration's name and the home of the ssh login, return the paths."""
        base = posixpath.join(home, ".ssh", f"migrate-{name}")
        return cls(base, f"{base}.pub", f"{base}.known_hosts")


@dataclass(frozen=True, slots=True)
class DoorPaths:
    """Where the old host keeps its half: the login's authorized_keys, and the forced command."""

    authorized_keys: str
    wrapper: str

    @classmethod
    def of(cls, name: str, home: str) -> DoorPaths:
        """Given a migration's name and the home of the ssh login, return the paths."""
        folder = posixpath.join(home, ".ssh")
        return cls(posixpath.join(folder, "authorized_keys"), posixpath.join(folder, f"migrate-{name}.sh"))


def token(tree: int) -> str:
    """Return the word by which the new host asks for a tree."""
    return f"migrate-tree-{tree}"


def authorized_line(
    name: str, public: str, sources: Sequence[str], wrapper: str, *, openssh: tuple[int, int]
) -> str:
    """Return the line for authorized_keys: one key, from these addresses, for this command alone.

    `restrict` came with OpenSSH 7.2; before it each right is taken away by its own word.
    """
    kind, _, rest = public.strip().partition(" ")
    key = rest.split(" ")[0]
    restricted = "restrict" if openssh >= (7, 2) else _RESTRICTIONS
    command = f"sh {shlex.quote(wrapper)}".replace("\\", "\\\\").replace('"', '\\"')
    return f'{restricted},from="{",".join(sources)}",command="{command}" {kind} {key} {_mark(name)}'


def with_entry(text: str, name: str, line: str) -> str:
    """Return an authorized_keys with this migration's line last, and every other line as it is."""
    kept = without_entry(text, name)
    gap = "" if not kept or kept.endswith("\n") else "\n"
    return f"{kept}{gap}{line}\n"


def without_entry(text: str, name: str) -> str:
    """Return an authorized_keys without this migration's lines."""
    ours = re.compile(rf"[^\n]* {re.escape(_mark(name))}(\n|\Z)")
    return "".join(line for line in re.findall(r"[^\n]*\n|[^\n]+\Z", text) if not ours.fullmatch(line))


def remove_entry_script(door: DoorPaths, name: str) -> str:
    """Return the script that takes this migration's line and command away, and leaves every other line as it is."""
    file, mark = shlex.quote(door.authorized_keys), shlex.quote(f" {_mark(name)}$")
    return (
        f"set -e\nfile={file}\n"
        f'if [ -e "$file" ] && grep -q -e {mark} "$file"; then\n'
        '    cp -a "$file" "$file.migrate"\n'
        f'    grep -v -e {mark} "$file" >"$file.migrate" || [ $? -eq 1 ]\n'
        '    mv -f "$file.migrate" "$file"\nfi\n'
        f"rm -f {shlex.quote(door.wrapper)}\n"
    )


def wrapper_script(name: str, trees: Sequence[SyncTree], *, sudo: bool) -> str:
    """Return the forced command: it lets rsync's sending side read the planned trees, and nothing else.

    The words of the request are split at blanks alone; of rsync's options only short ones and the long ones that
    a pass of this program uses are let through, so none that writes, runs or logs.
    """
    cases = "".join(f"    {token(index)}) tree={shlex.quote(tree.source)} ;;\n" for index, tree in enumerate(trees))
    rsync = "sudo -n rsync" if sudo else "rsync"
    return f"""#!/bin/sh
# Written by migrate for the migration {name}; removed at its end.
set -f
PATH=$PATH:/usr/local/bin:/usr/bin:/bin
refuse() {{ echo "migrate: this key only reads the planned trees" >&2; exit 1; }}
if [ "$SSH_ORIGINAL_COMMAND" = {KNOCK} ]; then echo {shlex.quote(HELLO.format(name=name))}; exit 0; fi
IFS=' '
set -- $SSH_ORIGINAL_COMMAND
case $1 in
{cases}    *) refuse ;;
esac
shift
[ "$1" = --server ] && [ "$2" = --sender ] || refuse
shift 2
words=
while [ $# -gt 2 ]; do
    case $1 in
        --delete | --delete-after | --delete-during | --delete-delay | --delete-before | --checksum) ;;
        --numeric-ids | --sparse | --partial | --timeout=[0-9]* | --bwlimit=[0-9]* | --hard-links) ;;
        --*) refuse ;;
        -*[!A-Za-z0-9.,]*) refuse ;;
        -[A-Za-z0-9]*) ;;
        *) refuse ;;
    esac
    words="$words $1"
    shift
done
[ "$1 $2" = '. .' ] || refuse
cd "$tree" || exit 23
exec {rsync} --server --sender $words . .
"""


def knock(plan: Plan, home: str, endpoint: tuple[str, int, str]) -> str:
    """Return the script that knocks at the old host from the new one, with the run's key."""
    host, _, user = endpoint
    return f"{shlex.join(ssh_command(plan.name, home, endpoint))} {shlex.quote(f'{user}@{host}')} {KNOCK}\n"


def ssh_command(name: str, home: str, endpoint: tuple[str, int, str]) -> tuple[str, ...]:
    """Return the ssh with which the new host reaches the old one: this key, this host key, no questions."""
    keys = KeyPaths.of(name, home)
    options = {
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": keys.known_hosts,
        "GlobalKnownHostsFile": "/dev/null",
        "ConnectTimeout": "20",
        "ServerAliveInterval": "15",
    }
    words = [word for option, value in options.items() for word in ("-o", f"{option}={value}")]
    return ("ssh", "-F", "/dev/null", "-i", keys.private, "-p", str(endpoint[1]), *words)


def _mark(name: str) -> str:
    return f"migrate:{name}"
