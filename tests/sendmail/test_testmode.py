"""Sendmail's own answers: classes, macros, version."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.sendmail import testmode
from migrator.sendmail.text_error import TextError

MARK = "====migrate===="
SILENT = f"""\
ADDRESS TEST MODE (ruleset 3 NOT automatically invoked)
Enter <ruleset> <address>
> > {MARK}
> old
Example.TEST
[198.51.100.10]
> {MARK}
> > {MARK}
> old.example.test
> {MARK}
> Undefined
> {MARK}
> """
ECHOING = f"""\
> .D{{migrateMark}}{MARK}
> ${{migrateMark}}
{MARK}
> $=w
old
Example.TEST
[198.51.100.10]
> ${{migrateMark}}
{MARK}
> $={{VirtHost}}
> ${{migrateMark}}
{MARK}
> $j
old.example.test
> ${{migrateMark}}
{MARK}
> ${{nonesuch}}
Undefined
> ${{migrateMark}}
{MARK}
"""
BUILD = """\
Version 8.17.1.9
 Compiled with: DNSMAP IPV6_FULL LDAPMAP
\t\tNETINET NETINET6 NEWDB=5.3
\t\tTCPWRAPPERS XDEBUG

============ SYSTEM IDENTITY (after readcf) ============
      (short domain name) $w = old
  (canonical domain name) $j = old.example.test
         (subdomain name) $m = example.test
              (node name) $k = old.example.test
========================================================

ADDRESS TEST MODE (ruleset 3 NOT automatically invoked)
"""


def test_questions_stand_between_marks() -> None:
    assert testmode.questions(["w", "VirtHost"], ["j"]) == (
        f".D{{migrateMark}}{MARK}\n${{migrateMark}}\n$=w\n${{migrateMark}}\n$={{VirtHost}}\n${{migrateMark}}\n"
        "$j\n${migrateMark}\n"
    )


@pytest.mark.parametrize("output", [SILENT, ECHOING], ids=["terminal", "pipe"])
def test_answers_are_read_with_and_without_the_questions_between(output: str) -> None:
    said = testmode.answers(output, ["w", "VirtHost"], ["j", "nonesuch"])
    assert said.classes["w"] == {"old", "example.test", "[198.51.100.10]"}
    assert said.classes["VirtHost"] == frozenset()
    assert said.macros == {"j": "old.example.test", "nonesuch": None}


def test_an_answer_that_is_missing_is_an_error() -> None:
    with pytest.raises(TextError, match="2 answers of 4"):
        testmode.answers(SILENT[: SILENT.index("> old.example")], ["w", "VirtHost"], ["j", "nonesuch"])


@pytest.mark.parametrize("name", ["", "w\n$=R", "a b", "{w}", "/quit"])
def test_a_name_that_is_none_is_not_asked_for(name: str) -> None:
    with pytest.raises(TextError):
        testmode.questions([name])


def test_the_build_has_version_options_and_names() -> None:
    build = testmode.parse_build(BUILD)
    assert build.version == "8.17.1.9"
    assert {"DNSMAP", "NETINET6", "NEWDB=5.3", "TCPWRAPPERS", "XDEBUG"} <= build.options
    assert "============" not in build.options
    assert build.macros == {"w": "old", "j": "old.example.test", "m": "example.test", "k": "old.example.test"}


def test_what_the_system_was_defined_with_is_no_option_of_the_build() -> None:
    more = BUILD.replace(
        "\n\n====",
        "\n    OS Defines: HASFLOCK HASGETDTABLESIZE\n\t\tUSESETEUID\nKernel symbols:\t/x\n\n====",
        1,
    )
    assert more != BUILD
    assert testmode.parse_build(more).options == testmode.parse_build(BUILD).options


def test_no_version_is_an_error() -> None:
    with pytest.raises(TextError):
        testmode.parse_build("sendmail: command not found\n")


@given(st.lists(st.sampled_from(["> ", "\n", MARK, "$j", "x", "\r"]) | st.text(max_size=3)).map("".join))
def test_any_output_is_read_or_refused(output: str) -> None:
    for read in (lambda: testmode.answers(output, ["w"], ["j"]), lambda: testmode.parse_build(output)):
        try:
            read()
        except TextError:
            continue
