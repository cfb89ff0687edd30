"""Which addresses stand for a domain: never one alone."""

from __future__ import annotations

from migrator.sendmail import recipients

TABLE = """\
# role addresses
info@example.test\tuser03
Sales+*@Example.test\tuser13
+*@example.test\tuser01
a++@example.test\tuser02
@example.test\tuser09
info@other.test\tuser01
user@sub.example.test\tuser02
info\tuser03
"""


def test_every_key_of_the_domains_is_asked_for_and_no_other() -> None:
    assert recipients.mapped(TABLE, ["example.test"], "nobody") == (
        "info@example.test",
        "sales+migrate-detail@example.test",
        "nobody+migrate-detail@example.test",
        "a+migrate-detail@example.test",
        "nobody@example.test",
    )


def test_names_are_asked_for_in_every_domain() -> None:
    assert recipients.spread(("a", "B"), ("x.test", "y.test"), 10) == (
        "a@x.test",
        "b@x.test",
        "a@y.test",
        "b@y.test",
    )


def test_of_too_many_each_name_and_each_domain_is_asked_for_all_the_same() -> None:
    names = [f"user{number}" for number in range(300)]
    domains = [f"d{number}.test" for number in range(1000)]
    found = recipients.spread(names, domains, 5000)
    assert len(found) <= 5300
    assert {one.partition("@")[0] for one in found} == set(names)
    assert {one.partition("@")[2] for one in found} == set(domains)
    assert {one.partition("@")[0] for one in recipients.spread(names, ("x.test",), 10)} == set(names)


def test_no_names_and_no_domains_are_nothing() -> None:
    assert recipients.spread((), ("x.test",), 10) == recipients.spread(("a",), (), 10) == ()
