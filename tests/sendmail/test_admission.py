"""What a closed host would refuse, by its own rules."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from migrator.sendmail import admission
from migrator.sendmail.text_error import TextError

PAIRS = [
    ("bad@bad.test", "user01@example.test"),
    ("", "user07@example.test"),
    ("late@tmp.test", "user01@example.test"),
    ("x@throw.test", "user01@example.test"),
    ("q@quiet.test", "user01@example.test"),
    ("good@outside.test", "user01@example.test"),
    ("none@nowhere.test", "user01@example.test"),
]
SAID = """\
ADDRESS TEST MODE (ruleset 3 NOT automatically invoked)
> > > > > Undefined ruleset check_mail
> check_rcpt         input: < user01 @ example . test >
check_rcpt       returns: $# error $@ 5 . 7 . 1 $: "550 Access denied"
> ====migrate====
> > > check_mail         input: < >
check_mail       returns: < OK >
> check_rcpt         input: < user07 @ example . test >
check_rcpt       returns: $# error $@ 5 . 2 . 1 $: "550 Mailbox disabled for this recipient"
> ====migrate====
check_rcpt       returns: $# error $@ 4 . 1 . 8 $: "451 Domain of sender address " late @ tmp . test " does not resolve"
====migrate====
check_rcpt       returns: $# discard $: discard
====migrate====
check_rcpt       returns: $# error $@ quarantine $: hmm
====migrate====
check_rcpt       returns: OK
====migrate====
check_rcpt       returns: $# error $@ 5 . 1 . 8 $: "553 Domain of " none @ nowhere . test " does not exist"
"""


def test_what_the_rules_refuse_for_good_is_told_with_the_answer_and_nothing_else() -> None:
    found = admission.refused(SAID + "> ====migrate====\n", PAIRS)
    assert found == {
        PAIRS[0]: "550 Access denied",
        PAIRS[1]: "550 Mailbox disabled for this recipient",
        PAIRS[3]: admission.THROWN_AWAY,
        PAIRS[6]: "553 Domain of none @ nowhere . test does not exist",
    }


def test_what_was_cut_off_has_no_verdict() -> None:
    assert PAIRS[6] not in admission.refused(SAID, PAIRS)
    assert admission.refused("", PAIRS) == {}


@pytest.mark.parametrize(
    ("returned", "refused"),
    [
        ("$# error $@ TEMPFAIL $: try again", False),
        ("$# error $: 550 go away", True),
        ("$# error $: 450 later", False),
        ("$# error $@ 4 . 7 . 1 $: later", False),
        ("$# error $: no code", True),
        ("$# relay $: x", False),
        ("$# OK", False),
    ],
)
def test_an_answer_counts_by_its_code_or_its_status(returned: str, *, refused: bool) -> None:
    assert bool(admission._refusal(returned)) is refused


FAKE = """#!/bin/sh
sed -n -e 's/^check_rcpt .*/> check_rcpt  returns: $# error $@ 5 . 7 . 1 $: "550 no"/p' -e 's/^[$].*/====migrate====/p'
"""


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_script_asks_by_standard_input_and_shows_only_the_answers(tmp_path: Path, shell: str) -> None:
    for name, text in (("sendmail", FAKE), ("getent", "#!/bin/sh\nexit 2\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    text = admission.script("198.51.100.10", "mail.example.test", PAIRS)
    done = subprocess.run(
        [shell, "-c", text],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert set(admission.refused(done.stdout, PAIRS)) == set(PAIRS)
    assert len(done.stdout.split("\n")) == 2 * len(PAIRS) + 1
    assert "name='[198.51.100.10]' resolved=FAIL" in text


@pytest.mark.parametrize(
    "pair",
    [
        ("a b@c.test", "user01@example.test"),
        ("", ""),
        ("a@c.test", 'x"@example.test'),
        ("x\n@c.test", "a@b.test"),
    ],
)
def test_what_could_be_read_as_something_else_is_not_asked(pair: admission.Pair) -> None:
    with pytest.raises(TextError):
        admission.script("198.51.100.10", "mail.example.test", [pair])
