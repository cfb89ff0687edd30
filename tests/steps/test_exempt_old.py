"""The new host spares the old one its limits, whatever address the old one comes from."""

from __future__ import annotations

import pytest

from migrator.errors import VerifyFailed
from migrator.plan import HostPlan
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
