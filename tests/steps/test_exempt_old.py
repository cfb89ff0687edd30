"""The new host spares the old one its limits, whatever address the old one comes from."""

from __future__ import annotations

import pytest

from migrator.errors import Refused, VerifyFailed
from migrator.plan import HostPlan
from migrator.steps.common.exemption import client_names
from migrator.steps.exempt_old import ExemptOld
from tests.steps.stage import Stage, edits

ACCESS = "/etc/mail/access"
MC = "/etc/mail/sendmail.mc"


@pytest.fixture
def stage() -> Stage:
    return Stage(ExemptOld())


def written(stage: Stage) -> str:
    (change,) = stage.perform()
    assert change.do.host == "new"
    return edits(change)[ACCESS] or ""


def entries(*keys: str) -> str:
    tags = (("Connect", "OK"), ("ClientRate", "0"), ("ClientConn", "0"), ("GreetPause", "0"))
    return "".join(f"{tag}:{key}\t{value}\n" for key in keys for tag, value in tags)


def relays(stage: Stage, *answers: str) -> None:
    """Let the rules of the new host give these answers about who may relay, one after another, then the last."""
    left = list(answers)

    def answer(_host: object, _text: str) -> str:
        said = left.pop(0) if len(left) > 1 else left[0]
        return (
            f"> > > > Relay_ok           input: x\nA    returns: < ? >\nRelay_ok         returns: {said}\n> "
        )

    stage.new.on(r"sendmail -bt.*Relay_ok", answer)


def test_an_address_passes_blocklists_limits_and_pauses(stage: Stage) -> None:
    before = stage.new.files[ACCESS].decode()
    assert written(stage) == before + entries("198.51.100.10")
    stage.verify()


def test_every_address_the_old_host_may_come_from_is_spared_once(stage: Stage) -> None:
    stage.facts("old", addresses=("198.51.100.10", "10.0.0.5"), source="203.0.113.9")
    assert written(stage).endswith(entries("198.51.100.10", "203.0.113.9", "10.0.0.5"))


def test_a_host_without_a_route_is_spared_by_its_other_addresses(stage: Stage) -> None:
    stage.facts("old", source="")
    assert written(stage).endswith(entries("198.51.100.10"))


def test_an_ipv6_address_stands_in_both_forms_that_sendmail_looks_up(stage: Stage) -> None:
    stage.plan(old=HostPlan("root@198.51.100.10", ("198.51.100.10", "2001:db8::10")))
    assert written(stage).endswith(
        entries("198.51.100.10", "IPv6:2001:db8::10", "IPv6:2001:db8:0:0:0:0:0:10")
    )


def test_a_line_that_says_otherwise_is_replaced_where_it_stands(stage: Stage) -> None:
    stage.new.files[ACCESS] = b"clientrate:198.51.100.10\t5\n# end\n"
    text = written(stage)
    assert text.startswith("ClientRate:198.51.100.10\t0\n# end\n")
    assert text.lower().count("clientrate:198.51.100.10\t") == 1


def test_a_host_without_an_access_map_gets_one(stage: Stage) -> None:
    text = stage.new.files[MC].decode().replace("FEATURE(`access_db', , `skip')dnl\n", "")
    stage.new.files[MC] = text.encode()
    del stage.new.files[ACCESS]
    stage.new._build()
    (change,) = stage.perform()
    assert "FEATURE(`access_db')" in (edits(change)[MC] or "")
    stage.verify()


def test_an_access_map_that_is_there_needs_no_edit_of_the_mc(stage: Stage) -> None:
    (change,) = stage.perform()
    assert set(edits(change)) == {ACCESS}


def test_a_spared_host_is_not_spared_again(stage: Stage) -> None:
    stage.perform()
    assert stage.look() == []


def test_an_entry_that_somebody_took_out_is_missed(stage: Stage) -> None:
    stage.perform()
    text = stage.new.files[ACCESS].replace(b"GreetPause:198.51.100.10\t0\n", b"")
    stage.new.files[ACCESS] = text
    with pytest.raises(VerifyFailed, match="does not exempt the old host") as failed:
        stage.verify()
    assert failed.value.expected == "entries for 198.51.100.10 in /etc/mail/access"


def test_the_old_host_is_not_touched(stage: Stage) -> None:
    before = dict(stage.old.files)
    stage.perform()
    assert stage.old.files == before


LIMITS = "".join(f"{tag}:198.51.100.10\t0\n" for tag in ("ClientRate", "ClientConn", "GreetPause"))


@pytest.mark.parametrize(
    "line",
    ["Connect:198.51.100.10\tRELAY", "198.51.100.10 RELAY", "Connect:198.51.100 RELAY", "198.51 RELAY"],
)
def test_a_right_to_relay_is_neither_replaced_nor_hidden(stage: Stage, line: str) -> None:
    stage.new.files[ACCESS] = f"{line}\n".encode()
    assert written(stage) == f"{line}\n{LIMITS}"
    stage.verify()


@pytest.mark.parametrize(
    "line", ["Connect:198.51.100.10 REJECT", "198.51 DISCARD", "old.example.test REJECT"]
)
def test_a_line_that_refuses_the_old_host_is_named_and_left(stage: Stage, line: str) -> None:
    stage.new.on("migrate-name", "migrate-name 198.51.100.10 old.example.test\n")
    stage.new.files[ACCESS] = f"{line}\n".encode()
    with pytest.raises(Refused) as refused:
        stage.perform()
    assert (refused.value.host, refused.value.seen) == ("new", line)
    assert "Connect:198.51.100.10 OK" in (refused.value.advice or "")
    assert stage.new.performed == []
    with pytest.raises(VerifyFailed) as failed:
        stage.verify()
    assert failed.value.seen == line


def test_the_rules_are_asked_before_and_after_who_may_relay(stage: Stage) -> None:
    relays(stage, "RELAY")
    stage.perform()
    assert stage.memory["spared.new.relays"] == "198.51.100.10=yes"
    stage.verify()


@pytest.mark.parametrize(
    ("before", "after"), [("RELAY", "$# error $@ 5 . 7 . 1"), ("$# error $@ 5 . 7 . 1", "RELAY")]
)
def test_a_right_that_is_another_afterwards_is_a_failure(stage: Stage, before: str, after: str) -> None:
    relays(stage, before, after)
    stage.perform()
    with pytest.raises(VerifyFailed, match="has other rights on the new host"):
        stage.verify()


def test_names_that_are_none_are_not_asked_for(stage: Stage) -> None:
    stage.new.on("migrate-name", "hello\nmigrate-name 198.51.100.10 a]b\x1b\nmigrate-name 192.0.2.1 x.test\n")
    assert client_names(stage.new, ("198.51.100.10",)) == {}
