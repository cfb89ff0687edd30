"""A host's load is compared with what its Sendmail bears."""

from __future__ import annotations

import pytest

from migrator.plan import CopyPlan
from migrator.steps.rules import load
from tests.fakes import make_facts
from tests.steps.sound import CF, both, brief, sound_world


@pytest.mark.parametrize(
    ("cf", "expected"),
    [
        ("", {"RefuseLA": 24, "QueueLA": 16, "DelayLA": 0}),
        ("O RefuseLA=20\nO QueueLA=5\nO DelayLA=3\n", {"RefuseLA": 20, "QueueLA": 5, "DelayLA": 3}),
        (
            "#O RefuseLA=20\nO DaemonPortOptions=Port=smtp, refuseLA=10\n",
            {"RefuseLA": 10, "QueueLA": 16, "DelayLA": 0},
        ),
    ],
)
def test_the_limits_are_what_is_set_or_go_by_the_processors(cf: str, expected: dict[str, int]) -> None:
    assert load.limits(make_facts(cf=cf, processors=2)) == expected


@pytest.mark.parametrize(
    ("now", "level"),
    [("1.20", "pass"), ("8.00", "warn"), ("11.99", "warn"), ("12.00", "fail"), ("99.10", "fail")],
)
def test_a_load_at_which_the_port_closes_fails(now: str, level: str) -> None:
    world = sound_world()
    world.new.on("loadavg", f"{now} 1.00 1.00 1/100 4711\n")
    (new,) = load.load(both(world))
    assert brief([new]) == [f"{level} load new"]
    assert now.rstrip("0").rstrip(".") in new.text


def test_a_plan_that_lets_the_copy_go_beyond_the_limits_is_warned_of() -> None:
    world = sound_world(copying=CopyPlan(max_load=8))
    assert brief(list(load.load(both(world)))) == ["warn max-load old"]
    world = sound_world(copying=CopyPlan(max_load=7))
    world.facts["old"] = make_facts(cf=CF)
    assert list(load.load(both(world))) == []
