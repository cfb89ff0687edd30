"""Whom a relay knows: the list and the rules that ask it."""

from __future__ import annotations

from migrator.sendmail import known, mc
from migrator.sendmail.maps import parse

MC = "OSTYPE(`debian')dnl\nFEATURE(`access_db')dnl\nMAILER(`smtp')dnl\n"


def test_the_list_says_who_is_known_who_never_was_and_who_is_later() -> None:
    text = known.table(
        {"example.test": True, "keys.test": False},
        keys=["info@example.test", "no@example.test"],
        names=["team", "gone"],
        probe="nobody",
        refused={"no@example.test"},
        later={"gone", "user07"},
    )
    assert {entry.key: entry.value for entry in parse(text)} == {
        "@example.test": "NAMES",
        "@keys.test": "KEYS",
        "nobody@example.test": "RELAYED",
        "nobody@keys.test": "RELAYED",
        "info@example.test": "OK",
        "no@example.test": "REFUSED",
        "team": "OK",
        "gone": "LATER",
        "user07": "LATER",
    }
    assert known.later_of(text) == ("gone", "user07")


def test_the_time_until_which_the_answer_is_for_now_is_an_entry_where_there_is_such_an_answer() -> None:
    def made(later: set[str]) -> str:
        return known.table(
            {"a.test": True}, keys=[], names=["x"], probe="p", refused=set(), later=later, until=1796000000
        )

    assert "until:\t1796000000\n" in made({"x"})
    assert "until" not in made(set())
    assert known.later_of(made({"x"})) == ("x",)
    assert known.by_name(made({"x"})) == ("a.test",)
    assert known.later_of(known.taken(made({"x"}), ["x"])) == ()


def test_a_catch_all_that_refuses_everyone_leaves_the_keys_alone() -> None:
    table = "@a.test\terror:nouser No such user\n@b.test\tuser01\nx@c.test\terror:nouser\n"
    assert known.catch_all_errors(table) == {"a.test"}


def test_the_rules_come_last_in_an_mc_without_rules_and_stand_there_once() -> None:
    once = mc.ensure_rules(MC, *known.rules("btree"))
    assert once.startswith(MC + "LOCAL_CONFIG\nKmigrateknown btree -o /etc/mail/migrate-known\n")
    assert mc.ensure_rules(once, *known.rules("btree")) == once
    assert mc.has_mailer(once, "smtp")


def test_the_rules_come_before_those_of_the_hosts_own() -> None:
    own = f"{MC}LOCAL_RULESETS\nSLocal_check_rcpt\nR$*\t$@ OK\n"
    text = mc.ensure_rules(own, *known.rules("hash"))
    assert text.index("SMigrateKnown") < text.index("R$*\t$@ OK")
    assert text.startswith(MC)
