"""Senders under their public addresses: what is written, and what a mailer makes of it."""

from __future__ import annotations

import re

import pytest

from migrator.errors import UsageError, VerifyFailed
from migrator.hosts.base import Output
from migrator.sendmail import maps
from migrator.toolbox.rewrite import TABLE, Rewrite
from tests.fakes import FakeHost
from tests.toolbox.configured import MC, Configured, uploads

ROWS = {"user01": "Jane.Doe@shop.test", "user02": "joe@shop.test"}


def rewritten(host: FakeHost, asked: str) -> str:
    """Answer /try as a Sendmail does that has the table of the host's files."""
    table = host.files.get(TABLE, b"").decode()
    lines, kind = [], ""
    for line in asked.splitlines():
        if found := re.search(r"/tryflags ([HE])S", line):
            kind = {"H": "header", "E": "envelope"}[found[1]]
        if found := re.search(r"/try esmtp (\S+)", line):
            address = maps.lookup(table, found[1].partition("@")[0]) or found[1]
            lines.append(f"> > Trying {kind} sender address {found[1]} for mailer esmtp")
            lines.append(f"Rcode = 0, addr = {address}")
    return "\n".join(lines)


@pytest.fixture
def stand() -> Configured:
    stand = Configured("user01", "user02")
    stand.host.on(r"sendmail -bt <<< /tryflags", rewritten)
    stand.host.on(r"test -e", Output(1, "", ""))
    return stand


def test_table_and_features_are_one_change_and_twice_is_once(stand: Configured) -> None:
    before = dict(stand.host.files)
    (change,) = stand.perform(Rewrite("new", ["shop.test"], ROWS))
    text = stand.text(MC)
    for line in (
        "FEATURE(`genericstable', `hash -o /etc/mail/genericstable')dnl",
        "FEATURE(`generics_entire_domain')dnl",
        "FEATURE(`masquerade_envelope')dnl",
        "GENERICS_DOMAIN(`shop.test')dnl",
        "GENERICS_DOMAIN(`mail.example.test')dnl",
    ):
        assert line in text
    assert stand.text(TABLE) == "user01\tJane.Doe@shop.test\nuser02\tjoe@shop.test\n"
    assert stand.look(Rewrite("new", ["shop.test"], ROWS)) == []
    stand.undo([change])
    assert stand.host.files == before
    assert f"rm -f {TABLE}.db\n" in uploads(change)[1].then


def test_the_name_of_the_host_is_looked_up_where_no_domain_covers_it(stand: Configured) -> None:
    stand.perform(Rewrite("new", ["example.test"], ROWS))
    assert "GENERICS_DOMAIN(`mail.example.test')" not in stand.text(MC)


def test_before_and_after_are_what_a_mailer_makes_of_senders(stand: Configured) -> None:
    tool = Rewrite("new", ["shop.test"], ROWS)
    sender = "user01@mail.example.test"
    assert stand.measured(tool)[sender] == f"header {sender}, envelope {sender}"
    stand.perform(tool)
    assert stand.measured(tool)[sender] == "header Jane.Doe@shop.test, envelope Jane.Doe@shop.test"
    tool.verify(stand.context())


def test_without_a_table_every_person_has_a_row(stand: Configured) -> None:
    stand.perform(Rewrite("new", ["shop.test"], None))
    rows = {entry.key: entry.value for entry in maps.parse(stand.text(TABLE))}
    assert rows["user01"] == "user01@shop.test"
    assert "root" not in rows


def test_other_rows_of_a_table_stay(stand: Configured) -> None:
    stand.host.files[TABLE] = b"# by hand\nother\to@shop.test\n"
    stand.perform(Rewrite("new", ["shop.test"], {"user01": "j@shop.test"}))
    assert stand.text(TABLE) == "# by hand\nother\to@shop.test\nuser01\tj@shop.test\n"


def test_a_sender_that_leaves_otherwise_is_a_failure(stand: Configured) -> None:
    with pytest.raises(VerifyFailed, match="does not leave as"):
        Rewrite("new", ["shop.test"], ROWS).verify(stand.context())


def test_a_test_mode_that_says_nothing_is_a_failure(stand: Configured) -> None:
    stand.host.on(r"sendmail -bt <<< /tryflags", "")
    with pytest.raises(VerifyFailed, match="does not say how"):
        stand.measured(Rewrite("new", ["shop.test"], ROWS))


@pytest.mark.parametrize("domains", [[], ["a b"], ["$(id).test"], ["x'"]])
def test_what_is_no_domain_is_refused(domains: list[str]) -> None:
    with pytest.raises(UsageError):
        Rewrite("new", domains, ROWS)
