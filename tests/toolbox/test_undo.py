"""What a tool did is undone by its journal, the newest first, and never what nobody did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from migrator.change import Change, FileEdit, Shell, Undo, Upload
from migrator.engine import Engine
from migrator.engine.chronicle import Chronicle
from migrator.errors import CommandFailed, Refused
from migrator.journal import Journal
from migrator.steps.base import Context
from migrator.toolbox.base import Tool, numbered
from migrator.toolbox.undo import newest, undo, undoings
from tests.fakes import FakeExecutor
from tests.toolbox.stand import Stand

PATH = "/etc/motd"


class Motto(Tool):
    """Write a line for everybody who logs in."""

    name = "motto"

    def __init__(self, text: bytes, *, told: bool = False) -> None:
        super().__init__("new")
        self._text = text
        self._told = told

    def measured(self, context: Context) -> Mapping[str, str]:
        return {"motto": context.new.read_file(PATH) or "none"}

    def changes(self, context: Context) -> Iterator[Change]:
        text = context.new.read_file(PATH)
        now = None if text is None else text.encode()
        if now != self._text:
            do, back = FileEdit(PATH, now, self._text), FileEdit(PATH, self._text, now)
            yield Change("write the motto", Upload("new", (do,)), Upload("new", (back,)))
        if self._told:
            yield Change("tell everybody", Shell("new", "wall motto"), Undo.NOT_NEEDED)

    def verify(self, context: Context) -> None:
        assert context.new.read_file(PATH) == self._text.decode()


class Desk:
    """A host, and the journal of what tools did to it."""

    def __init__(self, folder: Path) -> None:
        self.stand = Stand()
        self.journal = Journal(folder)

    def perform(self, tool: Tool) -> None:
        context = self.stand.context()
        step = numbered(tool, self.journal.state)
        list(
            Engine((step,), FakeExecutor(self.stand.world), self.journal, context).run(
                accept_plan_change=True
            )
        )

    def undo(self) -> str | None:
        name = newest(self.journal.state)
        if name:
            context = self.stand.context()
            wanted = undoings(name, self.journal.state, context)
            chronicle = Chronicle(self.journal, context.now)
            list(undo(name, wanted, FakeExecutor(self.stand.world), chronicle))
        return name

    @property
    def motto(self) -> bytes | None:
        return self.stand.host.files.get(PATH)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "state")
    yield desk
    desk.journal.close()


def test_each_doing_has_a_name_of_its_own_and_is_undone_by_itself(desk: Desk) -> None:
    desk.perform(Motto(b"one"))
    desk.perform(Motto(b"two"))
    assert desk.undo() == "motto-2"
    assert desk.motto == b"one"
    assert desk.undo() == "motto-1"
    assert desk.motto is None
    assert desk.undo() is None


def test_a_doing_that_found_nothing_to_do_is_passed_over(desk: Desk) -> None:
    desk.perform(Motto(b"one"))
    desk.perform(Motto(b"one"))
    assert desk.undo() == "motto-1"


def test_what_needs_no_undo_is_passed_over(desk: Desk) -> None:
    desk.perform(Motto(b"one"))
    desk.perform(Motto(b"one", told=True))
    assert desk.undo() == "motto-1"


def test_an_undone_host_can_be_changed_again(desk: Desk) -> None:
    desk.perform(Motto(b"one"))
    desk.undo()
    desk.perform(Motto(b"one"))
    assert desk.motto == b"one"
    assert desk.undo() == "motto-2"


def test_a_file_that_was_edited_since_is_not_put_back(desk: Desk) -> None:
    desk.perform(Motto(b"one"))
    desk.stand.host.files[PATH] = b"mine"
    with pytest.raises(Refused, match="edited since"):
        desk.undo()
    assert desk.motto == b"mine"


def test_a_doing_that_failed_half_way_is_undone_too(desk: Desk) -> None:
    class Breaking(Motto):
        """Write a line, and fail."""

        def verify(self, context: Context) -> None:
            raise CommandFailed("no", status=1)

    with pytest.raises(CommandFailed):
        desk.perform(Breaking(b"one"))
    assert desk.undo() == "motto-1"
    assert desk.motto is None
