"""What Sendmail reads is held against what its sources make: read here from real files, with programs of our own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from migrator.hosts.derived import Derived, look_script, parse
from tests.fakes import make_facts
from tests.hosts.shell import SHELLS, run

M4 = """#!/bin/sh
for each; do file=$each; done
if grep -q BROKEN "$file"; then echo '*** ERROR: FEATURE() should be before MAILER()' >&2; exit 0; fi
echo "##### built by root@here on $(date)"
sed -n 's/^out //p' "$file"
"""
# What a map of these tests holds: a first line, and the entries with their keys in lower case.
MAKEMAP = """#!/bin/sh
if [ "$1" = -u ]; then sed 1d "$3.db"; exit; fi
cat >"$2.in"
if grep -q twice "$2.in"; then echo 'makemap: duplicate key twice' >&2; rm "$2.in"; exit 65; fi
{ echo "$1"; grep -v '^#' "$2.in"; } >"$2.db"
rm "$2.in"
"""
SENDMAIL = """#!/bin/sh
[ "$1" = -bi ] || exit 64
path=${2#-OAliasFile=hash:}
{ echo aliases; tr ':' '\\t' <"$path"; } >"$path.db"
"""
MC = "include(`cf/m4/cf.m4')\nout V10\nout DS\nout Kaccess hash -T<TMPF> @@/access\n"
CF = "# by hand\nV10\nDS\nKaccess hash -T<TMPF> @@/access\n### the .mc\n# DSnot a line\n"


class Mail:
    """A folder in the place of /etc/mail, with a sendmail.cf that is what sendmail.mc makes."""

    def __init__(self, shell: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shell = shell
        self.folder = folder / "mail"
        self.temporary = folder / "tmp"
        programs = folder / "bin"
        for one in (self.folder, programs):
            one.mkdir()
        for name, text in (("m4", M4), ("makemap", MAKEMAP), ("sendmail", SENDMAIL)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        self.write("sendmail.mc", MC)
        self.write("sendmail.cf", CF)
        self.write("access", "# ours\nTo:a RELAY\nConnect:192.0.2.7 REJECT\n", age=100)
        self.write("access.db", "hash\nConnect:192.0.2.7 REJECT\nTo:a RELAY\n", age=50)

    def write(self, name: str, text: str, *, age: int = 0) -> None:
        path = self.folder / name
        path.write_bytes(text.replace("@@", str(self.folder)).encode("utf-8", "surrogateescape"))
        past = path.stat().st_mtime - age
        os.utime(path, (past, past))

    def output(self) -> str:
        script = look_script(make_facts()).replace("/etc/mail", str(self.folder))
        before = sorted(self.folder.iterdir())
        result = run(self.shell, script, temporary=self.temporary)
        assert (result.returncode, result.stderr) == (0, "")
        assert sorted(self.folder.iterdir()) == before
        assert not list(self.temporary.iterdir())
        return result.stdout

    def found(self) -> list[Derived]:
        return list(parse(self.output()))

    def one(self) -> Derived:
        (found,) = self.found()
        return found


@pytest.fixture(params=SHELLS)
def mail(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mail:
    return Mail(request.param, tmp_path, monkeypatch)


def changed(found: Derived) -> list[str]:
    """Return the lines of a difference that are not the same on both sides, without its head."""
    return [line for line in found.difference.split("\n")[2:] if line[:1] in "+-"]


def test_nothing_is_printed_where_all_is_what_its_source_makes(mail: Mail) -> None:
    assert mail.output() == ""


def test_a_line_typed_into_sendmail_cf_is_found(mail: Mail) -> None:
    mail.write("sendmail.cf", CF.replace("DS\n", "DSsmarthost.example.test\n", 1))
    found = mail.one()
    assert (found.kind, found.path, found.due) == ("cf", f"{mail.folder}/sendmail.cf", True)
    assert found.source == f"{mail.folder}/sendmail.mc"
    assert changed(found) == ["-DSsmarthost.example.test", "+DS"]


def test_a_source_that_was_edited_and_never_made_is_found_as_well(mail: Mail) -> None:
    mail.write("sendmail.mc", MC + "out O Later=1\n")
    assert changed(mail.one()) == ["+O Later=1"]


def test_a_comment_and_what_goes_on_with_it_are_no_difference(mail: Mail) -> None:
    mail.write("sendmail.cf", CF + "# a word\n\tthat goes on\n \n\tand on\n\n")
    assert mail.output() == ""


def test_a_line_that_goes_on_with_one_that_counts_is_a_difference(mail: Mail) -> None:
    mail.write("sendmail.cf", CF.replace("DS\n", "DS\n\t.example.test\n", 1))
    assert changed(mail.one()) == ["-\t.example.test"]


def test_the_version_in_the_greeting_is_no_difference(mail: Mail) -> None:
    mail.write("sendmail.cf", CF + "DZ8.14.4\n")
    assert mail.output() == ""


def test_bytes_of_any_kind_come_over_as_they_are(mail: Mail) -> None:
    mail.write("sendmail.cf", CF + "D{x}\udcff\x1b[2J\x85migrate-derived- x\n")
    assert changed(mail.one()) == ["-D{x}\udcff\x1b[2J\x85migrate-derived- x"]


def test_what_a_login_shell_says_before_is_no_record(mail: Mail) -> None:
    mail.write("sendmail.cf", CF + "O Hand=1\n")
    assert changed(parse(f"Welcome to mail\n{mail.output()}")[0]) == ["-O Hand=1"]


def test_a_source_that_m4_finds_fault_with_is_told(mail: Mail) -> None:
    mail.write("sendmail.mc", "BROKEN\n")
    found = mail.one()
    assert found.kind == "fault"
    assert "should be before MAILER" in found.difference


def test_an_entry_that_only_the_map_has_is_found(mail: Mail) -> None:
    mail.write("access.db", "hash\nConnect:192.0.2.7 REJECT\nConnect:192.0.2.9 RELAY\nTo:a RELAY\n", age=50)
    found = mail.one()
    assert (found.kind, found.path, found.due) == ("map", f"{mail.folder}/access.db", False)
    assert changed(found) == ["-Connect:192.0.2.9 RELAY"]


def test_a_map_that_is_older_than_its_source_is_made_anew_by_any_rebuild(mail: Mail) -> None:
    mail.write("access", "To:a RELAY\nConnect:192.0.2.7 REJECT\nTo:b RELAY\n")
    found = mail.one()
    assert (found.due, changed(found)) == (True, ["+To:b RELAY"])


def test_a_map_that_is_older_and_holds_the_same_is_no_matter(mail: Mail) -> None:
    mail.write("access", "To:a RELAY\n# new\nConnect:192.0.2.7 REJECT\n")
    assert mail.output() == ""


def test_a_map_without_its_source_is_found(mail: Mail) -> None:
    (mail.folder / "access").unlink()
    found = mail.one()
    assert (found.due, len(changed(found))) == (False, 2)
    mail.write("Makefile", "all:\n@@/access:\n\ttouch @@/access\n")
    assert mail.one().due


def test_a_source_that_makes_no_map_is_told(mail: Mail) -> None:
    mail.write("access", "twice\ntwice\n", age=100)
    found = mail.one()
    assert (found.kind, found.difference) == ("fault", "makemap: duplicate key twice")


def test_what_is_left_in_a_table_that_no_map_is_made_of_is_found(mail: Mail) -> None:
    mail.write("mailertable", "# old\nelsewhere.test\tesmtp:[192.0.2.1]\n")
    found = mail.one()
    assert (found.source, found.due) == (f"{mail.folder}/mailertable", False)
    assert changed(found) == ["+elsewhere.test\tesmtp:[192.0.2.1]"]


def test_aliases_that_only_the_database_has_are_found(mail: Mail) -> None:
    mail.write("sendmail.mc", MC + "out O AliasFile=@@/aliases, ldap:x\n")
    mail.write("sendmail.cf", CF + "O AliasFile=@@/aliases, ldap:x\n")
    mail.write("aliases", "a:b\n", age=100)
    mail.write("aliases.db", "aliases\na\tb\n")
    assert mail.output() == ""
    mail.write("aliases.db", "aliases\na\tb\nhand\tuser01\n")
    found = mail.one()
    assert (found.kind, found.due, changed(found)) == ("aliases", False, ["-hand\tuser01"])


def test_submit_cf_is_found_too_and_due_only_where_its_source_is_younger(mail: Mail) -> None:
    mail.write("submit.mc", "out D{MTAHost}[127.0.0.1]\n", age=100)
    mail.write("submit.cf", "D{MTAHost}[192.0.2.1]\n")
    found = mail.one()
    assert (found.path, found.due) == (f"{mail.folder}/submit.cf", False)
    mail.write("submit.mc", "out D{MTAHost}[127.0.0.1]\n")
    mail.write("submit.cf", "D{MTAHost}[192.0.2.1]\n", age=100)
    assert mail.one().due
