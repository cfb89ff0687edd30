"""The files of a key on a host: the pair, what it knows of the other host, and the line that lets it in."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from migrator.change import Change, FileEdit, HostName, Shell, Upload
from migrator.hosts.facts import HostFacts
from migrator.mailstore import access
from migrator.steps.base import Context


def key_pair(context: Context, host: HostName, path: str, summary: str, undo: Shell) -> Iterator[Change]:
    """Yield the making of a pair without a passphrase, where there is none."""
    if context.reader(host).read_file(f"{path}.pub") is None:
        quoted = shlex.quote(path)
        script = (
            f"set -e\nmkdir -p -m 700 {shlex.quote(path.rpartition('/')[0])}\n"
            f"[ -s {quoted}.pub ] || {{ rm -f {quoted}; "
            f"ssh-keygen -q -t ed25519 -N '' -C {shlex.quote('migrate:' + context.plan.name)} -f {quoted}; }}\n"
        )
        yield Change(summary, Shell(host, script), undo)


def known_host(context: Context, host: HostName, path: str, undo: Shell) -> Iterator[Change]:
    """Yield what a host knows of the other one's key: just that which was verified here."""
    beyond = "new" if host == "old" else "old"
    address, port, _ = context.door.endpoint(beyond)
    wanted = context.door.host_key_line(address, port, beyond).encode("ascii")
    present = context.reader(host).read_file(path)
    before = None if present is None else present.encode("utf-8", "surrogateescape")
    if before != wanted:
        yield Change(
            f"tell the {host} host the {beyond} one's host key, as it was verified here",
            Upload(host, (FileEdit(path, before, wanted, mode="0600"),)),
            undo,
        )


def authorized(context: Context, host: HostName, door: access.DoorPaths) -> bool:
    """Return whether a host has a line, or a wrapper, of this migration."""
    texts = context.reader(host).read_files((*door.files, door.wrapper))
    lines = [texts[path] or "" for path in door.files]
    entered = any(access.without_entry(text, context.plan.name) != text for text in lines)
    return entered or texts[door.wrapper] is not None


def key_owner(facts: HostFacts) -> str:
    """Return whose the files in the home folder of the user are that ssh logs in as, as chown is told it."""
    account = facts.accounts.get(facts.login)
    return f"{facts.login}:{account.gid}" if account else "root:root"
