"""Mail that only a person can release is told days before the cutover, and not at its beginning."""

from __future__ import annotations

import pytest

from migrator.steps.rules import HOST_RULES
from migrator.steps.rules.held import held
from tests.fakes import World
from tests.steps.sound import both, brief, sound_world
from tests.steps.stage import queued


def waiting(*messages: str) -> World:
    world = sound_world()
    world.old.on("read_queue", "".join(messages) + "\0")
    return world


def test_it_is_one_of_the_rules_of_the_check() -> None:
    assert held in HOST_RULES


@pytest.mark.parametrize(
    ("name", "recipient", "kind"),
    [
        ("hf4AT1", "user01@example.test", "quarantined"),
        ("Qf4AT1", "user01@example.test", "lost"),
        ("hf4AT1", "\\user01", "quarantined"),
    ],
)
def test_a_held_message_is_a_warning_with_its_number_its_recipient_and_the_cure(
    name: str, recipient: str, kind: str
) -> None:
    (found,) = held(both(waiting(queued(name, recipient))))
    assert brief([found]) == ["warn held-mail old"]
    assert f"4AT1 ({kind}) for <{recipient}>" in found.text
    assert "sendmail -Q -qQ" in found.advice


@pytest.mark.parametrize(
    "messages",
    [(), (queued("qf4AT1", "user01@example.test"),), (queued("hf4AT1", "x@elsewhere.test"),)],
    ids=["nothing", "waiting", "elsewhere"],
)
def test_what_leaves_by_itself_or_stays_nowhere_here_is_no_matter(messages: tuple[str, ...]) -> None:
    assert brief(list(held(both(waiting(*messages))))) == ["pass held-mail old"]
