"""DryRunExecutor: says what commands would do, and does nothing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping

from migrator import host_text
from migrator.change import BringHome, Command, DnsUpdate, FileEdit, Note, Rsync, SendProbe, Shell, Upload
from migrator.errors import MigrateError
from migrator.event import Event
from migrator.executor.copies import RsyncCopies
from migrator.executor.updates import DnsUpdater
from migrator.executor.ways import ReachableHost
from migrator.mailstore.spared import Spared
from migrator.plan import Plan
from migrator.secret import MASK

# Passwords of other servers may stand in the access map as well (cf/README, STARTTLS AND SMTP AUTHENTICATION).
_AUTHINFO = re.compile(r"(\s*AuthInfo:\S*\s+)\S.*", re.IGNORECASE | re.DOTALL)

_SHOWN = 20

_COUNTED = 8  # of how many trees rsync is asked what a pass would copy

FULL = "--full shows them"

LONGEST = 40
"""How many changed lines of a file, or lines of a script, are shown; a longer one is told, unless all is asked for."""


class DryRunExecutor:
    """Previews commands. Given the plan, both hosts, and what is told messages, of which a rehearsal has none.

    `spared` tells what of the trees belongs to the hosts themselves.
    What is longer than a person reads is told by its size, unless it is to be shown in full.
    """

    def __init__(
        self,
        plan: Plan,
        hosts: Mapping[str, ReachableHost],
        *,
        notify: Callable[[Event], None],
        spared: Callable[[], Spared] = Spared,
        full: bool = False,
    ) -> None:
        self._longest = None if full else LONGEST
        self._plan = plan
        self._copies = RsyncCopies(plan, hosts["old"], hosts["new"], spared=spared)
        self._notify = notify
        self._updater = DnsUpdater(plan)

    def execute(self, command: Command) -> bool:
        """Do nothing and return False."""
        return False

    def check(self, probe: Callable[[], None]) -> str:
        """Run a probe, which only looks, and return its complaint, "" where it has none."""
        try:
            probe()
        except MigrateError as error:
            return "; ".join(filter(None, (error.message, error.seen and f"seen: {error.seen}")))
        return ""

    def preview(self, command: Command) -> str:
        """Return what a command would do: the script, the difference of every file, the records, rsync's counts."""
        match command:
            case Shell():
                return f"on the {command.host} host:\n{self._script(command.shown or command.script)}"
            case Upload():
                return self._upload(command)
            case Rsync():
                return self._rsync(command)
            case BringHome():
                return self._home(command)
            case DnsUpdate():
                return self._updater.words(command)
            case SendProbe():
                return (
                    f"an SMTP dialogue with {command.address} port 25: from <{command.sender}> to "
                    f"<{command.recipient}>, which must be {command.expect}"
                )
            case Note():
                return "a note in the journal"

    def _upload(self, command: Upload) -> str:
        parts = [f"on the {command.host} host:"]
        parts += [_difference(edit, self._longest) for edit in command.files]
        if command.then:
            parts.append(
                "then, and where it fails everything is put back:\n"
                f"{self._script(command.shown or command.then)}"
            )
        return "\n".join(parts)

    def _script(self, script: str) -> str:
        lines = host_text.lines(script.strip())
        if self._longest is not None and len(lines) > self._longest:
            return _indented(f"a script of {len(lines)} lines ({FULL})")
        return _indented(script)

    def _rsync(self, command: Rsync) -> str:
        # Each takes an rsync through this machine, and nobody reads two thousand lines a pass.
        told = command.trees if self._longest is None else command.trees[:_COUNTED]
        lines = [self._pass(command, index) for index in told]
        if left := len(command.trees) - len(told):
            lines.append(f"and so {left:,} more trees ({FULL})")
        return "\n".join(lines)

    def _pass(self, command: Rsync, index: int) -> str:
        tree = self._plan.sync[index]
        words = f"rsync of {tree.source} on the old host to {tree.target} on the new one"
        words += ", deletions included" if command.delete else ""
        try:
            counts = self._copies.counts(index, delete=command.delete)
        except MigrateError as error:
            return f"{words}: rsync cannot tell yet how much ({error.seen or error.message})"
        return f"{words}: {counts}"

    def _home(self, command: BringHome) -> str:
        tree = self._plan.sync[command.tree]
        words = f"what {tree.target} of the new host has and {tree.source} of the old one lacks, added there"
        try:
            found = self._copies.homeless(command.tree)
        except MigrateError as error:
            return f"{words}: nobody can tell yet how much ({error.seen or error.message})"
        more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        return "\n".join([f"{words}: {len(found) or 'no'} files", *found[:_SHOWN], *more])


def _difference(edit: FileEdit, longest: int | None) -> str:
    before, after = _lines(edit.before), _lines(edit.after)
    if before is None or after is None:
        return f"{edit.path}: {_size(edit.before)} becomes {_size(edit.after)}"
    old_name = "/dev/null" if edit.before is None else edit.path
    new_name = "/dev/null" if edit.after is None else edit.path
    found = list(difflib.unified_diff(before, after, old_name, new_name, lineterm=""))
    added, removed = (sum(line.startswith(sign) for line in found[2:]) for sign in "+-")
    if longest is not None and added + removed > longest:
        what = "a new file, " if edit.before is None else "removed, " if edit.after is None else ""
        return f"{edit.path}: {what}{added} lines added and {removed} removed ({FULL})"
    return "\n".join(found) or f"{edit.path}: {'as it is' if edit.check else 'put back'}"


def _lines(content: bytes | None) -> list[str] | None:
    """Return the lines of a text file, none for an absent one, and None for what is no text."""
    if content is None:
        return []
    if b"\0" in content:
        return None
    lines = host_text.lines(content.decode("utf-8", "backslashreplace"))
    return [_AUTHINFO.sub(rf"\g<1>{MASK}", line) for line in lines]


def _size(content: bytes | None) -> str:
    return "no file" if content is None else f"{len(content)} bytes"


def _indented(script: str) -> str:
    return "\n".join(f"    {line}" for line in host_text.lines(script.strip()))
