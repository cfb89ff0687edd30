"""What a tree of the new host has and the old one lacks: looked for on both, and carried by the operator's machine."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeVar

from migrator.errors import CommandFailed, HostError
from migrator.hosts.base import Host, Output
from migrator.hosts.channel import KEPT
from migrator.hosts.script import BUSY, LOCK_WAIT, lock_file
from migrator.hosts.spool import Spool
from migrator.hosts.tunnel import Tunnelled, carry, lines_of, rehearse
from migrator.mailstore import home, joining, messages, rsync
from migrator.mailstore.entering import ENTER
from migrator.mailstore.home import Entry, Homeless
from migrator.mailstore.spared import Spared
from migrator.plan import Plan, SyncTree

JOIN_TIMEOUT = 4 * 3600.0
"""How long joining a group of mailboxes may take, in seconds: a huge one is sorted, and locks are waited for."""

_SHOWN = 5

_GROUP = 20_000
"""How many names are in memory at a time; each group costs a look at the names of the old host's tree."""

_Item = TypeVar("_Item")


class RelayedHost(Host, Tunnelled, Protocol):
    """A mail host whose commands can be connected to those of the other one."""


@dataclass(slots=True)
class Brought:
    """What was brought home: files, messages of mailboxes, and which files are otherwise on both hosts."""

    files: int = 0
    messages: int = 0
    left: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.files} files and {self.messages} messages of mailboxes brought home"


class Homecoming:
    """One tree of a plan, both hosts, and what is between them. Given the plan, the tree's number and the hosts.

    Nothing is brought home of what the hosts keep for themselves (`spared`), nor of a tree that is such a place.
    """

    def __init__(
        self, plan: Plan, index: int, old: RelayedHost, new: RelayedHost, spared: Spared | None = None
    ) -> None:
        self._tree: SyncTree = plan.sync[index]
        self._name = plan.name
        own = spared or Spared()
        self._spared = own.inside(index)
        self._hosts_own = own.around(index)
        self._home = home.folder(plan.name, index)
        self._old = old
        self._new = new

    def homeless(self) -> tuple[str, ...]:
        """Return what the new host has and the old one lacks, a line a file; nothing is written. See Copies."""
        found = self._look()
        lines = [path for path, folder in found.carried() if not folder]
        for group in home.batches(found.mailboxes):
            paths = [entry.path for entry in group]
            there, here = (self._marks(host, paths) for host in (self._new, self._old))
            for number, path in enumerate(paths):
                count = (there[number] - here[number]).total()
                lines += [f"{path}: {count} message{'s' if count > 1 else ''}"] if count else []
        return tuple(lines)

    def bring(self) -> Brought:
        """Add to the old host what it lacks, and return what that was. It bears repetition.

        Raises CommandFailed naming the mailboxes that could not be joined, after all others were; HostError where a
        connection ends.
        """
        found = self._look()
        done = Brought(left=tuple(found.left))
        for some in _in_groups(found.carried(), _GROUP):
            self._carry([path for path, _ in some])
            done.files += sum(not folder for _, folder in some)
        troubles: list[str] = []
        for group in list(home.batches(found.mailboxes)) or [()]:
            done.messages += self._join(group, troubles)
        if troubles:
            more = f"; and {len(troubles) - _SHOWN} more" if len(troubles) > _SHOWN else ""
            raise CommandFailed(
                f"mail of {self._tree.source} could not all be brought home",
                status=1,
                host="old",
                expected="every mailbox of the new host is joined with the old host's",
                seen="; ".join(troubles[:_SHOWN]) + more,
                advice="see to these mailboxes, then run the same command again: it goes on from there",
            )
        return done

    def _look(self) -> _Found:
        """Return what is to be done, after all of the listing was looked at, some names at a time."""
        found = _Found()
        if self._hosts_own:
            return found
        words = home.listing_words(self._tree, self._spared)
        listing = rehearse(self._new, self._old, words, source=self._there, target=self._here)
        self._expect(listing, "compare")
        try:
            for entries in _in_groups(home.entries(lines_of(listing)), _GROUP):
                found.add(self._sorted_out(entries))
        except ValueError as error:
            raise HostError("rsync lists what cannot be", host="new", seen=str(error)) from error
        return found

    def _sorted_out(self, entries: Sequence[Entry]) -> Homeless:
        keys = sorted({entry.key for entry in entries if entry.key and entry.missing})
        files = home.candidates(entries)
        known = self._numbers(self._old, home.keys_script(self._here, keys), len(keys)) if keys else ()
        paths = [entry.path for entry in files]
        boxes = (
            self._numbers(self._new, home.mailboxes_script(self._there, paths), len(paths)) if paths else ()
        )
        return home.sort_out(entries, [keys[number] for number in known], [paths[number] for number in boxes])

    def _join(self, group: Sequence[Entry], troubles: list[str]) -> int:
        paths = [entry.path for entry in group]
        if paths:
            self._carry(paths, inside="stage")
        script = joining.join_script(
            self._here, paths, home=self._home, name=self._name, patience=joining.PATIENCE
        )
        output = self._old.perform(script, timeout=JOIN_TIMEOUT)
        try:
            joined = joining.parse_joined(output.stdout, len(paths))
        except ValueError as error:
            raise _unclear(output, "old", "mailboxes could not be joined") from error
        if joined.unsettled:
            raise _unclear(
                Output(output.status, "", joined.unsettled), "old", "an earlier try could not be ended"
            )
        full = [f"{self._here.rstrip('/')}/{path}" for path in paths]
        troubles += [f"{full[number]} is locked by another program" for number in joined.locked]
        troubles += [f"{full[number]} {reason}" for number, reason in joined.refused.items()]
        return sum(joined.added.values())

    def _carry(self, paths: Sequence[str], *, inside: str = "") -> None:
        written = self._old.perform(home.list_script(self._home, paths, inside=inside), timeout=900.0)
        if written.status != 0:
            raise _unclear(written, "old", f"{self._home} could not be written")
        lock = (
            f'{lock_file(self._name)}exec 9>>"$lock" && flock -w {LOCK_WAIT} 9 || '
            f"{{ echo 'another script of this migration still runs' >&2; exit {BUSY}; }}\n"
        )
        target = f"{self._home}/{inside}/" if inside else self._here
        lock += f"{ENTER}(enter_tree {shlex.quote(target)}) || exit 1\n"
        words = home.carrying_words(self._home, basis=self._here if inside else "")
        self._expect(
            carry(self._new, self._old, words, source=self._there, target=target, lock=lock), "carry home"
        )

    def _marks(self, host: RelayedHost, paths: Sequence[str]) -> list[messages.Marks]:
        folder = self._there if host is self._new else self._here
        output = host.inspect(messages.marks_script(folder, paths, growing=host is self._old))
        try:
            found = messages.parse_marks(output.stdout)
            return [found[number] for number in range(len(paths))]
        except (ValueError, KeyError) as error:
            raise _unclear(output, host.name, "mailboxes could not be looked at") from error

    def _numbers(self, host: RelayedHost, script: str, count: int) -> tuple[int, ...]:
        output = host.inspect(script)
        try:
            return home.parse_numbers(output.stdout, count)
        except ValueError as error:
            raise _unclear(output, host.name, "mail could not be looked at") from error

    def _expect(self, output: Output, deed: str) -> None:
        if output.status < 0:
            raise HostError(
                "the connection ended before rsync did",
                host="old",
                advice="run the same command again: it goes on from there",
            )
        if output.status != 0:
            said = "\n".join(filter(None, (output.stderr.strip()[-300:], output.stdout.strip()[-300:])))
            raise CommandFailed(
                f"rsync cannot {deed} {self._there} of the new host with {self._here} of the old one"
                if deed == "compare"
                else f"rsync cannot {deed} {self._there} of the new host",
                status=output.status,
                host="old",
                expected="exit status 0",
                seen=f"exit status {output.status}: {said}",
                advice=self._cure(output),
            )

    def _cure(self, output: Output) -> str:
        if output.status in _ADVICE and not rsync.cause(output.stderr):
            return _ADVICE[output.status]
        return f"{rsync.advice(output.status, output.stderr)}; then run the same command again: it goes on from there"

    @property
    def _here(self) -> str:
        return self._tree.source.rstrip("/") + "/"

    @property
    def _there(self) -> str:
        return rsync.destination(self._tree)


class _Found:
    """What is done about a tree. The names of what is carried are many, and stand on the disk where they are."""

    def __init__(self) -> None:
        self.mailboxes: list[Entry] = []
        self.left: list[str] = []
        self._carried = Spool(KEPT)

    def add(self, some: Homeless) -> None:
        """Take in what is done about some of the names."""
        self.mailboxes += some.mailboxes
        self.left += some.left
        shown = frozenset(some.shown)
        records = (f"{'-' if path in shown else 'd'}{path}\0" for path in some.carried)
        self._carried.write("".join(records).encode("utf-8", "surrogateescape"))

    def carried(self) -> Iterator[tuple[str, bool]]:
        """Yield each path that is carried, a folder before what is in it, and whether it is a folder."""
        for record in self._carried.records(b"\0"):
            yield record[1:].decode("utf-8", "surrogateescape"), record[:1] == b"d"


def _in_groups(each: Iterable[_Item], most: int) -> Iterator[list[_Item]]:
    remaining = iter(each)
    while group := list(islice(remaining, most)):
        yield group


_ADVICE = {
    11: "a file could not be written: see df -h on the old host; then run the same command again",
    12: "the connection between the hosts broke: run the same command again, it goes on from there",
    rsync.VANISHED: "something still changes mailboxes on the new host: stop it there, and run the same command again",
}


def _unclear(output: Output, host: str, message: str) -> CommandFailed:
    said = output.stderr.strip()[-800:] or "no word"
    return CommandFailed(
        message,
        status=output.status,
        host=host,
        expected="exit status 0, and all of it told",
        seen=f"exit status {output.status}: {said}" if output.status else said,
        advice="see to what it says, and run the same command again: it goes on from there",
    )
