"""Both queues are read together, and a client queue that grows is explained."""

from __future__ import annotations

import pytest

from migrator.errors import CommandFailed
from migrator.sendmail.cf import parse
from migrator.sendmail.text_error import TextError
from migrator.toolbox import queues
from tests.toolbox.stand import LISTENS, PROC_NET, Stand, control, dump, waiting

REFUSED = "Deferred: Connection refused by [127.0.0.1]"


def read(stand: Stand) -> queues.Queues:
    return queues.read(stand.host, stand.world.facts["new"])


def test_messages_are_told_apart_by_their_queue() -> None:
    stand = Stand()
    waiting(
        stand,
        dump("/var/spool/mqueue/q1", AA0001=control("a@else.example")),
        dump("/var/spool/mqueue-client", BB0001=control("root"), BB0002=control("user01")),
    )
    found = read(stand)
    assert [one.id for one in found.mta] == ["AA0001"]
    assert [(name, len(messages)) for name, messages in found.by_name] == [("mta", 1), ("client", 2)]
    assert found.all == found.mta + found.client
    assert found.mta[0].folder == "/var/spool/mqueue/q1"


def test_all_queue_groups_and_the_client_queue_of_the_family_are_asked_for() -> None:
    stand, asked = Stand(), ""

    def answer(_host: object, text: str) -> str:
        nonlocal asked
        asked = text
        return "\0\n====queue====\n\0\n====sockets====\n"

    stand.host.on("====sockets====", answer)
    read(stand)
    assert "'/var/spool/mqueue/q*'" in asked
    assert " /var/spool/mqueue-client" in asked
    stand.host.files["/etc/mail/submit.cf"] = b"O QueueDirectory=/var/spool/other\n"
    read(stand)
    assert " /var/spool/other" in asked


def test_no_daemon_on_the_local_port_explains_a_client_queue() -> None:
    stand, client = Stand(), dump("/c", BB0001=control("root", reason=REFUSED, tries=3))
    waiting(stand, client=client, sockets=PROC_NET)
    assert "no daemon listens on port 25 of 127.0.0.1" in read(stand).explanation
    waiting(stand, client=client, sockets=LISTENS)
    assert REFUSED in read(stand).explanation
    waiting(stand)
    assert read(stand).explanation == ""


@pytest.mark.parametrize(
    ("submit", "place"),
    [
        ("", ("127.0.0.1", 25)),
        ("D{MTAHost}[127.0.0.1]\nMrelay, P=[IPC], A=TCP $h 587\n", ("127.0.0.1", 587)),
        ("D{MTAHost}[IPv6:::1]\nMrelay, P=[IPC], A=TCP $h\n", ("::1", 25)),
        ("D{MTAHost}localhost\n", ("127.0.0.1", 25)),
        ("Mrelay, P=[IPC], A=TCP $h 99999999\n", ("127.0.0.1", 25)),
    ],
)
def test_where_mail_programs_hand_mail_over_is_read_from_submit_cf(
    submit: str, place: tuple[str, int]
) -> None:
    assert queues.submission(parse(submit)) == place


@pytest.mark.parametrize(
    "output", ["", "\0", "\0\n====queue====\n\0", "x\n====sockets====\n", "\0\n====sockets====\n"]
)
def test_an_answer_that_is_not_whole_is_no_empty_queue(output: str) -> None:
    stand = Stand()
    stand.host.on("====sockets====", output)
    with pytest.raises(CommandFailed):
        read(stand)


def test_messages_are_chosen_by_recipient_or_domain_whatever_its_case() -> None:
    stand = Stand()
    waiting(stand, dump("/q", AA0001=control("A@Else.Example"), AA0002=control("b@else.example", "user01")))
    found = read(stand).all
    assert [one.id for one in queues.chosen(found, recipient="A@else.EXAMPLE")] == ["AA0001"]
    assert [one.id for one in queues.chosen(found, domain="else.example")] == ["AA0001", "AA0002"]
    assert queues.chosen(found) == found


@pytest.mark.parametrize("number", ["", "a", "../../etc/passwd", "AA0001; id", "-n", "AA 0001", "*"])
def test_what_is_no_number_of_a_message_is_refused(number: str) -> None:
    with pytest.raises(TextError):
        queues.checked_number(number)
