"""One tool before one host of files and answers: what it measures, what it yields, and what performing leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from migrator.change import Change, Undo
from migrator.hosts.facts import Account
from migrator.steps.base import Context
from migrator.toolbox.base import Tool
from tests.fakes import FakeExecutor, FakeHost, World, make_facts, make_plan

PROC_NET = "  sl  local_address rem_address   st tx_queue\n"
LISTENS = PROC_NET + "   0: 0100007F:0019 00000000:0000 0A 00000000:00000000\n"
"""What /proc/net/tcp says of a host that listens on port 25 of 127.0.0.1."""

CF = """\
O QueueDirectory=/var/spool/mqueue/q*
O AliasFile=/etc/mail/aliases
O ForwardPath=$z/.forward.$w:$z/.forward
O TrustedUser=smmta
O DontBlameSendmail=,ForwardFileInGroupWritableDirPath
Fw-o /etc/mail/local-host-names %[^\\#]
Kaccess hash -T<TMPF> /etc/mail/access
Kvirtuser hash -o /etc/mail/virtusertable
"""


class Stand:
    """The new host of a plan, and what a tool does to it."""

    def __init__(self, *users: str) -> None:
        self.world = World(make_plan())
        names = ("root", "smmta", *users)
        accounts = {
            name: Account(
                name, 1000 + number if number > 1 else number * 100, 1000 + number, f"/home/{name}", "/bin/sh"
            )
            for number, name in enumerate(names)
        }
        self.world.facts["new"] = make_facts(cf=CF, accounts=accounts)
        self.host.files["/etc/mail/sendmail.cf"] = CF.encode()
        self.executor = FakeExecutor(self.world)

    @property
    def host(self) -> FakeHost:
        return self.world.new

    def facts(self, **changes: Any) -> None:
        """Change what a look at the host tells."""
        self.world.facts["new"] = replace(self.world.facts["new"], **changes)

    def context(self) -> Context:
        return self.world.context()

    def look(self, tool: Tool) -> list[Change]:
        """Return what a tool would yield if nothing were done."""
        return list(tool.changes(self.context()))

    def perform(self, tool: Tool) -> list[Change]:
        """Do each change before the next is asked for, and return them."""
        done = []
        for change in tool.changes(self.context()):
            self.executor.execute(change.do)
            done.append(change)
        return done

    def undo(self, changes: list[Change]) -> None:
        """Undo changes, the newest first."""
        for change in reversed(changes):
            if not isinstance(change.undo, Undo):
                self.executor.execute(change.undo)

    def measured(self, tool: Tool) -> dict[str, str]:
        return dict(tool.measured(self.context()))


def dump(folder: str, **messages: str) -> str:
    """Return control files as the queue's reader frames them, without the NUL that ends the whole."""
    return "".join(
        f"{folder}/qf{name}\0{line}\n"
        for name, content in messages.items()
        for line in content.rstrip("\n").split("\n")
    )


def control(*recipients: str, reason: str = "", tries: int = 0, sender: str = "s@example.test") -> str:
    """Return a control file of version 8."""
    lines = ["V8", "T1796000000", f"N{tries}", f"S<{sender}>"]
    lines[3:3] = [f"M{reason}"] if reason else []
    return "\n".join([*lines, *(f"RPFD:<{one}>" for one in recipients), "."])


def waiting(stand: Stand, mta: str = "", client: str = "", *, sockets: str = LISTENS) -> None:
    """Let these messages wait on the host."""
    mark = "\n====queue====\n"
    stand.host.on(r"====sockets====", f"{mta}\0{mark}{client}\0\n====sockets====\n{sockets}")
