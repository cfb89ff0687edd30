"""Where the old host has to open the way (`sync.via = "push"`): its key to the new one, good for one port alone."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from migrator import host_text
from migrator.change import Change, FileEdit, HostName, Shell, Upload
from migrator.hosts.push import PushPaths, push_port, restrictions
from migrator.mailstore import access
from migrator.steps.base import Context
from migrator.steps.common.door import door
from migrator.steps.common.key_files import authorized, key_owner, key_pair, known_host

_PENDING = "ssh-ed25519 (the public half of the key made above)"


def needed(context: Context) -> bool:
    """Return whether the plan has the old host open the way."""
    return context.plan.copying.via == "push"


def changes(context: Context) -> Iterator[Change]:
    """Yield the pair on the old host, what it knows of the new one, and the restricted entry there."""
    paths = push_paths(context)
    undo = Shell("old", removal_script(context, "old"))
    summary = f"make the key on the old host by which it holds a port of the new one open ({paths.private})"
    yield from key_pair(context, "old", paths.private, summary, undo)
    yield from known_host(context, "old", paths.known_hosts, undo)
    public = host_text.stripped(context.old.read_file(paths.public) or _PENDING)
    facts, plan = context.facts("new"), context.plan
    sources = tuple(dict.fromkeys(filter(None, (context.facts("old").source, *plan.old.addresses))))
    line = access.entry(plan.name, public, sources, restrictions(plan.name, facts.openssh))
    path = door(context, "new").authorized_keys
    present = context.new.read_file(path)
    wanted = access.with_entry(present or "", plan.name, line)
    if present != wanted:
        before = None if present is None else present.encode("utf-8", "surrogateescape")
        content = wanted.encode("utf-8", "surrogateescape")
        edit = FileEdit(path, before, content, mode="0600", owner=key_owner(facts))
        yield Change(
            f"let that key hold port {push_port(plan.name)} of the new host's loopback from {' and '.join(sources)}, "
            "and nothing else",
            Upload("new", (edit,)),
            Shell("new", removal_script(context, "new")),
        )


def push_paths(context: Context) -> PushPaths:
    """Return where the old host keeps its key."""
    return PushPaths.of(context.plan.name, context.facts("old").home)


def installed(context: Context, host: HostName) -> bool:
    """Return whether a host holds a part of that key."""
    if host == "old":
        return any(text is not None for text in context.old.read_files(push_paths(context).files).values())
    return authorized(context, "new", door(context, "new"))


def removal_script(context: Context, host: HostName) -> str:
    """Return the script that removes that key from a host, and ends what it holds open."""
    if host == "new":
        return access.remove_entry_script(door(context, "new"), context.plan.name)
    paths = push_paths(context)
    return (
        f"ssh -O exit -S {shlex.quote(paths.control)} new </dev/null >/dev/null 2>&1 || :\n"
        f"rm -f {shlex.join((*paths.files, paths.control))}\n"
    )
