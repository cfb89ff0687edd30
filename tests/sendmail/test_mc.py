"""What is asked of an .mc file, and what an edit of it keeps."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.sendmail import mc
from migrator.sendmail.text_error import TextError
from tests.sendmail.mc_shapes import DEBIAN, FREEBSD, RED_HAT, SHAPES

MAP = "hash -o /etc/mail/mailertable"
shapes = st.sampled_from(SHAPES)
line_ends = st.sampled_from(["\n", "\r\n"])
values = st.text(alphabet=st.sampled_from("abc `'(),#$|;") | st.characters(), max_size=12)

pieces = [
    "dnl",
    "\n",
    "\r\n",
    "`",
    "'",
    "(",
    ")",
    ",",
    "#",
    " ",
    "x",
    "FEATURE(",
    "MAILER(`a')",
    "define(`confNEW'",
    "MODIFY_MAILER_FLAGS(`ESMTP',",
]
texts = st.lists(st.sampled_from(pieces)).map("".join)


def added(before: str, after: str) -> list[str]:
    changes = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    assert not [line for line in changes if line.startswith("- ")]
    return [line[2:] for line in changes if line.startswith("+ ")]


def test_a_feature_is_live_or_not() -> None:
    assert mc.has_feature(FREEBSD, "mailertable")
    assert not mc.has_feature(RED_HAT, "mailertable")
    assert mc.has_feature(RED_HAT, "use_cw_file")
    assert mc.has_mailer(DEBIAN, "smtp")
    assert not mc.has_mailer(RED_HAT, "cyrusv2")


def test_a_new_feature_stands_behind_the_last_one_and_before_the_first_mailer() -> None:
    edited = mc.ensure_feature(DEBIAN, "mailertable", MAP)
    assert added(DEBIAN, edited) == [f"FEATURE(`mailertable', `{MAP}')dnl"]
    assert "dnl 1 seconds\nFEATURE(`mailertable'" in edited


def test_a_feature_that_is_switched_off_is_added_beside_its_line() -> None:
    edited = mc.ensure_feature(RED_HAT, "mailertable", MAP)
    assert f"mailertable.db')dnl\nFEATURE(`mailertable', `{MAP}')dnl\nFEATURE(`virtusertable'" in edited


def test_a_live_feature_is_left_alone_whatever_its_quotes() -> None:
    assert mc.ensure_feature(FREEBSD, "mailertable", MAP) == FREEBSD
    assert mc.ensure_feature(RED_HAT, "virtusertable") == RED_HAT
    assert mc.ensure_feature(DEBIAN, "access_db", "", "skip") == DEBIAN


def test_other_arguments_replace_the_call_and_keep_the_rest_of_its_line() -> None:
    edited = mc.ensure_feature(DEBIAN, "greet_pause", "5000")
    assert edited == DEBIAN.replace("`1000'", "`5000'")


def test_a_blocklist_may_stand_twice() -> None:
    once = mc.ensure_feature(DEBIAN, "dnsbl", "a.example")
    twice = mc.ensure_feature(once, "dnsbl", "b.example")
    assert [call.arguments[1] for call in mc.find(twice, "FEATURE", "dnsbl")] == ["a.example", "b.example"]


def test_a_feature_and_a_mailer_on_one_line_leave_room_before_it() -> None:
    assert mc.ensure_feature("FEATURE(`a') MAILER(`smtp')\n", "b").startswith("FEATURE(`b')dnl\n")


def test_a_definition_stands_behind_ostype_and_domain_and_before_the_features() -> None:
    edited = mc.ensure_define(DEBIAN, "confDOMAIN_NAME", "old.example.test")
    assert added(DEBIAN, edited) == ["define(`confDOMAIN_NAME', `old.example.test')dnl"]
    assert "debian-mta')dnl\ndefine(`confDOMAIN_NAME'" in edited


def test_a_definition_is_changed_where_it_stands() -> None:
    edited = mc.ensure_define(FREEBSD, "confCW_FILE", "/etc/mail/names")
    assert edited == FREEBSD.replace("-o /etc/mail/local-host-names", "/etc/mail/names")
    assert mc.defined_value(edited, "confCW_FILE") == "/etc/mail/names"
    assert mc.defined_value(RED_HAT, "SMART_HOST") is None


def test_an_undefine_is_overruled_behind_it() -> None:
    text = "OSTYPE(`linux')dnl\nundefine(`confX')dnl\nFEATURE(`a')dnl\nMAILER(`smtp')dnl\n"
    assert "undefine(`confX')dnl\ndefine(`confX', `1')dnl\n" in mc.ensure_define(text, "confX", "1")


@pytest.mark.parametrize("text", SHAPES)
def test_mailer_flags_stand_before_every_mailer(text: str) -> None:
    edited = mc.ensure_mailer_flags(text, "ESMTP", "+k")
    assert added(text, edited) == ["MODIFY_MAILER_FLAGS(`ESMTP', `+k')dnl"]
    assert edited.index("MODIFY_MAILER_FLAGS") < edited.index("\nMAILER")


def test_flags_that_are_added_already_are_left_alone() -> None:
    text = "MODIFY_MAILER_FLAGS(`ESMTP', `+ek')dnl\nMAILER(smtp)\n"
    assert mc.ensure_mailer_flags(text, "ESMTP", "+k") == text
    assert mc.ensure_mailer_flags(text, "SMTP", "+k") != text


def test_flags_behind_their_mailer_do_not_count() -> None:
    text = "MAILER(smtp)\nMODIFY_MAILER_FLAGS(`ESMTP', `+k')dnl\n"
    assert mc.ensure_mailer_flags(text, "ESMTP", "+k").startswith(
        "MODIFY_MAILER_FLAGS(`ESMTP', `+k')dnl\nMAILER"
    )


def test_where_all_flags_are_set_at_once_the_change_goes_into_them() -> None:
    text = "MODIFY_MAILER_FLAGS(`ESMTP', `mDFMuXa')dnl\nMAILER(smtp)\n"
    assert "`mDFMuXak'" in mc.ensure_mailer_flags(text, "ESMTP", "+k")
    assert "`mDFMuX'" in mc.ensure_mailer_flags(text, "ESMTP", "-a")


def test_what_is_removed_takes_its_whole_line_or_only_itself() -> None:
    assert mc.remove("a\nFEATURE(`x')dnl why\nb\n", "FEATURE", "x") == "a\nb\n"
    assert mc.remove("FEATURE(`x')FEATURE(`y')dnl\n", "FEATURE", "x") == "FEATURE(`y')dnl\n"


@pytest.mark.parametrize("value", ["it's", "a`b", "x\ny", "'`", "a\0b"])
def test_a_value_that_quotes_cannot_hold_is_refused(value: str) -> None:
    with pytest.raises(TextError):
        mc.ensure_define(DEBIAN, "confX", value)


@pytest.mark.parametrize(
    ("mailer", "flags"), [("ESMTP", "k"), ("ESMTP", "+k'"), ("es)mtp", "+k"), ("", "+k")]
)
def test_what_is_no_change_of_flags_is_refused(mailer: str, flags: str) -> None:
    with pytest.raises(TextError):
        mc.ensure_mailer_flags(DEBIAN, mailer, flags)


def test_an_option_stands_behind_the_features_and_before_the_first_mailer() -> None:
    edited = mc.ensure_option(DEBIAN, "SMART_HOST", "[relay.test]")
    assert added(DEBIAN, edited) == ["define(`SMART_HOST', `[relay.test]')dnl"]
    assert edited.index("/etc/mail/m4/dialup.m4") < edited.index("SMART_HOST") < edited.index("MAILER_DEF")


def test_an_option_that_is_switched_off_is_added_beside_its_line() -> None:
    edited = mc.ensure_option(RED_HAT, "SMART_HOST", "[relay.test]")
    assert "smtp.your.provider')dnl\ndefine(`SMART_HOST', `[relay.test]')dnl\n" in edited


def test_an_option_is_changed_where_it_stands_over_several_lines() -> None:
    edited = mc.ensure_option(DEBIAN, "confPRIVACY_FLAGS", "goaway")
    assert edited == DEBIAN.replace("dnl\n`needmailhelo,needexpnhelo,authwarnings'", " `goaway'")


def test_an_option_that_an_included_file_has_too_stands_behind_it() -> None:
    text = "define(`confX', `1')dnl\ninclude(`a.m4')dnl\ninclude(`b.m4')dnl\nMAILER(smtp)\n"
    edited = mc.ensure_option(text, "confX", "2", behind=["a.m4"])
    assert "include(`a.m4')dnl\ndefine(`confX', `2')dnl\ninclude(`b.m4')" in edited
    assert mc.ensure_option(edited, "confX", "2", behind=["a.m4"]) == edited
    assert mc.ensure_option(edited, "confX", "3", behind=["a.m4"]) == edited.replace("`2'", "`3'")


def test_a_member_of_a_class_is_added_once_beside_its_like() -> None:
    once = mc.ensure_member(RED_HAT, "LOCAL_DOMAIN", "shop.test")
    assert "LOCAL_DOMAIN(`localhost.localdomain')dnl\nLOCAL_DOMAIN(`shop.test')dnl\n" in once
    assert mc.ensure_member(once, "LOCAL_DOMAIN", "shop.test") == once
    listed = "GENERICS_DOMAIN(`a.test b.test')dnl\nMAILER(smtp)\n"
    assert mc.ensure_member(listed, "GENERICS_DOMAIN", "b.test") == listed


def edit(text: str, value: str) -> str:
    text = mc.ensure_define(text, "confNEW", value)
    text = mc.ensure_feature(text, "nonesuch", value, "x")
    text = mc.ensure_option(text, "confLATE", value)
    text = mc.ensure_member(text, "GENERICS_DOMAIN", "a.test")
    return mc.ensure_mailer_flags(text, "ESMTP", "+k")


def unedit(text: str) -> str:
    members = (("define", "confLATE"), ("GENERICS_DOMAIN", "a.test"))
    for name, argument in (
        *members,
        ("define", "confNEW"),
        ("FEATURE", "nonesuch"),
        ("MODIFY_MAILER_FLAGS", "ESMTP"),
    ):
        text = mc.remove(text, name, argument)
    return text


@given(shapes, line_ends, st.booleans(), values)
def test_an_edit_twice_is_an_edit_once_and_its_removal_gives_back_every_byte(
    shape: str, line_end: str, ends_open: bool, value: str
) -> None:
    text = (shape.rstrip("\n") if ends_open else shape).replace("\n", line_end)
    try:
        edited = edit(text, value)
    except TextError:
        return
    assert edit(edited, value) == edited
    assert unedit(edited) == text
    assert mc.defined_value(edited, "confNEW") == value


@given(texts, values)
def test_any_text_is_edited_or_refused(text: str, value: str) -> None:
    try:
        edited = edit(text, value)
    except TextError:
        return
    assert edit(edited, value) == edited
