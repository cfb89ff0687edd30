"""Rows of a genericstable, from files that others wrote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.sendmail import maps
from migrator.sendmail.genericstable import rows_of_csv, rows_of_logins, with_rows
from migrator.sendmail.text_error import TextError


def test_a_csv_of_two_columns_is_read() -> None:
    text = '\ufeff# who, as what\r\nuser01,Jane.Doe@shop.test\r\n\r\n"user02", joe@shop.test\r\n'
    assert rows_of_csv(text) == {"user01": "Jane.Doe@shop.test", "user02": "joe@shop.test"}


def test_every_fault_is_told_at_once_with_its_line() -> None:
    text = "a,b,c\n-x,y@z.test\nu,$(id)@z.test\nv,nobody\nw,w@z.test\nW,w@z.test\n"
    with pytest.raises(TextError) as raised:
        rows_of_csv(text)
    assert [part.split(":")[0] for part in str(raised.value).split("; ")] == [
        f"line {number}" for number in (1, 2, 3, 4, 6)
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n"])
def test_a_table_without_rows_is_a_mistake(text: str) -> None:
    with pytest.raises(TextError, match="no rows"):
        rows_of_csv(text)


def test_accounts_make_addresses_and_strange_ones_do_not() -> None:
    assert rows_of_logins(["user01", "a b", "-x"], "shop.test") == {"user01": "user01@shop.test"}


def test_other_lines_of_a_table_stay() -> None:
    text = "# mine\nuser01\told@shop.test\nother\to@shop.test\n"
    assert (
        with_rows(text, {"user01": "new@shop.test"}) == "# mine\nuser01\tnew@shop.test\nother\to@shop.test\n"
    )


@given(st.text(alphabet=st.sampled_from("ab1,@.\n\r\"'# $-") | st.characters()))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        rows = rows_of_csv(text)
    except TextError:
        return
    table = with_rows("", rows)
    assert with_rows(table, rows) == table
    assert all(maps.lookup(table, login) == address for login, address in rows.items())
