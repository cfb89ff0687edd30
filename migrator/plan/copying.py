"""What is copied and how: [sync] with its [[sync.tree]], or [[sync]] with the settings in [presync]."""

from __future__ import annotations

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
    for table in tables:
        tree = SyncTree(
            source=table.required("from", places.host_path, ""),
            target=table.required("to", places.target, ""),
            exclude=table.value("exclude", values.list_of(places.pattern), ()),
        )
        if tree.source and tree.target:
            _check_tree(table, tree, trees, faults)
            trees.append(tree)
    return tuple(trees)


def _check_tree(table: Table, tree: SyncTree, earlier: list[SyncTree], faults: Faults) -> None:
    if tree.source.endswith("/") != tree.target.endswith("/"):
        faults.add(
            table.dotted("to"), "ends with / while `from` does not, or the other way: rsync would nest them"
        )
    for other in earlier:
        if places.overlaps(tree.target, other.target):
            reason = f"overlaps with {other.target}: each tree would delete what the other one brought"
            faults.add(table.dotted("to"), reason)
