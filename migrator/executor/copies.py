"""How the trees of a plan differ between the hosts, with the migration's key or, before there is one, without."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from migrator.errors import CommandFailed, HostError
from migrator.executor.home import Homecoming
from migrator.executor.ways import ReachableHost, Ways
from migrator.hosts.base import Output
from migrator.hosts.tunnel import lines_of, rehearse
from migrator.mailstore import copying, copying_script, forest, rsync
from migrator.mailstore.forest_pass import ForestPass
from migrator.mailstore.progress import Statistics, items, parse_items, parse_statistics
from migrator.mailstore.spared import Spared
from migrator.mailstore.together import Told, parse, together
from migrator.mailstore.way import Way
from migrator.plan import Plan, SyncTree


class RsyncCopies:
    """Compares trees by rsync's own dry run, relayed by this machine. Given the plan and both hosts.

    It works before the migration's key is installed and after it is gone, and writes nothing on either host. `spared`
    tells what of the trees belongs to the hosts themselves.
    """

    def __init__(
        self,
        plan: Plan,
        old: ReachableHost,
        new: ReachableHost,
        *,
        spared: Callable[[], Spared] = Spared,
    ) -> None:
        self._plan = plan
        self._old = old
        self._new = new
        self._ways = Ways(plan, old, new)
        self._spared = spared

    def differences(self, trees: Sequence[int], *, longest: float) -> tuple[tuple[str, ...], ...]:
        """Return in what each of the trees differs; see Copies."""
        told = self._told(trees, longest=longest)
        return tuple(self._read(tree, told[tree]) for tree in trees)

    def _told(self, trees: Sequence[int], *, longest: float) -> Mapping[int, Output | Told]:
        chosen = {tree: self._plan.sync[tree] for tree in trees}
        many = forest.together(chosen, self._plan.old.mail_spool, spared=self._spared().of)
        with self._ways.way() as way:
            told = self._of_many(many, way, longest=longest) if many else {}
            few = [tree for tree in trees if tree not in many]
            return {**told, **(self._of_few(few, way, longest=longest) if few else {})}

    def _of_many(
        self, trees: Mapping[int, SyncTree], way: Way, *, longest: float
    ) -> Mapping[int, Output | Told]:
        planned = ForestPass(
            self._plan.name, trees, way, self._plan.copying, spool=self._plan.old.mail_spool, delete=True
        )
        output = self._new.inspect(planned.differences(), timeout=longest)
        return parse(output.stdout, trees) if output.status == 0 else dict.fromkeys(trees, output)

    def _of_few(self, trees: Sequence[int], way: Way, *, longest: float) -> Mapping[int, Output | Told]:
        proofs = {tree: self._proof(tree, way) for tree in trees}
        script = together(
            next(iter(proofs.values())).opening,
            {tree: proof.differences() for tree, proof in proofs.items()},
        )
        output = self._new.inspect(script, timeout=longest)
        return parse(output.stdout, trees) if output.status == 0 else dict.fromkeys(trees, output)

    def _proof(self, tree: int, way: Way) -> copying.Pass:
        return copying.Pass(
            self._plan.name,
            tree,
            self._plan.sync[tree],
            way,
            self._plan.copying,
            spool=self._plan.old.mail_spool,
            delete=True,
            spared=self._spared().of(tree),
        )

    def _read(self, tree: int, output: Output | Told) -> tuple[str, ...]:
        if output.status == copying_script.CANNOT_TELL:
            listing = self._rehearse(tree, checksum=True, delete=True, itemize=True)
            return tuple(islice(items(lines_of(listing)), copying_script.MOST))
        if output.status != 0:
            raise self._failed(self._plan.sync[tree], output)
        extra = tuple(
            line for line in output.stdout.split("\n") if line.startswith(("extra ", "changed by others: "))
        )
        return (*extra, *parse_items(output.stdout))

    def counts(self, tree: int, *, delete: bool = False) -> Statistics:
        """Return how much a pass over a tree would copy and delete. Raises CommandFailed where rsync cannot tell."""
        return parse_statistics(self._rehearse(tree, checksum=False, delete=delete, itemize=False).stdout)

    def homeless(self, tree: int) -> tuple[str, ...]:
        """Return what the new host has and the old one lacks; see Copies."""
        return Homecoming(self._plan, tree, self._old, self._new, self._spared()).homeless()

    def _rehearse(self, tree: int, *, checksum: bool, delete: bool, itemize: bool) -> Output:
        planned = self._plan.sync[tree]
        words = rsync.pass_words(
            planned,
            copying=self._plan.copying,
            delete=delete,
            checksum=checksum,
            dry_run=True,
            itemize=itemize,
            spool=self._plan.old.mail_spool,
            spared=self._spared().of(tree),
        )
        output = rehearse(
            self._old,
            self._new,
            rsync.relayed_words(words, index=tree),
            source=planned.source,
            target=rsync.destination(planned),
        )
        if output.status < 0:
            raise HostError("the connection ended before rsync did", host="new")
        if output.status != 0:
            raise self._failed(planned, output)
        return output

    def _failed(self, planned: SyncTree, output: Output | Told) -> CommandFailed:
        return CommandFailed(
            f"rsync cannot compare {planned.source} of the old host with {planned.target} of the new one",
            status=output.status,
            host="new",
            expected="exit status 0",
            seen="\n".join(filter(None, (output.stderr.strip()[-300:], output.stdout.strip()[-300:]))),
            advice=rsync.advice(output.status, output.stderr),
        )
