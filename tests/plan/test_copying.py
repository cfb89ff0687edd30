"""What is copied and how, in both forms that a plan may have."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.plan import CopyPlan, SyncTree
from tests.plan.plans import fault, faults, read, vary

SETTINGS = """passes = 3
max_delete = 0.25
max_load = 4
bwlimit = "10M"
nice = 10
ionice = "idle"
via = "operator"
streams = 4
"""
MEANT = CopyPlan(3, 0.25, 4.0, 10 * 1024**2, 10, "idle", "operator", 4)
TREE = 'from = "/a/"\nto = "/srv/a/"\n'


def test_settings_and_trees_stand_in_one_table(tmp_path: Path) -> None:
    plan = read(tmp_path, add=f"[sync]\n{SETTINGS}[[sync.tree]]\n{TREE}")
    assert plan.copying == MEANT
    assert plan.sync == (SyncTree("/a/", "/srv/a/"),)


def test_the_other_form_means_the_same(tmp_path: Path) -> None:
    one = read(tmp_path, add=f"[sync]\n{SETTINGS}[[sync.tree]]\n{TREE}")
    other = read(tmp_path, add=f"[presync]\n{SETTINGS}[[sync]]\n{TREE}")
    assert one.fingerprint() == other.fingerprint()


@pytest.mark.parametrize("table", ["sync", "presync"])
def test_settings_alone_leave_the_spool_as_the_only_tree(tmp_path: Path, table: str) -> None:
    plan = read(tmp_path, add=f"[{table}]\npasses = 5\n")
    assert plan.copying == CopyPlan(passes=5)
    assert plan.sync == (SyncTree("/var/spool/mail/", "/var/spool/mail/"),)


def test_trees_alone_leave_every_setting_as_it_is(tmp_path: Path) -> None:
    for header in ("[[sync.tree]]", "[[sync]]"):
        plan = read(tmp_path, add=f"{header}\n{TREE}")
        assert (plan.copying, len(plan.sync)) == (CopyPlan(), 1)


def test_both_tables_of_settings_are_one_too_many(tmp_path: Path) -> None:
    found = fault(tmp_path, add=f"[[sync.tree]]\n{TREE}[presync]\npasses = 2\n")
    assert (found.key, found.line) == ("presync", 14)
    assert "keep one" in found.reason


@pytest.mark.parametrize(
    ("line", "key", "word"),
    [
        ("passes = 0", "passes", "1 to 20"),
        ('passes = "often"', "passes", "auto"),
        ("max_delete = 1.5", "max_delete", "from 0 to 1"),
        ("max_delete = nan", "max_delete", "from 0 to 1"),
        ("max_load = -1", "max_load", "from 0 to"),
        ("bwlimit = 10", "bwlimit", "in quotes"),
        ("nice = 20", "nice", "0 to 19"),
        ('ionice = "realtime"', "ionice", "best-effort"),
        ('via = "carrier"', "via", "operator"),
        ("streams = 17", "streams", "auto"),
        ("pases = 2", "pases", "nearest: passes"),
    ],
)
def test_each_setting_is_checked_in_either_table(tmp_path: Path, line: str, key: str, word: str) -> None:
    for table in ("sync", "presync"):
        found = fault(tmp_path, add=f"[{table}]\n{line}\n")
        assert (found.key, found.line) == (f"{table}.{key}", 12)
        assert word in found.reason


def test_a_fault_of_a_tree_is_told_where_it_stands(tmp_path: Path) -> None:
    nested = '[[sync.tree]]\nfrom = "/a/"\nto = "/srv/a"\n'
    found = fault(tmp_path, add=nested)
    assert (found.key, found.line) == ("sync.tree[0].to", 13)


def test_a_key_of_one_form_is_unknown_in_the_other(tmp_path: Path) -> None:
    told = faults(tmp_path, vary(add=f"[[sync]]\n{TREE}passes = 2\n"))
    assert [one.key for one in told] == ["sync[0].passes"]
    told = faults(tmp_path, vary(add=f"[presync]\npasses = 2\n[[presync.tree]]\n{TREE}"))
    assert [one.key for one in told] == ["presync.tree"]


def test_a_sync_that_is_neither_is_told(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, "sync = 5\n" + vary())
    assert (found.key, found.line) == ("sync", 1)


@pytest.mark.parametrize("budget", ['"0s"', '"25h"', "60"])
def test_the_budget_is_a_duration(tmp_path: Path, budget: str) -> None:
    assert fault(tmp_path, add=f"[cutover]\nbudget = {budget}\n").key == "cutover.budget"
    assert fault(tmp_path, add="[cutover]\noverrun = 0.5\n").key == "cutover.overrun"
