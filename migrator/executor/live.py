"""LiveExecutor: performs commands."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from migrator.change import BringHome, Command, DnsUpdate, Note, Rsync, SendProbe, Shell, Upload
from migrator.errors import CommandFailed, MigrateError, Refused, SmtpError, VerifyFailed
from migrator.event import Event, Kind
from migrator.executor.home import Homecoming
from migrator.executor.updates import DnsUpdater
from migrator.executor.ways import ReachableHost, Ways
from migrator.hosts.base import Output
from migrator.hosts.script import BUSY
from migrator.hosts.upload import CHANGED, upload_script
from migrator.mailstore import copying, copying_script, rsync
from migrator.mailstore.progress import Account, parse_progress, parse_size, parse_statistics
from migrator.net.smtp import Conversation, converse, smoke_message
from migrator.plan import Plan, SyncTree
from migrator.retry import COPY, Sleep

_SHOWN = 20
_PROGRESS_EVERY = 0.5  # seconds


class LiveExecutor:
    """Performs commands on the hosts "old" and "new", and from the operator's machine.

    Given the plan, both hosts, and what is told messages and progress. `now` and `sleep` are for tests.
    """

    def __init__(
        self,
        plan: Plan,
        hosts: Mapping[str, ReachableHost],
        *,
        notify: Callable[[Event], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Sleep = time.sleep,
    ) -> None:
        self._plan = plan
        self._hosts = hosts
        self._notify = notify
        self._now = now
        self._sleep = sleep
        self.account = Account()
        self._updater = DnsUpdater(plan)
        self._ways = Ways(plan, hosts["old"], hosts["new"])

    def execute(self, command: Command) -> bool:
        """Perform a command and return True. Raises MigrateError where it fails."""
        match command:
            case Shell():
                self._shell(command)
            case Upload():
                self._upload(command)
            case Rsync():
                self._rsync(command)
            case BringHome():
                self._home(command)
            case DnsUpdate():
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
        output = self._hosts[command.host].perform(command.script, timeout=command.timeout, on_line=on_line)
        if output.status != 0:
            raise _failed("a change failed", command.host, output)

    def _upload(self, command: Upload) -> None:
        output = self._hosts[command.host].perform(upload_script(command), timeout=command.timeout)
        paths = ", ".join(edit.path for edit in command.files)
        if output.status == CHANGED:
            raise CommandFailed(
                "a file is not as it was when it was read, so nothing was written",
                status=output.status,
                host=command.host,
                expected=f"{paths} as they were read",
                seen=_last_words(output),
                advice="see who else edits it; then run the same command again: it reads the file anew",
            )
        if output.status != 0:
            raise _failed(f"changing {paths} failed", command.host, output)

    def _rsync(self, command: Rsync) -> None:
        tree = self._plan.sync[command.tree]
        output = COPY.retrying(_BrokenOff, sleep=self._sleep)(self._pull, command, tree)
        done = parse_statistics(output.stdout)
        self.tell(
            Kind.MESSAGE,
            "new",
            f"{tree.source}: {done.copied} of {done.files} files copied, {done.size} bytes; {done.deleted} deleted",
            {"files": done.files, "copied": done.copied, "deleted": done.deleted, "bytes": done.size},
        )

    def _home(self, command: BringHome) -> None:
        brought = Homecoming(self._plan, command.tree, self._hosts["old"], self._hosts["new"]).bring()
        tree = self._plan.sync[command.tree]
        data = {"files": brought.files, "messages": brought.messages, "left": list(brought.left)}
        self.tell(Kind.MESSAGE, "old", f"{tree.source}: {brought}", data)
        if brought.left:
            more = f" and {len(brought.left) - _SHOWN} more" if len(brought.left) > _SHOWN else ""
            shown = ", ".join(brought.left[:_SHOWN])
            text = f"{tree.source}: other files that differ stay as they are on the old host: {shown}{more}"
            self.tell(Kind.MESSAGE, "old", text, {"left": list(brought.left)})

    def _pull(self, command: Rsync, tree: SyncTree) -> Output:
        with self._ways.way() as way:
            planned = copying.Pass(
                name=self._plan.name,
                index=command.tree,
                tree=tree,
                way=way,
                copying=self._plan.copying,
                spool=self._plan.old.mail_spool,
                delete=command.delete,
                max_delete=command.max_delete,
                keep_younger=command.keep_younger,
                trees=len(self._plan.sync),
            )
            output = self._made(command, planned)
        if output.status != 0:
            raise self._unmade(output, tree)
        return output

    def _made(self, command: Rsync, planned: copying.Pass) -> Output:
        progress = _ProgressReader(self, command, planned.tree.source)
        perform = self._hosts["new"].perform
        if command.scope == "changed" and planned.prune is not None:
            output = perform(planned.changed(), timeout=command.longest, on_line=progress)
            if output.status != copying_script.CANNOT_TELL:
                return output
            why = f"{planned.tree.source}: everything is looked at. {_brief(output.stderr)}".rstrip()
            self.tell(Kind.MESSAGE, "new", why, {"tree": command.tree})
        return perform(planned.whole(), timeout=command.longest, on_line=progress)

    def _unmade(self, output: Output, tree: SyncTree) -> MigrateError:
        """Return what the end of a pass means that did not succeed."""
        seen = f"exit status {output.status}: {_last_words(output)}"
        if output.status == copying_script.TOO_MANY:
            return Refused(
                f"a pass would delete too much of {tree.target}",
                host="new",
                expected=f"at most {self._plan.copying.max_delete:.0%} of it to be deleted (max_delete)",
                seen=_last_words(output),
                advice=f"see that {tree.source} of the old host is mounted, whole, and the right folder",
                lifted_by="max-delete",
            )
        if output.status == copying_script.FOREIGN:
            return VerifyFailed(
                f"{tree.target} was changed by others",
                host="new",
                expected="a tree that only this migration changes until the new host opens",
                seen=_last_words(output),
                advice="see who does: IMAP and POP of the new host have to wait until it opens",
            )
        known = {
            "host": "new",
            "expected": "exit status 0",
            "seen": seen,
            "advice": rsync.advice(output.status, output.stderr),
        }
        if output.status == rsync.VANISHED:
            # Not this pass then; the step's next attempt may find them gone for good.
            return VerifyFailed(f"files of {tree.source} vanished during the pass", **known)
        if output.status in rsync.BROKEN:
            text = f"{tree.source}: rsync broke off with exit status {output.status}"
            self.tell(Kind.MESSAGE, "new", text, {"status": output.status})
            return _BrokenOff(f"rsync of {tree.source} failed", status=output.status, **known)
        return CommandFailed(f"rsync of {tree.source} failed", status=output.status, **known)

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
        held.require()
        reply = held.deciding
        refused = not held.accepted and reply is not None and 500 <= reply.code < 600
        if held.accepted != wanted or not (wanted or refused):
            raise _unexpected(command, held)

    def tell(self, kind: Kind, host: str, text: str, data: dict[str, Any]) -> None:
        """Tell an event of a host (or the operator): its text for a person, its data for programs."""
        self._notify(Event(kind, self._now(), host=host, text=text, data=data))


class _BrokenOff(CommandFailed):
    """A pass ended with its connection, and may go on with another one."""


class _ProgressReader:
    """Turns rsync's progress lines into events, not more often than anybody can read."""

    def __init__(self, executor: LiveExecutor, command: Rsync, source: str) -> None:
        self._executor = executor
        self._first = command.scope == "whole" and not command.delete
        self._tree = command.tree
        self._source = source
        self._next = 0.0

    def __call__(self, line: str) -> None:
        if (size := parse_size(line)) is not None:
            known = self._executor.account
            begun = known if known.totals else replace(known, began=time.monotonic())
            self._executor.account = begun.with_total(*size)
        progress = parse_progress(line)
        if progress is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _PROGRESS_EVERY
        data: dict[str, Any] = asdict(progress)
        data["bytes"] = data.pop("size")
        files = f"{progress.files:,} files, " if progress.files else ""
        text = (
            f"{self._source}: {progress.size:,} bytes, {files}{progress.percent} %, {progress.rate / 1e6:.1f} MB/s, "
            f"{progress.left} to go"
        )
        if self._first and self._executor.account.totals:
            account = self._executor.account = self._executor.account.with_copied(self._tree, progress.size)
            overall = account.overall(time.monotonic())
            data["overall"] = asdict(overall)
            text += f"; of all trees {overall.percent} %, {overall.left} to go"
        self._executor.tell(Kind.PROGRESS, "new", text, data)


def _brief(text: str) -> str:
    return text.strip().rpartition("\n")[2][:200]


def _last_words(output: Output) -> str:
    said = output.stderr.strip() or output.stdout.strip()
    return said[-800:] or f"exit status {output.status}, and no word"


def _failed(message: str, host: str, output: Output) -> CommandFailed:
    if output.status == BUSY and "another script of this migration" in output.stderr:
        advice = "wait until it has ended (ps on that host shows it), and run the same command again"
    elif rsync.NO_SPACE in output.stderr:
        advice = rsync.FULL
    else:
        advice = "see to what it says, and run the same command again: it goes on from there"
    return CommandFailed(
        message,
        status=output.status,
        host=host,
        expected="exit status 0",
        seen=f"exit status {output.status}: {_last_words(output)}",
        advice=advice,
    )


def _unexpected(command: SendProbe, held: Conversation) -> SmtpError:
    if command.expect == "accepted":
        expected = f"a message to {command.recipient} is taken with 250"
        advice = "see what the log of that host says about this recipient, and run the same command again"
    else:
        expected = f"{command.recipient} is refused for good (5xx)"
        advice = "an open relay is found and abused within hours: see class R and the access map of that host"
    return SmtpError(
        f"port 25 of {command.address} did not answer as it should",
        host="operator",
        expected=expected,
        seen=held.text,
        advice=advice,
    )
