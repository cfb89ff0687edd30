"""The guard around a pass: what it refuses, what it lets through, and what it leaves to be undone."""

from __future__ import annotations

import pytest

from migrator.change import Rsync, Shell, Undo
from migrator.errors import CommandFailed, Refused
from migrator.hosts.base import Output
from migrator.plan import SyncTree
from migrator.steps.base import Step
from migrator.steps.catch_up import CatchUp
from migrator.steps.common.passes import OVERWRITE, REDELIVERY, guard, one_pass
from migrator.steps.presync import Presync
from migrator.steps.remove_key import RemoveKey
from tests.fakes import World, make_plan

LOOK = "newercm"
SPOOL = SyncTree("/var/spool/mail/", "/var/spool/mail/")
FORCED = frozenset({OVERWRITE})


@pytest.fixture
def world() -> World:
    return World(make_plan(sync=(SPOOL, SyncTree("/srv/a/", "/srv/it's b/"))))


def looks(world: World) -> list[str]:
    """Return the scripts that looked at the new host since."""
    return [script for script in world.new.unanswered if LOOK in script]


def test_a_pass_is_a_beginning_every_tree_in_order_and_an_end_that_is_remembered(world: World) -> None:
    world.new.on(LOOK, "1764417600\n")
    first, *middle, last = one_pass(world.context(), "pass", "pass 1", delete=True)
    assert [change.do for change in middle] == [
        Rsync((number,), delete=True, max_delete=0.5) for number in (0, 1)
    ]
    assert isinstance(first.do, Shell)
    assert "touch -d @1764417598 /var/lib/migrate/example-mail/copying" in first.do.script
    assert list(last.remember) == ["pass"]


def test_a_rollback_keeps_the_marks_so_that_a_second_migration_knows_its_copies(world: World) -> None:
    assert all(change.undo is Undo.NOT_NEEDED for change in one_pass(world.context(), "pass", "pass 1"))


def test_mail_of_the_new_host_is_refused_by_name_with_what_to_do(world: World) -> None:
    names = [f"/var/spool/mail/user{number:02d}" for number in range(7)]
    world.new.on(LOOK, "1764417600\n" + "".join(f"{name}\n" for name in reversed(names)))
    with pytest.raises(Refused) as refused:
        list(one_pass(world.context(), "pass", "pass 1"))
    assert refused.value.seen == ", ".join(names[:5]) + " and 2 more"
    assert refused.value.lifted_by == OVERWRITE
    assert REDELIVERY in (refused.value.advice or "")
    assert world.new.performed == []


def test_forced_nothing_is_looked_at_and_what_is_there_counts_as_given_up(world: World) -> None:
    first = next(one_pass(world.context(force=FORCED), "pass", "pass 1"))
    assert isinstance(first.do, Shell)
    assert "touch /var/lib/migrate/example-mail/copying" in first.do.script
    assert looks(world) == []


def test_a_look_that_fails_is_no_look(world: World) -> None:
    world.new.on(LOOK, Output(1, "1764417600\n", "find: unknown predicate\n"))
    with pytest.raises(CommandFailed) as failed:
        guard(world.context())
    assert failed.value.seen == "find: unknown predicate"


def test_a_host_that_tells_no_time_gets_everything_looked_at_after_the_pass(world: World) -> None:
    first = next(one_pass(world.context(), "pass", "pass 1"))
    assert isinstance(first.do, Shell)
    assert "touch -d @0 " in first.do.script


@pytest.mark.parametrize("step", [Presync(), CatchUp()], ids=lambda step: step.name)
def test_before_a_pass_that_was_interrupted_goes_on_one_look_is_taken(world: World, step: Step) -> None:
    step.ready(world.context())
    (look,) = looks(world)
    assert look.startswith("[ -e /var/lib/migrate/example-mail/copying ] || exit 0\n")
    assert "'/srv/it'\"'\"'s b'" in look
    world.new.on(LOOK, "1764417600\n/var/spool/mail/user01\n")
    with pytest.raises(Refused):
        step.ready(world.context())


def test_at_the_end_the_folder_is_removed_from_the_hosts_that_have_it(world: World) -> None:
    world.new.on("echo kept", "kept\n")
    changes = list(RemoveKey().changes(world.context()))
    assert [(change.do.host, change.summary) for change in changes] == [
        ("new", "remove /var/lib/migrate/example-mail from the new host")
    ]
