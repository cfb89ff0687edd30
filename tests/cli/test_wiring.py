"""The tools of a command are made of the plan alone, and nothing is contacted before it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from migrator.cli import wiring
from migrator.errors import SmtpError
from migrator.hosts.facts import HostFacts
from migrator.net.dialogue import Reply
from migrator.net.smtp import Conversation
from tests.fakes import make_facts, make_plan


def test_nothing_is_contacted_before_it_is_asked_for() -> None:
    with wiring.wired(make_plan(), frozenset({"space"}), lambda _event: None) as tools:
        assert tools.context.force == {"space"}
        assert tools.context.memory == {}
        assert (tools.context.old.name, tools.context.new.name) == ("old", "new")


def test_a_host_is_looked_at_once_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[tuple[str, str]] = []

    def look(host: object, *, peer: str, mail_spool: str) -> HostFacts:
        looks.append((peer, mail_spool))
        return make_facts()

    monkeypatch.setattr(wiring, "look", look)
    with wiring.wired(make_plan(), frozenset(), lambda _event: None) as tools:
        asking = [threading.Thread(target=tools.context.facts, args=(host,)) for host in ("old", "new") * 3]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
    assert sorted(looks) == [("198.51.100.10", "/var/spool/mail"), ("198.51.100.20", "/var/spool/mail")]


class TestPortMail:
    def answer(self, monkeypatch: pytest.MonkeyPatch, replies: Sequence[Reply], error: str | None) -> None:
        def converse(address: str, **_options: object) -> Conversation:
            return Conversation(address, 25, (), tuple(replies), accepted=False, error=error)

        monkeypatch.setattr(wiring, "converse", converse)

    def test_it_tells_what_decided(self, monkeypatch: pytest.MonkeyPatch) -> None:
        replies = [
            Reply("banner", 220, "ready"),
            Reply("mail", 250, "ok"),
            Reply("rcpt", 550, "User unknown"),
        ]
        self.answer(monkeypatch, replies, None)
        asked = wiring.PortMail(make_plan()).recipient("198.51.100.10", sender="", recipient="a@example.test")
        assert asked == (550, "User unknown")

    def test_no_dialogue_at_all_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answer(monkeypatch, [], "connection refused")
        with pytest.raises(SmtpError, match="connection refused"):
            wiring.PortMail(make_plan()).recipient("198.51.100.10", sender="", recipient="a@example.test")

    def test_a_dialogue_that_broke_after_a_good_reply_is_one_too(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.answer(monkeypatch, [Reply("banner", 220, "ready")], "the connection was closed")
        with pytest.raises(SmtpError, match="closed"):
            wiring.PortMail(make_plan()).recipient("198.51.100.10", sender="", recipient="a@example.test")
