"""local-host-names and its like: a domain goes, comments and neighbours stay."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.sendmail import class_file
from migrator.sendmail.text_error import TextError

NAMES = (
    "# what this host is called\nlocalhost\nExample.TEST\n"
    "other.test example.test # both\r\nexample.test #moved\n\n"
)
texts = st.lists(
    st.sampled_from(["a.test", "A.Test", "b.test", " ", "\t", "\n", "\r\n", "#", "x", "a.tests"])
).map("".join)


def test_names_are_read_in_lower_case_and_without_comments() -> None:
    assert class_file.names(NAMES) == (
        "localhost",
        "example.test",
        "other.test",
        "example.test",
        "example.test",
    )


def test_a_domain_goes_in_any_case_and_comments_stay() -> None:
    assert class_file.remove_domain(NAMES, "EXAMPLE.test") == (
        "# what this host is called\nlocalhost\nother.test # both\r\n#moved\n\n"
    )


def test_a_longer_name_with_the_domain_in_it_stays() -> None:
    assert (
        class_file.remove_domain("mail.a.test\na.test.example\n", "a.test") == "mail.a.test\na.test.example\n"
    )


def test_a_domain_is_added_once() -> None:
    assert class_file.add_domain("a.test", "b.test") == "a.test\nb.test\n"
    assert class_file.add_domain("A.test\n", "a.TEST") == "A.test\n"


@pytest.mark.parametrize("domain", ["", "-a.test", "a b", "a\nb", "a.test.", "#a", "$(x)", "a" * 254])
def test_what_is_no_domain_is_refused(domain: str) -> None:
    with pytest.raises(TextError):
        class_file.remove_domain(NAMES, domain)


@given(texts)
def test_removing_leaves_all_other_names_in_their_order(text: str) -> None:
    left = class_file.remove_domain(text, "a.test")
    assert class_file.names(left) == tuple(name for name in class_file.names(text) if name != "a.test")
    assert class_file.remove_domain(left, "a.test") == left


@given(st.text())
def test_a_text_without_the_domain_stays_byte_for_byte(text: str) -> None:
    assert class_file.remove_domain(text, "unlikely.test") == text


def test_many_domains_leave_at_once() -> None:
    domains = [f"d{number}.test" for number in range(5000)]
    text = "# hosted\nkeep.test\n" + "".join(f"{domain}\n" for domain in domains) + "D1.test other.test # x\n"
    began = time.process_time()
    assert class_file.remove_domains(text, domains) == "# hosted\nkeep.test\nother.test # x\n"
    assert time.process_time() - began < 2
