"""What `/try` of address test mode answers."""

from __future__ import annotations

import pytest

from migrator.sendmail import trying
from migrator.sendmail.text_error import TextError

ANSWER = """\
ADDRESS TEST MODE (ruleset 3 NOT automatically invoked)
Enter <ruleset> <address>
> > Trying header sender address user01 for mailer esmtp
canonify           input: user01
final            returns: Jane @ shop . test
Rcode = 0, addr = Jane@shop.test
> > Trying envelope sender address user01 for mailer esmtp
final            returns: user01 @ mail . example . test
Rcode = 0, addr = user01@mail.example.test
>
"""


def test_header_and_envelope_are_told_apart() -> None:
    assert trying.answers(ANSWER) == {"user01": ("Jane@shop.test", "user01@mail.example.test")}


def test_what_cannot_be_rewritten_is_empty() -> None:
    failed = ANSWER.replace("Rcode = 0, addr = Jane@shop.test", "Rcode = 75, addr = user01")
    assert trying.answers(failed)["user01"][0] == ""


@pytest.mark.parametrize(
    "cut",
    ["Rcode = 0, addr = Jane@shop.test\n", "> > Trying envelope sender address user01 for mailer esmtp\n"],
)
def test_an_answer_that_is_missing_is_seen(cut: str) -> None:
    text = ANSWER.replace(cut, "")
    if cut.startswith(">"):
        text = text.replace("Rcode = 0, addr = user01@mail.example.test\n", "")
    with pytest.raises(TextError, match="no answer"):
        trying.answers(text)


def test_the_questions_are_one_line_each() -> None:
    assert trying.questions(["a", "b@c.test"], "relay").splitlines() == [
        *("/tryflags HS", "/try relay a", "/try relay b@c.test"),
        *("/tryflags ES", "/try relay a", "/try relay b@c.test"),
    ]


@pytest.mark.parametrize("address", ["a\n/quit", "-a", "a b", "a;b"])
def test_what_could_be_another_command_is_no_question(address: str) -> None:
    with pytest.raises(TextError):
        trying.questions([address])
