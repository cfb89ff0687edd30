"""What the new host runs for one pass over many trees at once, and to prove the copy: see forest and copying."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from migrator.mailstore import (
    arrivals,
    compare,
    forest,
    laying,
    notes,
    progress,
    removing,
    rsync,
    staged,
    streams,
)
from migrator.mailstore.access import LOAD, LOOK_ALL
from migrator.mailstore.copying_script import FUNCTIONS
from migrator.mailstore.entering import ENTER
from migrator.mailstore.forest_script import FUNCTIONS as TOGETHER
from migrator.mailstore.way import Way
from migrator.plan import CopyPlan, SyncTree

_LISTED = ("--from0", "--ignore-missing-args", "--files-from=-")


@dataclass(frozen=True, slots=True)
class ForestPass:
    """One pass over many trees of the plan, given by their numbers; the rest is that of copying.Pass."""

    name: str
    trees: Mapping[int, SyncTree]
    way: Way
    copying: CopyPlan
    spool: str = ""
    delete: bool = False
    max_delete: float = 1.0
    keep_younger: bool = False
    state: str = arrivals.STATE

    @property
    def _opening(self) -> str:
        return f"export RSYNC_PROTECT_ARGS=0 TZ=UTC0\n{self.way.open_script()}"

    def whole(self) -> str:
        """Return the script that looks at everything, and notes on both hosts where it stood when it began."""
        return self._opening + self._head("pass") + "whole_pass\n"

    def changed(self) -> str:
        """Return the script that looks at what changed since the note, and copies just that."""
        return self._opening + self._head("pass") + "changed_pass\n"

    def differences(self) -> str:
        """Return the script that prints in what the trees differ, in lines as together.parse takes them."""
        return self._opening + self._head("proof") + "differences\n"

    def _head(self, place: str) -> str:
        folder = arrivals.folder(self.name, self.state)
        listed = forest.listing({index: tree.target for index, tree in self.trees.items()})
        prune = forest.prune(self.trees, self.spool)
        variables = {
            "number": forest.ALL,
            "state": folder,
            "work": f"{folder}/{place}-{forest.ALL}",
            "target": f"{folder}/new-trees",
            "listed": listed.rstrip("\n"),
            "log": f"{folder}/copied-{forest.ALL}",
            "delete": str(int(self.delete)),
            "share": f"{self.max_delete:.6f}",
            "prune": prune,
            "quick": "1",
            # Trees in which something belongs to the hosts themselves are passed over alone.
            "spared": "",
            # Each rsync keeps to the rate by itself, so several would take it several times.
            "most": "1" if self.copying.bwlimit else str(forest.AT_ONCE),
        }
        return (
            "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())
            + compare.new_functions(prune)
            + notes.left_out(prune, listed)
            + f"ask() {{ asked=$*; {self.way.remote(LOOK_ALL, '$asked')} </dev/null; }}\n"
            + f"able_there() {{ {self.way.remote(LOAD)} </dev/null; }}\n"
            + progress.TELL
            + streams.functions()
            + self._rsync()
            + ENTER
            + removing.FUNCTIONS
            + FUNCTIONS
            + forest.FARM
            + staged.FUNCTIONS
            + laying.FUNCTIONS
            + TOGETHER
        )

    def _rsync(self) -> str:
        (tree, *_) = self.trees.values()

        def words(**how: bool) -> str:
            kept = {"keep_younger": self.keep_younger} | how
            # What stays behind of each tree is told below.
            return shlex.join(
                rsync.pass_words(tree, copying=self.copying, spool=self.spool, spared=(), listed=True, **kept)
            )

        listed = shlex.join(_LISTED)
        log = (
            f'"--log-file=$state/copied-$tree.log" {shlex.quote(f"--log-file-format={arrivals.LOG_FORMAT}")}'
        )
        way = f'{self.way.rsync_words("$tree")} {self.way.source} "$there/"'
        excluded = "".join(
            f'    {"|".join(map(str, numbers))}) set -- {_exclude(patterns)} "$@" ;;\n'
            for patterns, numbers in forest.alike(self.trees, self.spool).items()
            if patterns
        )
        excluding = f"    case $tree in\n{excluded}    esac\n" if excluded else ""
        whole = words(delete=self.delete)
        proof = words(dry_run=True, itemize=True, checksum=True, keep_younger=False)
        all_trees = f'{self.way.rsync_words(f"{forest.ALL}-$numbers")} {self.way.source} "$staged/"'
        small = f"{listed} --max-size={staged.LARGE} $attributes"
        at_once = f"--no-implied-dirs {listed} $attributes"
        here = '"$staged/$tree/" "$there/"'
        return (
            f"copy_staged() {{ {words(keep_younger=False)} {small} {all_trees}; }}\n"
            f"prove_staged() {{ {proof} {small} {all_trees}; }}\n"
            f'copy_laid() {{ {words()} {at_once} "$@" "$laid/" /; }}\n'
            f'check_laid() {{ {proof} {at_once} "$laid/" /; }}\n'
            "rsync_of_tree() {\n    kind=$1\n    shift\n    kept=\n"
            '    (enter_tree "$there") || return 1\n'
            '    if [ -n "$attributes" ] && grep -qx "$tree" "$state/capable"; then kept=$attributes; fi\n'
            f"    case $kind in whole*)\n{excluding} ;;\n    esac\n    case $kind in\n"
            f'    whole) {whole} $kept "$@" {way} ;;\n'
            f'    whole-logged) {whole} {log} $kept "$@" {way} ;;\n'
            f'    listed) {words()} {listed} {log} $kept "$@" {way} ;;\n'
            f'    laid) {words()} {listed} {log} $kept "$@" {here} ;;\n'
            f'    checked) {proof} {listed} $kept "$@" {here} ;;\n'
            f'    proof) {proof} {listed} $kept "$@" {way} ;;\n'
            "    esac\n}\n"
        )


def _exclude(patterns: Sequence[str]) -> str:
    return shlex.join(f"--exclude={each}" for each in patterns)
