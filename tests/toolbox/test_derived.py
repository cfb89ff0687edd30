"""No tool makes sendmail.cf anew where it holds what sendmail.mc does not make."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from migrator.errors import Refused
from migrator.toolbox.base import Tool
from migrator.toolbox.harden import Harden
from migrator.toolbox.rewrite import Rewrite
from migrator.toolbox.smarthost import Smarthost
from tests.steps.common.test_derived import CF_EDITED, DIFFERENCE, LOOK, record
from tests.toolbox.configured import ALIASES, Configured, uploads
from tests.toolbox.test_dh import WEAK, Line

TOOLS: dict[str, Callable[[], Tool]] = {
    "dh": lambda: Line(WEAK).tool(named="ffdhe3072"),
    "harden": lambda: Harden("new", ["recipients=3"]),
    "rewrite": lambda: Rewrite("new", ["example.test"], {"user01": "one@example.test"}),
    "smarthost": lambda: Smarthost("new", "relay.example.net"),
}


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_refuses_with_the_difference(name: str) -> None:
    stand = Configured("user01")
    stand.host.on(LOOK, record(*CF_EDITED))
    tool: Tool = TOOLS[name]()
    with pytest.raises(Refused) as refused:
        stand.look(tool)
    assert refused.value.lifted_by == "edited-cf"
    assert DIFFERENCE in (refused.value.seen or "")
    assert stand.host.performed == []


def test_an_edited_database_of_aliases_is_not_built_over_and_an_undo_brings_it_back() -> None:
    stand = Configured()
    entry = ("aliases", "later", f"{ALIASES}.db", ALIASES, "hand\tuser01")
    stand.host.on(LOOK, record(*entry))
    with pytest.raises(Refused) as refused:
        stand.look(Harden("new", ["double-bounce"]))
    assert refused.value.lifted_by == "edited-maps"
    stand.host.files[f"{ALIASES}.db"] = b"\0database"
    context = stand.world.context(force=frozenset({"edited-maps"}))
    (change,) = Harden("new", ["double-bounce"]).changes(context)
    do, undo = uploads(change)
    assert "newaliases >" in do.then
    assert {edit.path: edit.after for edit in undo.files}[f"{ALIASES}.db"] == b"\0database"
    assert "newaliases >" not in undo.then
