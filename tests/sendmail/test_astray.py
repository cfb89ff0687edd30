"""Thousands of addresses in one question: which of them do not take the route they should."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from migrator.sendmail import verification
from migrator.sendmail.text_error import TextError
from migrator.sendmail.verification import Verdict

ROUTE = "mailer esmtp, host [198.51.100.20]"

STAND_IN = """#!/bin/sh
[ "$1" = -bv ] || exit 64
shift
echo "call $#" >>"${0%/*}/calls"
for address do
    case $address in
        info@*) echo "$address... deliverable: mailer local, user user03" ;;
        team@*) echo "user01... deliverable: mailer local, user user01" ;;
        nosuch@*) echo "$address... User unknown"; status=67 ;;
        *) printf '%s... deliverable: mailer esmtp, host [198.51.100.20], user %s\\r\\n' "$address" "$address" ;;
    esac
done
exit $status
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder whose `sendmail` answers as deliver.c prints."""
    program = tmp_path / "sendmail"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    return tmp_path


def ask(folder: Path, shell: str, *addresses: str) -> subprocess.CompletedProcess[str]:
    script = "set -e\n" + verification.astray_script(verification.askable(addresses), ROUTE)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "LC_ALL": "C"}
    return subprocess.run(
        [*shell.split(), "-s"], input=script, capture_output=True, text=True, env=environment, timeout=60
    )


SHELLS = ("dash", "bash", "busybox sh")


@pytest.mark.parametrize("shell", SHELLS)
def test_no_file_that_another_user_puts_beside_answers_for_sendmail(folder: Path, shell: str) -> None:
    forged = f"info@example.test... deliverable: {ROUTE}, user info@example.test"
    # Whoever waits for the name in /tmp, which all may write into, puts an answer beside it.
    (folder / "mktemp").write_text(
        f'#!/bin/sh\nmade=$(/usr/bin/mktemp "$@" -p {folder}) || exit\necho "{forged}" >"$made.0"\necho "$made"\n'
    )
    (folder / "mktemp").chmod(0o755)
    done = ask(folder, shell, "info@example.test", *(f"user{number}@example.test" for number in range(300)))
    assert done.returncode == 1
    assert verification.parse_astray(done.stdout) == (Verdict("info@example.test", "local", "", "user03"),)
    assert not [each for each in folder.iterdir() if each.is_dir()]


@pytest.mark.parametrize("shell", SHELLS)
def test_processes_that_answer_at_the_same_time_do_not_cut_into_each_others_lines(
    folder: Path, shell: str
) -> None:
    # Each writes half a line, and the rest when the others have begun.
    (folder / "sendmail").write_text(
        "#!/bin/sh\nshift\nprintf '%s' \"${1%@*}\"\nsleep 0.3\nprintf '%s\\n' \"@${1#*@}... "
        f'deliverable: {ROUTE}, user $1"\nshift\n'
        f'for address do echo "$address... deliverable: {ROUTE}, user $address"; done\n'
    )
    done = ask(folder, shell, *(f"user{number}@example.test" for number in range(4000)))
    assert (done.returncode, verification.parse_astray(done.stdout)) == (0, ())


@pytest.mark.parametrize("shell", SHELLS)
def test_one_user_who_stays_is_seen_among_many(folder: Path, shell: str) -> None:
    many = [f"user{number}@example.test" for number in range(2500)]
    done = ask(folder, shell, *many, "info@example.test", "team@example.test", "nosuch@example.test")
    assert done.returncode == 1
    assert verification.parse_astray(done.stdout) == (
        Verdict("info@example.test", "local", "", "user03"),
        Verdict("team@example.test"),
        Verdict("nosuch@example.test", error="User unknown"),
    )
    assert len((folder / "calls").read_text().splitlines()) == 3


@pytest.mark.parametrize("shell", SHELLS)
def test_where_all_take_the_route_nothing_is_printed_but_the_end(folder: Path, shell: str) -> None:
    done = ask(folder, shell, "O'Brien@Example.test", "a&b|c`d$(x)@example.test", "user+x@example.test")
    assert (done.returncode, verification.parse_astray(done.stdout)) == (0, ())


def test_what_could_be_two_addresses_is_left_out_and_refused_in_a_script() -> None:
    odd = [
        "-C/x@a.test",
        "a b@a.test",
        "a,b@a.test",
        "a\nb@a.test",
        "a..b@a.test",
        '"a"@a.test',
        "a@b@c.test",
    ]
    assert verification.askable([*odd, "A@a.test", "a@a.test"]) == ("a@a.test",)
    with pytest.raises(TextError):
        verification.astray_script(("a,b@a.test",), ROUTE)


def test_answers_that_break_off_are_no_answers() -> None:
    with pytest.raises(TextError, match="not whole"):
        verification.parse_astray("info@example.test\tdeliverable: mailer local, user user03\n")
