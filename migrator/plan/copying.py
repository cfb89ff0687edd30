"""What is copied and how: [sync] with its [[sync.tree]], or [[sync]] with the settings in [presync]."""

from __future__ import annotations

from pathlib import PurePosixPath

from migrator.plan import places, values
from migrator.plan.shapes import CopyPlan, HostPlan, SyncTree
from migrator.plan.tables import Faults, Table


def copies(
    root: Table, old: HostPlan, new: HostPlan, faults: Faults
) -> tuple[tuple[SyncTree, ...], CopyPlan]:
    """Given the whole plan and both hosts, return the trees (the mail spool where none is named) and the settings."""
    if not root.is_table("sync"):
        return _trees(root.tables("sync"), old, new, faults), _settings(root.table("presync"))
    if root.has("presync"):
        faults.add("presync", "its keys stand in [sync] where that is a table: keep one of both")
    table = root.table("sync")
    return _trees(table.tables("tree"), old, new, faults), _settings(table)


def _settings(table: Table) -> CopyPlan:
    defaults = CopyPlan()
    return CopyPlan(
        passes=table.value("passes", values.auto_or(values.number(1, 20)), defaults.passes),
        max_delete=table.value("max_delete", values.decimal(0, 1), defaults.max_delete),
        max_load=table.value("max_load", values.decimal(0, 10_000), defaults.max_load),
        bwlimit=table.value("bwlimit", values.rate, defaults.bwlimit),
        nice=table.value("nice", values.number(0, 19), defaults.nice),
        ionice=table.value("ionice", values.choice("", "idle", "best-effort"), defaults.ionice),
        via=table.value("via", values.choice("pull", "push", "operator"), defaults.via),
        streams=table.value("streams", values.auto_or(values.number(1, 16)), defaults.streams),
    )


def _trees(tables: list[Table], old: HostPlan, new: HostPlan, faults: Faults) -> tuple[SyncTree, ...]:
    if not tables:
        return (SyncTree(f"{old.mail_spool}/", f"{new.mail_spool}/"),)
    trees: list[SyncTree] = []
    targets = _Targets()
    for table in tables:
        tree = SyncTree(
            source=table.required("from", places.host_path, ""),
            target=table.required("to", places.target, ""),
            exclude=table.value("exclude", values.list_of(places.pattern), ()),
        )
        if tree.source and tree.target:
            _check_tree(table, tree, targets.overlapping(tree.target), faults)
            trees.append(tree)
    return tuple(trees)


class _Targets:
    """The targets of trees that were read, found by the folders above them: of thousands no two are compared."""

    def __init__(self) -> None:
        self._paths: list[str] = []
        self._own: dict[PurePosixPath, list[int]] = {}
        self._below: dict[PurePosixPath, list[int]] = {}

    def overlapping(self, target: str) -> list[str]:
        """Return those of the earlier targets that overlap with this one, in their order, and take it among them."""
        path, number = PurePosixPath(target), len(self._paths)
        above = (path, *path.parents)
        found = {index for each in above for index in self._own.get(each, ())}
        found.update(self._below.get(path, ()))
        self._paths.append(target)
        self._own.setdefault(path, []).append(number)
        for each in path.parents:
            self._below.setdefault(each, []).append(number)
        return [self._paths[index] for index in sorted(found)]


def _check_tree(table: Table, tree: SyncTree, overlapping: list[str], faults: Faults) -> None:
    if tree.source.endswith("/") != tree.target.endswith("/"):
        faults.add(
            table.dotted("to"), "ends with / while `from` does not, or the other way: rsync would nest them"
        )
    for other in overlapping:
        reason = f"overlaps with {other}: each tree would delete what the other one brought"
        faults.add(table.dotted("to"), reason)
