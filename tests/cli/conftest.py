"""A world behind the commands: example steps, fake hosts, and a plan on the disk."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

import migrator.steps
from migrator.cli.program import app
from migrator.event import Event
from migrator.plan import Plan
from migrator.steps.base import Step
from tests.engine.bench import FILES, STEPS
from tests.fakes import FakeDryRun, FakeExecutor, World, make_plan

PLAN = """\
[migration]
name = "example-mail"
domains = ["example.test"]
mail_host = "mail.example.test"

[old]
ssh = "root@198.51.100.10"

[new]
ssh = "root@198.51.100.20"
"""


@dataclass
class Desk:
    """Where an operator sits: a plan, its folder, and a fake world that the commands reach."""

    folder: Path
    world: World = field(default_factory=lambda: World(make_plan()))
    steps: tuple[Step, ...] = STEPS
    on_notify: Callable[[Callable[[Event], None]], None] = lambda notify: None

    @property
    def plan(self) -> Path:
        return self.folder / "example.toml"

    @property
    def state(self) -> Path:
        return self.folder / ".migrate" / "example-mail"

    def type(self, command: str, *arguments: str, answer: str = "") -> Result:
        result = CliRunner().invoke(app, [command, str(self.plan), *arguments], input=answer)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    @contextmanager
    def wired(
        self, plan: Plan, force: frozenset[str], notify: Callable[[Event], None]
    ) -> Iterator[SimpleNamespace]:
        context = self.world.context(plan=plan, force=force)

        def live() -> FakeExecutor:
            self.on_notify(notify)
            return FakeExecutor(self.world)

        yield SimpleNamespace(context=context, live=live, dry=FakeDryRun)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(tmp_path)
    desk.plan.write_text(PLAN)
    desk.world.old.files = {path: text.encode() for path, text in FILES.items()}
    wiring = ModuleType("migrator.cli.wiring")
    wiring.wired = desk.wired  # type: ignore[attr-defined] # stands in for the module that makes connections
    monkeypatch.setitem(sys.modules, "migrator.cli.wiring", wiring)
    monkeypatch.setattr(migrator.steps, "ordered", lambda strategy: desk.steps)
    monkeypatch.delenv("MIGRATE_STATE_DIR", raising=False)
    return desk
