"""The mark on each host that names the run which moves it, and what is remembered of the machine itself."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from migrator import host_text
from migrator.change import Change, HostName, Shell
from migrator.mailstore import arrivals
from migrator.steps.base import Context
from migrator.steps.common.port import prepared, state_folder

OTHER_RUN = "other-run"
"""The word of --force that takes a host from a run which nobody will go on with."""

_HOSTS: tuple[HostName, ...] = ("old", "new")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a mark says: the token of the run, and where its journal is."""

    run: str
    who: str


def mark(context: Context) -> str:
    """Return the path of the mark on a host."""
    return f"{state_folder(context)}/run"


def machine_key(host: str) -> str:
    """Return what the machine behind a host is remembered as."""
    return f"machine.{host}"


def claims(context: Context) -> Iterator[Change]:
    """Yield the marking of each host that this run has not marked yet; it fails where another run was quicker."""
    for host in _HOSTS:
        if machine_key(host) not in context.memory:
            yield Change(
                f"mark the {host} host as being moved by this run",
                Shell(host, prepared(context, _script(context)), shown=f"write {mark(context)}"),
                Shell(host, _removal(context), shown=f"remove {mark(context)}"),
                {machine_key(host): context.facts(host).machine},
            )


def parse(text: str) -> Claim | None:
    """Given the text of a mark, return what it says; None where there is none."""
    run, _, who = host_text.stripped(text).partition(" ")
    return Claim(run, who or "nobody knows from where") if run else None


def _script(context: Context) -> str:
    path = mark(context)
    who = f"its journal is in {context.plan.state_dir} on {socket.gethostname()}"
    text = f"{context.run} {' '.join(host_text.words(who))}"
    given_up = f"rm -f {path}\n" if OTHER_RUN in context.force else ""
    # Written beside and linked into place: the first of two runs that come at once has it, and it is never half.
    return (
        f"{given_up}printf '%s\\n' {shlex.quote(text)} >{path}.$$\n"
        f"ln {path}.$$ {path} 2>/dev/null || :\nrm -f {path}.$$\n"
        f"read -r run rest <{path}\n"
        f'[ "$run" = {shlex.quote(context.run)} ] || {{ echo "another run was quicker: $rest" >&2; exit 1; }}\n'
    )


def _removal(context: Context) -> str:
    # The folder stays where passes left their logs in it.
    return f"rm -f {mark(context)}\nrmdir {state_folder(context)} {arrivals.STATE} 2>/dev/null || :\n"
