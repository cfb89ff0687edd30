"""Each thing that can be wrong is found, and a sound host passes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from migrator.sendmail import log
from migrator.sendmail.cf import parse as parse_cf
from migrator.sendmail.processes import Process
from migrator.sendmail.queue import QueuedMessage, Recipient
from migrator.sendmail.safety import Facts
from migrator.sendmail.testmode import Build
from migrator.sendmail.verification import Verdict
from migrator.steps.common.daemons import Running
from migrator.toolbox.diagnosis import page
from migrator.toolbox.diagnosis.rules import findings
from migrator.toolbox.diagnosis.seen import Seen, Table
from migrator.toolbox.queues import Queues
from tests.fakes import make_facts
from tests.toolbox.stand import CF, Stand

NOW = int(datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp())
CF_PATH = "/etc/mail/sendmail.cf"
LISTENER = Process(77, 1, 77, 90_000, 0, "sendmail: MTA: accepting connections")
"""It started 100 s ago on a host that has been up for 1,000 s."""
FORWARD = "/home/user01/.forward"


def waiting(kind: str = "queued", *, hours: int = 1) -> QueuedMessage:
    created = datetime.fromtimestamp(NOW - hours * 3600, UTC)
    recipients = (Recipient("a@else.example", "", ""),)
    return QueuedMessage("AA0001", kind, 8, "s", recipients, created, None, 1, "Deferred: no route", True)


def queues(
    *, mta: tuple[QueuedMessage, ...] = (), client: tuple[QueuedMessage, ...] = (), answered: bool = True
) -> Queues:
    return Queues(mta, client, parse_cf(CF), parse_cf(""), 25, "127.0.0.1", answered)


def seen(**changes: Any) -> Seen:
    """Return a host on which all is well, changed in the fields that are named."""
    sound = Seen(
        facts=Stand("user01").world.facts["new"],
        build=Build("8.17.1.9", frozenset({"STARTTLS"}), {"j": "mail.example.test"}),
        running=Running((LISTENER,), 1000.0, 100, 500.0),
        queues=queues(),
        class_w=frozenset({"example.test"}),
        tables=(Table("access", "/etc/mail/access", "/etc/mail/access.db", False),),
        loaded=(CF_PATH, "/etc/mail/local-host-names"),
        times={CF_PATH: NOW - 500, "/etc/mail/access": NOW - 600, "/etc/mail/access.db": NOW - 600},
        now=NOW,
        verdicts=(Verdict("user01", "local", "", "user01"),),
        unverified=0,
        safety={
            "/": Facts(0o040755, 0, 0),
            "/etc": Facts(0o040755, 0, 0),
            "/etc/mail": Facts(0o042755, 100, 102),
            "/etc/mail/access": Facts(0o100644, 0, 0),
            "/etc/mail/access.db": Facts(0o100640, 100, 102),
        },
        forwards={},
        included=(),
        log=log.parse("Nov 29 12:00:02 mail sm-mta[3]: AA0001: to=<a@x.example>, stat=Sent\n"),
    )
    return replace(sound, **changes)


def told(found: Seen) -> list[str]:
    return [
        f"{one.level.value} {one.name}: {one.text}" for one in findings(found) if one.level.value != "pass"
    ]


def test_a_sound_host_has_no_findings_but_what_is_well() -> None:
    assert told(seen()) == []
    assert {one.name for one in findings(seen())} == {"daemon", "addresses"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"running": Running((), 1000.0, 100, 500.0)}, "fail daemon: no Sendmail accepts connections"),
        ({"times": {CF_PATH: NOW - 50}, "tables": ()}, "fail loaded: younger than what the daemon loaded"),
        ({"verdicts": (Verdict("gone", error="User unknown"),)}, "fail address: gone: User unknown"),
        (
            {"queues": queues(client=(waiting(),), answered=False)},
            "fail client-queue: 1 messages wait in the client",
        ),
        (
            {"queues": queues(client=(waiting(),))},
            "warn client-queue: 1 messages wait in the client queue, though",
        ),
        (
            {"queues": queues(mta=(waiting(hours=25),))},
            "warn queue: 1 messages wait, the oldest since 2026-11-28",
        ),
        ({"queues": queues(mta=(waiting("quarantined"),))}, "warn queue: 1 messages are quarantined: AA0001"),
        ({"queues": queues(mta=(waiting("lost"),))}, "warn queue: 1 messages are lost: AA0001"),
        (
            {"build": Build("8.9", frozenset({"STARTTLS"}), {"j": "mail"})},
            "warn name: the host calls itself mail",
        ),
        (
            {"build": Build("8.9", frozenset(), {"j": "a.test"})},
            "warn build: this Sendmail was built without",
        ),
        (
            {"times": {"/etc/mail/access": NOW, "/etc/mail/access.db": NOW - 1}},
            "fail map: /etc/mail/access.db is older than /etc/mail/access",
        ),
        ({"times": {"/etc/mail/access": NOW - 600}}, "fail map: /etc/mail/access.db of access is missing"),
        ({"log": ()}, "warn log: no line of Sendmail's stands in the log"),
        (
            {"log": log.parse("Nov 29 12:00:02 mail sm-mta[3]: NOQUEUE: SYSERR(root): no way\n")},
            "warn log: Nov 29 12:00:02 SYSERR(root): no way",
        ),
    ],
)
def test_what_is_wrong_is_the_first_finding(changes: dict[str, Any], words: str) -> None:
    assert told(seen(**changes))[0].startswith(words)


def test_an_optional_map_may_be_missing_altogether() -> None:
    tables = (Table("virtuser", "/etc/mail/virtusertable", "/etc/mail/virtusertable.db", True),)
    assert told(seen(tables=tables)) == []


def test_a_forward_that_is_ignored_is_told_and_one_that_a_flag_lets_pass_is_a_warning() -> None:
    home = {
        "/home": Facts(0o040755, 0, 0),
        "/home/user01": Facts(0o040775, 1002, 1002),
        FORWARD: Facts(0o100666, 1002, 1002),
    }
    found = told(seen(forwards={FORWARD: 1002}, safety=home))
    assert found == [
        f"fail permissions: {FORWARD} may be written by everybody: {FORWARD} is ignored without a word",
        f"warn permissions: /home/user01 is a folder that its group may write to (above {FORWARD}), which "
        "DontBlameSendmail=ForwardFileInGroupWritableDirPath hides",
    ]


def test_a_map_of_a_stranger_is_told_once_though_several_maps_stand_there() -> None:
    tables = tuple(
        Table(name, f"/etc/mail/{name}", f"/etc/mail/{name}.db", True) for name in ("access", "virtuser")
    )
    folder = {"/etc/mail": Facts(0o040777, 0, 0)}
    facts = {f"/etc/mail/{name}": Facts(0o100644, 0, 0) for name in ("access", "virtuser")}
    found = told(seen(tables=tables, safety={**folder, **facts}))
    assert found == [
        "fail permissions: /etc/mail is a folder that everybody may write to (above /etc/mail/access): "
        "/etc/mail/access may be refused"
    ]


def test_failures_come_before_warnings_and_both_before_what_is_well() -> None:
    levels = [one.level.value for one in findings(seen(log=(), verdicts=(Verdict("gone", error="no"),)))]
    assert levels == sorted(levels, key=["fail", "warn", "pass"].index)
    assert levels[0] == "fail"


def test_the_page_says_what_the_host_is() -> None:
    rows = page.rows(seen(queues=queues(mta=(waiting(),))))
    assert rows["Sendmail"] == "8.17.1.9"
    assert (
        rows["process 77"]
        == "since 2026-11-29 11:58:20 UTC, user number 0: sendmail: MTA: accepting connections"
    )
    assert rows["takes mail for"] == "example.test"
    assert rows["MTA queue"] == "1 queued, the oldest since 2026-11-29 11:00 UTC"
    assert rows["DontBlameSendmail"] == "forwardfileingroupwritabledirpath"
    many = replace(seen(), running=Running((LISTENER,) * 12, 1000.0, 100, 500.0), facts=make_facts())
    assert page.rows(many)["processes"] == "and 2 more"
