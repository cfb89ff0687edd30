"""Passes over the trees of the plan: what the new host pulls, what is told meanwhile, and what an end means."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from migrator.change import Rsync
from migrator.errors import CommandFailed, MigrateError, Refused, VerifyFailed
from migrator.event import Kind
from migrator.executor.ways import ReachableHost, Ways
from migrator.hosts.base import Output
from migrator.mailstore import copying, copying_script, forest, rsync
from migrator.mailstore.forest_pass import ForestPass
from migrator.mailstore.progress import Account, parse_progress, parse_size, parse_statistics
from migrator.mailstore.spared import Spared
from migrator.mailstore.together import Told, labelled, parse, together
from migrator.mailstore.way import Way
from migrator.plan import Plan, SyncTree
from migrator.retry import COPY, Sleep

Tell = Callable[[Kind, str, str, dict[str, Any]], None]

_PROGRESS_EVERY = 0.5  # seconds


class Puller:
    """Makes passes. Given the plan, both hosts, and what is told of a host: its kind, text and data.

    `spared` tells what of the trees belongs to the hosts themselves.
    """

    def __init__(
        self,
        plan: Plan,
        hosts: Mapping[str, ReachableHost],
        *,
        tell: Tell,
        sleep: Sleep,
        spared: Callable[[], Spared] = Spared,
    ) -> None:
        self._plan = plan
        self._spared = spared
        self._new = hosts["new"]
        self._ways = Ways(plan, hosts["old"], hosts["new"])
        self._sleep = sleep
        self.tell = tell
        self.account = Account()

    def pull(self, command: Rsync) -> None:
        """Make a pass, anew where its connection broke. Raises MigrateError where it fails."""
        outputs = COPY.retrying(_BrokenOff, sleep=self._sleep)(self._pull, command)
        for source, output in outputs.items():
            done = parse_statistics(output.stdout)
            self.tell(
                Kind.MESSAGE,
                "new",
                f"{source}: {done.copied} of {done.files} files copied, {done.size} bytes; {done.deleted} deleted",
                {"files": done.files, "copied": done.copied, "deleted": done.deleted, "bytes": done.size},
            )

    def _pull(self, command: Rsync) -> Mapping[str, Output | Told]:
        """Make a pass once, and return what was printed, by the name of the tree, or of the trees that go together."""
        chosen = {index: self._plan.sync[index] for index in command.trees}
        many = forest.together(chosen, self._plan.old.mail_spool, spared=self._spared().of)
        few = tuple(index for index in command.trees if index not in many)
        with self._ways.way() as way:
            made: dict[str, Output | Told] = {}
            if many:
                made[_named(many)] = self._together(command, many, way)
            alone = self._one_by_one(replace(command, trees=few), way) if few else {}
            return made | {self._plan.sync[index].source: output for index, output in alone.items()}

    def _together(self, command: Rsync, trees: Mapping[int, SyncTree], way: Way) -> Output:
        planned = ForestPass(
            name=self._plan.name,
            trees=trees,
            way=way,
            copying=self._plan.copying,
            spool=self._plan.old.mail_spool,
            delete=command.delete,
            max_delete=command.max_delete,
            keep_younger=command.keep_younger,
        )
        for script in [planned.changed()] * (command.scope == "changed") + [planned.whole()]:
            output = self._new.perform(
                script, timeout=command.longest, on_line=self._progress(command, min(trees))
            )
            if output.status != copying_script.CANNOT_TELL:
                break
            why = f"{_named(trees)}: everything is looked at. {_brief(output.stderr)}".rstrip()
            self.tell(Kind.MESSAGE, "new", why, {"trees": len(trees)})
        if output.status != 0:
            raise self._unmade(output, SyncTree(_named(trees), _named(trees)))
        return output

    def _one_by_one(self, command: Rsync, way: Way) -> Mapping[int, Output | Told]:
        spared = self._spared()
        passes = {
            index: copying.Pass(
                name=self._plan.name,
                index=index,
                tree=self._plan.sync[index],
                way=way,
                copying=self._plan.copying,
                spool=self._plan.old.mail_spool,
                delete=command.delete,
                max_delete=command.max_delete,
                keep_younger=command.keep_younger,
                trees=len(self._plan.sync),
                spared=spared.of(index),
            )
            for index in command.trees
        }
        outputs = self._changed(command, passes) if command.scope == "changed" else {}
        for index, planned in passes.items():
            if index not in outputs:
                outputs[index] = self._new.perform(
                    planned.whole(), timeout=command.longest, on_line=self._progress(command, index)
                )
            if outputs[index].status != 0:
                raise self._unmade(outputs[index], planned.tree)
        return outputs

    def _changed(self, command: Rsync, passes: Mapping[int, copying.Pass]) -> dict[int, Output | Told]:
        """Pass over what changed, and return what became of each tree of which what changed can be told."""
        known = {index: planned for index, planned in passes.items() if planned.prune is not None}
        if not known:
            return {}
        opening = next(iter(known.values())).opening
        output = self._new.perform(
            together(opening, {index: planned.changed() for index, planned in known.items()}),
            timeout=command.longest,
            on_line=labelled({index: self._progress(command, index) for index in known}),
        )
        told = parse(output.stdout, known)
        outputs: dict[int, Output | Told] = {}
        for index, planned in known.items():
            # A script that did not come so far ended as a whole, and says why.
            outputs[index] = told[index] if output.status == 0 else output
            if outputs[index].status == copying_script.CANNOT_TELL:
                why = f"{planned.tree.source}: everything is looked at. {_brief(outputs.pop(index).stderr)}".rstrip()
                self.tell(Kind.MESSAGE, "new", why, {"tree": index})
        return outputs

    def _progress(self, command: Rsync, index: int) -> _ProgressReader:
        return _ProgressReader(self, command, index, self._plan.sync[index].source)

    def _unmade(self, output: Output | Told, tree: SyncTree) -> MigrateError:
        """Return what the end of a pass means that did not succeed."""
        seen = f"exit status {output.status}: {last_words(output)}"
        if output.status == copying_script.TOO_MANY:
            return Refused(
                f"a pass would delete too much of {tree.target}",
                host="new",
                expected=f"at most {self._plan.copying.max_delete:.0%} of it to be deleted (max_delete)",
                seen=last_words(output),
                advice=f"see that {tree.source} of the old host is mounted, whole, and the right folder",
                lifted_by="max-delete",
            )
        if output.status == copying_script.FOREIGN:
            return VerifyFailed(
                f"{tree.target} was changed by others",
                host="new",
                expected="a tree that only this migration changes until the new host opens",
                seen=last_words(output),
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
        if rsync.broke_off(output.status, output.stderr):
            text = f"{tree.source}: rsync broke off with exit status {output.status}"
            self.tell(Kind.MESSAGE, "new", text, {"status": output.status})
            return _BrokenOff(f"rsync of {tree.source} failed", status=output.status, **known)
        return CommandFailed(f"rsync of {tree.source} failed", status=output.status, **known)


class _BrokenOff(CommandFailed):
    """A pass ended with its connection, and may go on with another one."""


class _ProgressReader:
    """Turns rsync's progress lines into events, not more often than anybody can read."""

    def __init__(self, puller: Puller, command: Rsync, tree: int, source: str) -> None:
        self._puller = puller
        self._first = command.scope == "whole" and not command.delete
        self._tree = tree
        self._source = source
        self._next = 0.0

    def __call__(self, line: str) -> None:
        if (size := parse_size(line)) is not None:
            known = self._puller.account
            begun = known if known.totals else replace(known, began=time.monotonic())
            self._puller.account = begun.with_total(*size)
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
        if self._first and self._puller.account.totals:
            account = self._puller.account = self._puller.account.with_copied(self._tree, progress.size)
            overall = account.overall(time.monotonic())
            data["overall"] = asdict(overall)
            text += f"; of all trees {overall.percent} %, {overall.left} to go"
        self._puller.tell(Kind.PROGRESS, "new", text, data)


def _named(trees: Mapping[int, SyncTree]) -> str:
    return f"{next(iter(trees.values())).source} and {len(trees) - 1} more trees"


def _brief(text: str) -> str:
    return text.strip().rpartition("\n")[2][:200]


def last_words(output: Output | Told) -> str:
    """Return the end of what a script said, its errors before all, for a person."""
    said = output.stderr.strip() or output.stdout.strip()
    return said[-800:] or f"exit status {output.status}, and no word"
