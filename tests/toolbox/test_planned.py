"""A plan's [new.sendmail] becomes steps before the presync, and a rollback needs no file of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from migrator.change import FileEdit, Upload
from migrator.errors import UsageError
from migrator.plan import Plan
from migrator.plan.sendmail import RewritePlan, SendmailPlan, SmarthostPlan
from migrator.steps import ordered
from migrator.toolbox.planned import Chain, chained
from migrator.toolbox.smarthost import AUTHINFO
from tests.fakes import FakeExecutor, World, make_plan

TOOLS = ["sendmail-dh", "sendmail-harden", "sendmail-rewrite", "sendmail-smarthost"]


def planned(settings: SendmailPlan | None) -> Plan:
    plan = make_plan()
    return replace(plan, new=replace(plan.new, sendmail=settings))


def everything(folder: Path) -> SendmailPlan:
    password, table = folder / "password", folder / "users.csv"
    password.write_text("s3cret-word\n")
    password.chmod(0o600)
    table.write_text("user01,j@shop.test\n")
    return SendmailPlan(
        dh="ffdhe3072",
        harden=("all",),
        smarthost=SmarthostPlan("smtp.a.test", user="shop", password_file=password),
        rewrite=RewritePlan(("shop.test",), table),
    )


def names(chain: Chain) -> list[str]:
    return [step.name for step in chain.steps]


@pytest.mark.parametrize("strategy", ["hold", "firewall"])
def test_the_tools_stand_before_the_presync(tmp_path: Path, strategy: str) -> None:
    chain = chained(ordered(strategy), planned(everything(tmp_path)), lambda _name: True)
    found = names(chain)
    assert found[found.index("presync") - len(TOOLS) : found.index("presync")] == TOOLS
    assert [step.name for step in ordered(strategy)] == [name for name in found if name not in TOOLS]
    assert len(chain.tools) == len(TOOLS)


def test_a_plan_that_asks_for_none_has_the_usual_steps() -> None:
    for settings in (None, SendmailPlan()):
        assert names(chained(ordered("hold"), planned(settings), lambda _name: True)) == [
            step.name for step in ordered("hold")
        ]


def test_what_is_finished_or_undone_needs_no_file_any_more(tmp_path: Path) -> None:
    settings = everything(tmp_path)
    for file in tmp_path.iterdir():
        file.unlink()
    chain = chained(ordered("hold"), planned(settings), lambda _name: False)
    assert set(TOOLS) < set(names(chain))
    assert chain.tools == ()
    with pytest.raises(UsageError):
        chained(ordered("hold"), planned(settings), lambda _name: True)


def test_a_step_that_is_not_needed_yields_nothing(tmp_path: Path) -> None:
    chain = chained(ordered("hold"), planned(everything(tmp_path)), lambda _name: False)
    world = World(make_plan())
    for step in chain.steps:
        if step.name in TOOLS:
            step.ready(world.context())
            assert list(step.changes(world.context())) == []
            step.verify(world.context())


def test_an_armed_executor_knows_the_password(tmp_path: Path) -> None:
    chain = chained(ordered("hold"), planned(everything(tmp_path)), lambda _name: True)
    world = World(make_plan())
    world.new.on(r"SASLv2", "SASLv2\nplain\n")
    (step,) = [step for step in chain.steps if step.name == "sendmail-smarthost"]
    step.ready(world.context())
    edit = FileEdit(AUTHINFO, None, b"masked", check=False)
    chain.armed(FakeExecutor(world)).execute(Upload("new", (edit,)))
    assert b"s3cret-word" in world.new.files[AUTHINFO]


@pytest.mark.parametrize("items", [("nonesuch",), ("recipients=many",)])
def test_an_item_that_is_none_ends_before_anything_is_contacted(items: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        chained(ordered("hold"), planned(SendmailPlan(harden=items)), lambda _name: True)
