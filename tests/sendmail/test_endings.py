"""Where mail for an address ends is told by the rules and the definitions of the mailers, not by names."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from migrator.sendmail import cf, endings
from migrator.sendmail.verification import Verdict
from tests.hosts.shell import each_shell

CF = cf.parse(
    "Mlocal,\tP=/usr/bin/procmail, F=lsDFMAw5:/|@qSPfhn9, S=EnvFromL\n"
    "Mprog,\tP=/bin/sh, F=lsDFMoqeu9\n"
    "Mesmtp,\tP=[IPC], F=mDFMuXa, S=EnvFromSMTP,\n\tA=TCP $h\n"
    "Mtcp,\tP=[TCP], F=mDFMuX, A=TCP $h\n"
    "Mcyrusv2,\tP=[IPC], F=sDFMnqXA@/:|m, A=FILE /var/imap/socket/lmtp\n"
    "Mdovecot,\tP=[IPC], F=lsDFMnqA5, A=TCP [127.0.0.1] 24\n"
    "Mlmtp,\tP=[IPC], F=sDFMnqAz, A=TCP [198.51.100.9] 24\n"
    "Mmailman,\tP=/usr/lib/mailman/mail, F=FDMPhnu\n"
    "Marchive,\tP=[FILE], F=lsDFMPEouq9\n"
)


@pytest.mark.parametrize(
    ("mailer", "local"),
    [
        *((name, True) for name in ("local", "prog", "cyrusv2", "dovecot", "lmtp", "mailman", "archive")),
        *((name, True) for name in ("*file*", "*include*", "unheard-of")),
        *((name, False) for name in ("esmtp", "tcp", "relay", "discard")),
    ],
)
def test_a_mailer_is_told_by_its_definition(mailer: str, local: bool) -> None:
    assert endings.is_local(CF, mailer) is local


def verdict(text: str, mailer: str = "", error: str = "") -> tuple[Verdict, ...]:
    return (Verdict(text, mailer, "", "u", error),)


@pytest.mark.parametrize(
    ("text", "verdicts", "here"),
    [
        ("\\user01", verdict("\\user01", "local"), True),
        ("user01@localhost", verdict("user01@localhost", "cyrusv2"), True),
        ("user01%else.test@localhost", verdict("x", "esmtp"), False),
        ('"|/bin/prog"', verdict("x", error="Cannot mail directly to programs"), True),
        ("/home/u/mbox", verdict("x", error="Cannot mail directly to files"), True),
        ("nobody-here", verdict("nobody-here", error="User unknown"), False),
        ("user01", verdict("user01", error="User unknown"), True),
        ("user01", (*verdict("a@else.test", "esmtp"), *verdict("x", "prog")), True),
        ("user01", verdict("a@else.test", "esmtp"), False),
        ("user01", None, True),
        ("other", (), False),
        ("\\other", (), True),
        ('"|/bin/prog"', (), True),
        (":include:/etc/list", (), True),
        ("a@else.test", (), False),
    ],
)
def test_what_is_delivered_here_is_told_by_the_verdicts(
    text: str, verdicts: tuple[Verdict, ...] | None, here: bool
) -> None:
    assert endings.ends_here(CF, text, verdicts, {"user01"}) is here


FORGED = "a... deliverable: mailer esmtp, host h, user u"


def test_a_text_cannot_pass_for_the_verdict_on_another_one() -> None:
    output = f"{FORGED}... User unknown\na... deliverable: mailer local, user a\n"
    found = endings.told(output, ["a", FORGED])
    assert found["a"].mailer == "local"
    assert found[FORGED].error == "User unknown"


def test_a_line_that_can_be_read_in_two_ways_counts_as_both() -> None:
    output = f"\n\x01user01\n{FORGED}... deliverable: mailer local, user b\n"
    assert {one.mailer for one in endings.told_singly(output)["user01"]} == {"esmtp", "local"}


TEXTS = ["\\user01", '"A" <a@b.test>', "-Ac", "$(reboot)", "it's", '"|exec x"', "a b"]


def asked(shell: str, folder: Path, script: str) -> tuple[str, list[str]]:
    """Run a script with a stand-in for Sendmail; return what it printed, and each argument that was passed."""
    program = folder / "sendmail"
    program.write_text(
        f'#!/bin/sh\nfor one in "$@"; do printf "%s\\n" "$one" >>"{folder}/asked"; done\necho said\n'
    )
    program.chmod(0o755)
    done = subprocess.run(
        [shell, "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        env={"PATH": f"{folder}:/usr/bin:/bin"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout, (folder / "asked").read_text().splitlines()


@each_shell
def test_all_are_asked_about_in_one_call_whatever_they_hold(shell: str, tmp_path: Path) -> None:
    output, words = asked(shell, tmp_path, endings.batch_script(TEXTS, longest=5))
    assert words[words.index("--") + 1 :] == TEXTS
    assert endings.is_whole(output)


@each_shell
def test_what_an_alias_leads_to_is_asked_for_each_alone(shell: str, tmp_path: Path) -> None:
    output, words = asked(shell, tmp_path, endings.single_script(TEXTS))
    assert words.count("--") == len(TEXTS)
    assert list(endings.told_singly(output)) == TEXTS
    assert endings.is_whole(output)


@each_shell
def test_a_name_server_that_does_not_answer_is_not_waited_for(shell: str, tmp_path: Path) -> None:
    (tmp_path / "sendmail").write_text("#!/bin/sh\nexec sleep 20\n")
    (tmp_path / "sendmail").chmod(0o755)
    done = subprocess.run(
        [shell, "-c", endings.batch_script(["a@b"], longest=1)],
        capture_output=True,
        text=True,
        timeout=10,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    assert not endings.is_whole(done.stdout)


def test_a_recipient_is_one_line() -> None:
    with pytest.raises(ValueError, match="one line"):
        endings.batch_script(["a\nb"], longest=1)
