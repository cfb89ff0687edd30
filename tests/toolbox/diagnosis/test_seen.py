"""A look gathers what the rules need, and changes nothing."""

from __future__ import annotations

import pytest

from migrator.errors import CommandFailed
from migrator.hosts.base import Output
from migrator.toolbox.diagnosis.seen import gather
from tests.toolbox.stand import Stand, waiting

BUILD = "Version 8.17.1.9\n Compiled with: DNSMAP\n\t\tSTARTTLS\n      (canonical domain name) $j = mail.example.test\n"
TITLE = "sendmail: MTA: accepting connections"
PROCESSES = f"1000.0 100 5000 4500\n0\x0077 (sendmail-mta) S 1 77 77 {'0 ' * 15}90000\0{TITLE}\0\0"


def stand() -> Stand:
    here = Stand("user01")
    here.host.files |= {
        "/etc/mail/aliases": b'team: user01, :include:/etc/mail/team\n"odd name": root\ngone: nobody\n',
        "/etc/mail/virtusertable": b"info@example.test\tuser01\n@example.test\terror:nouser none\n",
    }
    waiting(here)
    here.host.on("sendmail -d0.11", BUILD)
    here.host.on("CLK_TCK.*proc", PROCESSES)
    here.host.on(r"sendmail -bt <<<", "====migrate====\nexample.test\n====migrate====\n")
    here.host.on("sendmail -bv", "user01... deliverable: mailer local, user user01\nnobody... User unknown\n")
    here.host.on(r"stat -L -c", "5000\n4500 /etc/mail/sendmail.cf\n4000 /etc/mail/access\n")
    here.host.on(r"%f %u %g", "81a4 0 0 /etc/mail/access\0\0")
    here.host.on(r'\[ -e "\$file" \]', "/home/user01/.forward\0/elsewhere\0")
    here.host.on("tail -n", "Nov 29 12:00:02 mail sm-mta[3]: AA0001: to=<a@x.example>, stat=Sent\n")
    return here


def test_everything_is_looked_at_and_nothing_performed() -> None:
    here = stand()
    found = gather(here.host, here.world.facts["new"])
    assert found.build.options == {"DNSMAP", "STARTTLS"}
    assert [one.pid for one in found.running.listeners] == [77]
    assert found.class_w == {"example.test"}
    assert [(one.name, one.built) for one in found.tables] == [
        ("aliases", "/etc/mail/aliases.db"),
        ("access", "/etc/mail/access.db"),
        ("virtuser", "/etc/mail/virtusertable.db"),
    ]
    assert found.loaded[:2] == ("/etc/mail/sendmail.cf", "/etc/mail/local-host-names")
    assert (found.now, found.times["/etc/mail/sendmail.cf"]) == (5000, 4500)
    assert [one.address for one in found.verdicts if one.error] == ["nobody"]
    assert found.included == ("/etc/mail/team",)
    assert found.forwards == {"/home/user01/.forward": 1002}
    assert found.safety["/etc/mail/access"].mode == 0o100644
    assert len(found.log) == 1
    assert here.host.performed == []


def test_only_plain_addresses_are_verified_and_not_too_many() -> None:
    here, asked = stand(), ""

    def answer(_host: object, text: str) -> str:
        nonlocal asked
        asked = text
        return ""

    here.host.on("sendmail -bv", answer)
    here.host.files["/etc/mail/aliases"] += "".join(f"a{number}: root\n" for number in range(150)).encode()
    found = gather(here.host, here.world.facts["new"])
    assert len(asked.split()) == 2 + 100
    assert "odd" not in asked
    assert "error:" not in asked
    assert found.unverified == 53


def test_a_host_without_sendmail_is_told_as_that() -> None:
    here = stand()
    here.host.on("sendmail -d0.11", Output(127, "", "sh: sendmail: not found"))
    with pytest.raises(CommandFailed, match="does not say what it is"):
        gather(here.host, here.world.facts["new"])
