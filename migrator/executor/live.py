"""LiveExecutor: performs commands."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from migrator.change import BringHome, Command, DnsUpdate, Note, Rsync, SendProbe, Shell, Upload
from migrator.errors import CommandFailed, SmtpError
from migrator.event import Event, Kind
from migrator.executor.heartbeat import beating
from migrator.executor.home import Homecoming
from migrator.executor.pulling import Puller, last_words
from migrator.executor.updates import DnsUpdater
from migrator.executor.ways import ReachableHost
from migrator.hosts.base import Output
from migrator.hosts.script import BUSY
from migrator.hosts.upload import CHANGED, upload_script
from migrator.mailstore import rsync
from migrator.mailstore.spared import Spared
from migrator.net.smtp import Conversation, converse, smoke_message
from migrator.plan import Plan
from migrator.retry import Sleep

_SHOWN = 20


class LiveExecutor:
    """Performs commands on the hosts "old" and "new", and from the operator's machine.

    Given the plan, both hosts, and what is told messages and progress. `spared` tells what of the trees belongs to the
    hosts themselves. `now` and `sleep` are for tests.
    """

    def __init__(
        self,
        plan: Plan,
        hosts: Mapping[str, ReachableHost],
        *,
        notify: Callable[[Event], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Sleep = time.sleep,
        spared: Callable[[], Spared] = Spared,
    ) -> None:
        self._plan = plan
        self._hosts = hosts
        self._notify = notify
        self._now = now
        self._updater = DnsUpdater(plan)
        self._puller = Puller(plan, hosts, tell=self.tell, sleep=sleep, spared=spared)
        self._spared = spared

    def execute(self, command: Command) -> bool:
        """Perform a command and return True. Raises MigrateError where it fails."""
        match command:
            case Shell():
                self._shell(command)
            case Upload():
                self._upload(command)
            case Rsync():
                self._puller.pull(command)
            case BringHome():
                self._home(command)
            case DnsUpdate():
                with self._beating("operator", f"the change of the address records of {command.name}"):
                    self._updater.perform(command)
            case SendProbe():
                self._probe(command)
            case Note():
                pass
        return True

    def check(self, probe: Callable[[], None]) -> str:
        """Run a probe and return "". What it raises goes through."""
        probe()
        return ""

    def _shell(self, command: Shell) -> None:
        def told(line: str) -> None:
            self.tell(Kind.PROGRESS, command.host, line, {})

        on_line = told if command.progress else None
        with self._beating(command.host, command.shown or "a script that it runs"):
            output = self._hosts[command.host].perform(
                command.script, timeout=command.timeout, on_line=on_line
            )
        if output.status != 0:
            raise _failed("a change failed", command.host, output)

    def _upload(self, command: Upload) -> None:
        with self._beating(command.host, f"{', '.join(edit.path for edit in command.files)}, and a reload"):
            output = self._hosts[command.host].perform(upload_script(command), timeout=command.timeout)
        paths = ", ".join(edit.path for edit in command.files)
        if output.status == CHANGED:
            raise CommandFailed(
                "a file is not as it was when it was read, so nothing was written",
                status=output.status,
                host=command.host,
                expected=f"{paths} as they were read",
                seen=last_words(output),
                advice="see who else edits it; then run the same command again: it reads the file anew",
            )
        if output.status != 0:
            raise _failed(f"changing {paths} failed", command.host, output)

    def _home(self, command: BringHome) -> None:
        brought = Homecoming(
            self._plan, command.tree, self._hosts["old"], self._hosts["new"], self._spared()
        ).bring()
        tree = self._plan.sync[command.tree]
        data = {"files": brought.files, "messages": brought.messages, "left": list(brought.left)}
        self.tell(Kind.MESSAGE, "old", f"{tree.source}: {brought}", data)
        if brought.left:
            more = f" and {len(brought.left) - _SHOWN} more" if len(brought.left) > _SHOWN else ""
            shown = ", ".join(brought.left[:_SHOWN])
            text = f"{tree.source}: other files that differ stay as they are on the old host: {shown}{more}"
            self.tell(Kind.MESSAGE, "old", text, {"left": list(brought.left)})

    def _probe(self, command: SendProbe) -> None:
        wanted = command.expect == "accepted"
        message = (
            smoke_message(command.token, command.sender, command.recipient, self._now()) if wanted else None
        )
        held = converse(
            command.address,
            helo=f"migrate.{self._plan.domains[0]}",
            sender=command.sender,
            recipients=[command.recipient],
            message=message,
        )
        self.tell(Kind.MESSAGE, "operator", held.text, {"address": command.address, "token": command.token})
        if not wanted:
            self._relay_probed(command, held)
            return
        held.require()
        if not held.accepted:
            raise _unexpected(command, held)

    def _relay_probed(self, command: SendProbe, held: Conversation) -> None:
        """Tell what the answer to a stranger's recipient says. Raises SmtpError where it is taken: only that relays.

        A refusal is one for good or for now (RFC 5321, 4.2.1); where nobody came as far as the recipient, it is none.
        """
        if held.accepted:
            raise _unexpected(command, held)
        reply = held.reply("rcpt")
        if reply is not None and reply.code >= 400:
            how = "for good" if reply.code >= 500 else "for now"
            text = f"{command.address} refuses to relay {how}: {reply.code} {reply.text}"
        else:
            seen = held.error or (
                f"{held.deciding.code} {held.deciding.text}" if held.deciding else "no reply"
            )
            text = (
                f"whether {command.address} relays for strangers could not be told from this machine: {seen}"
            )
        self.tell(Kind.MESSAGE, "operator", text, {"address": command.address, "token": command.token})

    def _beating(self, host: str, what: str) -> AbstractContextManager[None]:
        line = what.strip().partition("\n")[0]
        return beating(line, lambda text: self.tell(Kind.PROGRESS, host, text, {}))

    def tell(self, kind: Kind, host: str, text: str, data: dict[str, Any]) -> None:
        """Tell an event of a host (or the operator): its text for a person, its data for programs."""
        self._notify(Event(kind, self._now(), host=host, text=text, data=data))


def _failed(message: str, host: str, output: Output) -> CommandFailed:
    if output.status == BUSY and "another script of this migration" in output.stderr:
        advice = "wait until it has ended (ps on that host shows it), and run the same command again"
    elif rsync.is_full(output.stderr):
        advice = rsync.FULL
    else:
        advice = "see to what it says, and run the same command again: it goes on from there"
    return CommandFailed(
        message,
        status=output.status,
        host=host,
        expected="exit status 0",
        seen=f"exit status {output.status}: {last_words(output)}",
        advice=advice,
    )


def _unexpected(command: SendProbe, held: Conversation) -> SmtpError:
    if command.expect == "accepted":
        expected = f"a message to {command.recipient} is taken with 250"
        advice = "see what the log of that host says about this recipient, and run the same command again"
    else:
        expected = f"{command.recipient} is refused (5xx, or 4xx for now)"
        advice = (
            "an open relay is found and abused within hours: see class R and the access map of that host. Where they "
            "let this machine's own address relay on purpose, try it from a stranger's"
        )
    return SmtpError(
        f"port 25 of {command.address} did not answer as it should",
        host="operator",
        expected=expected,
        seen=held.text,
        advice=advice,
    )
