"""How the calls of an .mc file are found: as M4 itself would meet them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.sendmail.m4 import Call, scan
from migrator.sendmail.text_error import TextError
from tests.sendmail.mc_shapes import DEBIAN, FREEBSD, RED_HAT, SHAPES


def live(text: str) -> list[tuple[str, ...]]:
    return [(call.name, *call.arguments) for call in scan(text).calls if call.live]


def test_outer_quotes_go_and_inner_quotes_stay() -> None:
    assert live("define(`confDEF_USER_ID', ``8:12'')dnl\n") == [("define", "confDEF_USER_ID", "`8:12'")]


def test_blanks_before_an_argument_go_and_those_inside_quotes_stay() -> None:
    assert live("FEATURE( `a' ,\n\t` b',c d)") == [("FEATURE", "a ", " b", "c d")]


def test_a_dnl_inside_an_argument_list_continues_it_on_the_next_line() -> None:
    assert ("define", "confPRIVACY_FLAGS", "needmailhelo,needexpnhelo,authwarnings") in live(DEBIAN)


def test_parentheses_and_commas_inside_quotes_belong_to_the_argument() -> None:
    assert live("FEATURE(`x', `a(b,c', d(e,f))") == [("FEATURE", "x", "a(b,c", "d(e,f)")]


def test_a_call_behind_dnl_is_known_and_not_live() -> None:
    disabled = [call for call in scan(RED_HAT).calls if not call.live]
    assert [call.arguments[0] for call in disabled] == ["SMART_HOST", "mailertable", "cyrusv2"]
    assert disabled[1].arguments == ("mailertable", "hash -o /etc/mail/mailertable.db")
    assert disabled[1].line == 11
    assert RED_HAT[disabled[1].start : disabled[1].end].startswith("FEATURE(`mailertable'")


def test_a_call_inside_the_arguments_of_another_is_not_reported() -> None:
    assert live("ifdef(`X', `FEATURE(`mailertable')')") == [("ifdef", "X", "FEATURE(`mailertable')")]


def test_a_sharp_sign_is_a_comment_only_until_cf_m4_is_read() -> None:
    assert live("# FEATURE(`a')\ninclude(`/x/m4/cf.m4')dnl\n# FEATURE(`b')\n")[1:] == [("FEATURE", "b")]


def test_where_cf_m4_is_read_before_the_file_a_sharp_sign_comments_nothing() -> None:
    assert live("# FEATURE(`a')\n") == [("FEATURE", "a")]


def test_a_section_without_arguments_is_a_call() -> None:
    assert ("LOCAL_RULESETS",) in live(FREEBSD)


def test_text_that_only_looks_like_a_call_is_none() -> None:
    assert live("xFEATURE(`a') FEATURE (`b') R$*\tfoo(bar\n") == []


def test_a_line_inside_a_quote_is_no_place_for_a_new_one() -> None:
    assert scan("FEATURE(`a',\n`b')dnl\nx\n").line_starts == (0, 21, 23)


@pytest.mark.parametrize(
    "text", ["FEATURE(`a", "x\nFEATURE(`a'", "`never closed", "changequote([,])", "changecom(;)"]
)
def test_what_m4_would_refuse_or_read_differently_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(TextError, match=r"line \d+ of the M4 file"):
        scan(text)


@given(st.text(alphabet=st.sampled_from("`'(),#\r\n abdnlFEATURE") | st.characters()))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        scanned = scan(text)
    except TextError:
        return
    assert all(text.startswith(call.name, call.start) for call in scanned.calls)
    assert all(start == 0 or text[start - 1] == "\n" for start in scanned.line_starts)


@pytest.mark.parametrize("text", SHAPES)
def test_every_call_can_be_cut_out_by_its_offsets(text: str) -> None:
    for call in scan(text).calls:
        alone = scan(text[call.start : call.end]).calls
        assert alone == (Call(call.name, call.arguments, True, 0, call.end - call.start, 1),)
