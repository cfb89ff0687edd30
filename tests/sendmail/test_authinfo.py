"""The line that logs Sendmail in elsewhere, and how it is shown."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.secret import MASK, Secret
from migrator.sendmail import authinfo, maps
from migrator.sendmail.text_error import TextError


def test_plain_words_stand_as_they_are() -> None:
    assert authinfo.value("shop", Secret("s3cret!"), "PLAIN LOGIN") == '"U:shop" "P:s3cret!" "M:PLAIN LOGIN"'


def test_what_quotes_cannot_hold_stands_in_base64() -> None:
    value = authinfo.value("shop", Secret('a"b\\'), "PLAIN")
    encoded = base64.b64encode(b'a"b\\').decode()
    assert f'"P={encoded}"' in value


@pytest.mark.parametrize(
    ("user", "password", "mechanisms"),
    [
        ("", "p", "PLAIN"),
        ("u", "", "PLAIN"),
        ("u", "a\nb", "PLAIN"),
        ("u", "p", ""),
        ("u", "p", 'PLAIN" "P:x'),
    ],
)
def test_what_can_be_no_login_is_refused_without_being_told(
    user: str, password: str, mechanisms: str
) -> None:
    with pytest.raises(TextError) as raised:
        authinfo.value(user, Secret(password), mechanisms)
    assert not password or password not in str(raised.value) or password in ("p",)


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_a_password_is_read_back_and_is_masked(user: str, password: str) -> None:
    try:
        text = authinfo.with_login(
            "AuthInfo:a.test\tx\n", "b.test", authinfo.value(user, Secret(password), "PLAIN")
        )
    except TextError:
        return
    assert maps.lookup(text, "AuthInfo:a.test") == "x"
    value = maps.lookup(text, "authinfo:b.test") or ""
    part = value.split('"')[3]
    read = base64.b64decode(part[2:]).decode() if part[1] == "=" else part[2:]
    assert read == password
    assert f"{part[:2]}{MASK}" in authinfo.masked(text)
    assert f'"{part}"' not in authinfo.masked(text) or part[2:] == MASK


def test_other_logins_are_masked_too() -> None:
    text = 'AuthInfo:a "U:u" "P:one"\nAuthInfo:b "P=dHdv" "U:v"\n'
    assert authinfo.masked(text) == f'AuthInfo:a "U:u" "P:{MASK}"\nAuthInfo:b "P={MASK}" "U:v"\n'
