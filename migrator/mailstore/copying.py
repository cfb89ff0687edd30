"""What the new host runs for one pass over one tree, and to prove the copy.

A pass looks at everything ("whole"), or at what changed since what the old host noted at an earlier pass ("changed").
Two notes are kept there: "seen" by every pass, "exact" by one that deleted as well, after which both trees were equal.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from migrator.mailstore import arrivals, compare, ends, progress, removing, rsync, streams
from migrator.mailstore import spared as hosts_own
from migrator.mailstore.access import LOAD, LOOK, SIZES
from migrator.mailstore.copying_script import FUNCTIONS
from migrator.mailstore.entering import ENTER
from migrator.mailstore.excludes import Untranslatable, prune
from migrator.mailstore.look import old_script
from migrator.mailstore.restraint import Restraint
from migrator.mailstore.way import Way
from migrator.plan import CopyPlan, SyncTree

_BLIND = "look() { exit 3; }\n"
_LISTED = ("--from0", "--ignore-missing-args", "--files-from=-")


def look_of(
    name: str,
    index: int,
    tree: SyncTree,
    *,
    spool: str,
    spared: Sequence[str] = (),
    state: str = arrivals.STATE,
) -> str:
    """Return the sh text by which the old host looks at a tree: given the migration, the tree's number, and the spool.

    `spared` are the paths in the tree that belong to the hosts themselves.

    Where what stays behind cannot be told to find, it says that only a whole pass can tell what changed.
    """
    words = prune_of(tree, spool, spared)
    return _BLIND if words is None else old_script(f"{arrivals.folder(name, state)}/look-{index}", words)


def prune_of(tree: SyncTree, spool: str, spared: Sequence[str] = ()) -> str | None:
    """Return the words of find that leave out what stays behind of a tree; None where find cannot tell it as rsync."""
    try:
        return prune(rsync.excluded(tree, spool, spared))
    except Untranslatable:
        return None


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over one tree of the plan, given its number, what is copied how, and the way to the old host.

    `delete` removes from the new host what the old one has not, unless that is more than the share `max_delete` of the
    tree; `keep_younger` leaves what is younger on the new host. `spool` is the old host's, `trees` how many
    the plan has, `spared` the paths in the tree that belong to the hosts themselves.
    """

    name: str
    index: int
    tree: SyncTree
    way: Way
    copying: CopyPlan
    spool: str = ""
    delete: bool = False
    max_delete: float = 1.0
    keep_younger: bool = False
    trees: int = 1
    spared: tuple[str, ...] = ()
    state: str = arrivals.STATE

    @property
    def prune(self) -> str | None:
        """Return the words of find that leave out what stays behind (see prune_of)."""
        return prune_of(self.tree, self.spool, self.spared)

    @property
    def opening(self) -> str:
        """Return what goes before `changed` and `differences`, of one pass or of several: the connection is opened."""
        # The wrapper takes plain arguments; the log tells times in UTC.
        return f"export RSYNC_PROTECT_ARGS=0 TZ=UTC0\n{self.way.open_script()}"

    def whole(self) -> str:
        """Return the script that looks at everything, and notes on both hosts where it stood when it began."""
        return self.opening + self._head("pass") + "whole_pass\n"

    def changed(self) -> str:
        """Return the script that looks at what changed since the note, and copies just that; `opening` goes before."""
        return self._head("pass") + "changed_pass\n"

    def differences(self) -> str:
        """Return the script that prints in what the trees differ, which were equal when `exact` was noted.

        It changes nothing of them; `opening` goes before it. Only what may have changed since is looked at, and that by
        its contents. Its lines are those of rsync's --itemize-changes, and `extra PATH` for what the old host has not;
        of many of a kind the first MOST.
        """
        return self._head("proof") + "differences\n"

    def _head(self, place: str) -> str:
        folder = arrivals.folder(self.name, self.state)
        variables = {
            "number": str(self.index),
            "state": folder,
            "work": f"{folder}/{place}-{self.index}",
            "target": rsync.destination(self.tree),
            "log": arrivals.log_path(self.name, self.index, self.state),
            "delete": str(int(self.delete)),
            "share": f"{self.max_delete:.6f}",
            "quick": str(int(self.prune is not None)),
            "prune": self.prune or "",
            "spared": self._spared(),
            # Each rsync keeps to the rate by itself, so several would take it several times.
            "streams": "1" if self.copying.bwlimit else str(self.copying.streams),
        }
        return (
            "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())
            + compare.new_functions(self.prune or "")
            + f"ask() {{ asked=$*; {self.way.remote(f'{LOOK}{self.index}', '$asked')} </dev/null; }}\n"
            + f"able_there() {{ {self.way.remote(LOAD)} </dev/null; }}\n"
            + f"sizes_there() {{ {self.way.remote(f'{SIZES}{self.index}')} </dev/null; }}\n"
            + progress.TELL
            + streams.functions()
            + f"all_sizes() {{\n{self._sizes()}}}\n"
            + self._rsyncs()
            + ENTER
            + removing.FUNCTIONS
            + ends.FUNCTIONS
            + FUNCTIONS
        )

    def _spared(self) -> str:
        # As the lists of a pass have them: a newline travels as \001.
        paths = dict.fromkeys((*hosts_own.usual(self.tree), *self.spared))
        return "\n".join("./" + path.replace("\n", "\x01") for path in paths)

    def _sizes(self) -> str:
        sizes = [f"{self.way.remote(f'{SIZES}{index}')} </dev/null" for index in range(self.trees)]
        return "".join(f"    {size} | summed {index}\n" for index, size in enumerate(sizes))

    def _rsyncs(self) -> str:
        def words(**how: bool) -> tuple[str, ...]:
            kept = {"keep_younger": self.keep_younger} | how
            return rsync.pass_words(
                self.tree, copying=self.copying, spool=self.spool, spared=self.spared, **kept
            )

        whole = words(delete=self.delete)
        listed = (*words(listed=True), *_LISTED)
        proof = (*words(listed=True, dry_run=True, itemize=True, checksum=True, keep_younger=False), *_LISTED)
        log = rsync.log_words(arrivals.log_path(self.name, self.index, self.state))
        return (
            self._rsync("copy_all", (*self._governed(), *whole, *log))
            + self._rsync("copy_beside", (*self._governed(), *whole, *log), shared=False)
            + self._rsync("rehearse_all", (*whole, "--dry-run"))
            + self._rsync("copy_listed", (*listed, *log))
            + self._ends()
            + self._rsync("prove_listed", proof)
        )

    def _governed(self) -> tuple[str, ...]:
        """Return the words before an rsync that pause it while the new host's own Sendmail is near its limits.

        Those of the old host are seen to there, by what its key is forced to run. Not while mail waits: its passes are
        of what changed, and short.
        """
        return ("sh", "-c", f'{Restraint(own_limits=True).governor_script()}exec "$@"', "sh")

    def _ends(self) -> str:
        words = shlex.join((*rsync.end_words(self.copying), *_LISTED))
        return f'copy_ends() {{ {words} {self.way.rsync_words(self.index)} {self.way.source} "$1/"; }}\n'

    def _rsync(self, name: str, words: tuple[str, ...], *, shared: bool = True) -> str:
        way = f"{self.way.rsync_words(self.index, shared=shared)} {self.way.source}"
        return f'{name}() {{ {shlex.join(words)} $attributes "$@" {way} "$target"; }}\n'
