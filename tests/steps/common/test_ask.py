"""Questions to Sendmail itself: an answer that is missing is an error, never "none"."""

from __future__ import annotations

import pytest

from migrator.errors import CommandFailed
from migrator.hosts.base import Output
from migrator.sendmail.text_error import TextError
from migrator.sendmail.verification import Verdict
from migrator.steps.common import ask
from tests.fakes import FakeHost
from tests.steps.sound import MARK


@pytest.fixture
def host() -> FakeHost:
    return FakeHost("old")


def test_a_class_is_read_in_lower_case(host: FakeHost) -> None:
    host.on(r"^sendmail -bt .*\$=w", f"{MARK}\nlocalhost\nExample.TEST\n{MARK}\n")
    assert ask.class_members(host, "w") == {"localhost", "example.test"}


@pytest.mark.parametrize(("said", "name"), [("Mail.Example.TEST", "mail.example.test"), ("Undefined", "")])
def test_the_hosts_own_name_is_what_it_greets_with(host: FakeHost, said: str, name: str) -> None:
    host.on(r"^sendmail -bt .*\$j", f"{MARK}\n{said}\n{MARK}\n")
    assert ask.own_name(host) == name


@pytest.mark.parametrize(
    "output",
    [Output(0, "", ""), Output(0, f"{MARK}\nlocalhost\n", ""), Output(78, "", "sendmail.cf: no such file\n")],
    ids=["silent", "cut off", "failed"],
)
def test_no_answer_is_never_an_empty_class(host: FakeHost, output: Output) -> None:
    host.on("^sendmail -bt", output)
    with pytest.raises(CommandFailed, match="does not answer in test mode") as failed:
        ask.class_members(host, "w")
    assert failed.value.host == "old"
    assert failed.value.seen == (output.stderr or output.stdout).strip()


def test_each_address_has_its_verdict_and_an_alias_has_none(host: FakeHost) -> None:
    host.on(
        "^sendmail -bv a@example.test postmaster@example.test",
        "a@example.test... deliverable: mailer esmtp, host [198.51.100.20], user a@example.test\n"
        "root... deliverable: mailer local, user root\n",
    )
    assert ask.verdicts(host, ("a@example.test", "postmaster@example.test")) == {
        "a@example.test": Verdict("a@example.test", "esmtp", "[198.51.100.20]", "a@example.test")
    }


@pytest.mark.parametrize("address", ["-C/tmp/x", "a b@example.test", "a@example.test,b", "$(x)@example.test"])
def test_an_address_that_is_none_is_not_asked(host: FakeHost, address: str) -> None:
    with pytest.raises(TextError):
        ask.verdicts(host, (address,))
    assert host.unanswered == []
