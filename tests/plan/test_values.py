"""Single values: what is taken, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.plan import places, values
from migrator.plan.endpoint import Endpoint, parse_endpoint


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("48h", 172800), ("2d", 172800), ("0s", 0)]
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert values.duration("0s", "30d")(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["", "15", "m", "15 m", "-1m", "1h30m", "1.5h", 900, True, "1w", "٣s"])
def test_anything_else_is_no_duration(value: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        values.duration("0s", "30d")(value)


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-29T02:00/04:00",
        "2026-11-29T02:00+01:00",
        "2026-11-29T02:00+01:00/00:00",
        "2026-11-29T02:00+01:00/4",
        "2026-13-29T02:00+01:00/04:00",
        "0001-01-01T00:00+14:00/04:00",
        "9999-12-31T23:59Z/999:00",
        5,
    ],
)
def test_a_window_that_cannot_be_meant_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        values.window(value)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("root@198.51.100.10", Endpoint("root", "198.51.100.10", None)),
        ("root@mail.example.test:2222", Endpoint("root", "mail.example.test", 2222)),
        ("[2001:db8::1]:22", Endpoint("", "2001:db8::1", 22)),
        ("alias", Endpoint("", "alias", None)),
        ("user@realm@host", Endpoint("user@realm", "host", None)),
    ],
)
def test_an_ssh_destination_has_user_host_and_port(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint


@pytest.mark.parametrize(
    "text",
    [
        "-oProxyCommand=x",
        "root@-x",
        "-l@host",
        "@host",
        "ro ot@host",
        "root@ho st",
        "root@host:",
        "root@host:0",
        "root@host:65536",
        "root@2001:db8::1",
        "root@[fe80::1%eth0]",
        "root@[198.51.100.10]",
        "root@$(id)",
        "root@host\n",
        "",
    ],
)
def test_what_ssh_could_misread_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_endpoint(text)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("Example.TEST.", "example.test"),
        ("Bücher.example.test", "xn--bcher-kva.example.test"),
        ("xn--bcher-kva.test", "xn--bcher-kva.test"),
        ("1.example.test", "1.example.test"),
    ],
)
def test_a_domain_becomes_its_a_labels(name: str, labels: str) -> None:
    assert places.domain(name) == labels


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "test",
        "a..test",
        "-a.test",
        "a-.test",
        "a_b.test",
        "a b.test",
        "a.test\n",
        "198.51.100.10",
        "straße.test",
        "xn--\u00fc.test",
        f"{'a' * 64}.test",
        ".".join(["a" * 60] * 5),
        "a" * 100_000,
        "*.example.test",
        "example.test`id`",
    ],
)
def test_what_is_no_domain_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        places.domain(name)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "mail.example.test",
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104 - an address that a plan may not name
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "2001:db8::1%eth0",
        "::ffff:198.51.100.1",
        "224.0.0.1",
        [],
        ["198.51.100.1", "198.51.100.2"],
        5,
    ],
)
def test_an_address_is_one_that_others_can_connect_to(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        places.addresses(value)


@pytest.mark.parametrize("value", ["user+tag@example.test", "", "a.b@bücher.test", "o'neil@example.test"])
def test_mail_addresses_are_taken(value: str) -> None:
    assert places.mailbox(value).partition("@")[0] == value.partition("@")[0]


@pytest.mark.parametrize(
    "value",
    [
        *(
            "user",
            "@example.test",
            "-f@example.test",
            "a b@example.test",
            '"a"@example.test',
            "a..b@example.test",
        ),
        *(
            ".a@example.test",
            "a.@example.test",
            "a@",
            "a@localhost",
            "a\r\n@example.test",
            "<a@example.test>",
        ),
    ],
)
def test_what_is_no_mail_address_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        places.mailbox(value)


@pytest.mark.parametrize(
    "value", ["ns.example.test", "198.51.100.53:5353", "[2001:db8::53]:53", "2001:db8::53"]
)
def test_name_servers_are_taken_as_they_stand(value: str) -> None:
    assert places.server(value) == value


@pytest.mark.parametrize("value", ["", "-x", "a b", "a:b", "fe80::1%eth0", "[::1", 53])
def test_what_is_no_name_server_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        places.server(value)


@pytest.mark.parametrize(
    "value",
    [
        "ftp://example.test/",
        "http:///",
        "http://user:word@example.test/",
        "http://example.test:0/",
        "http://example.test:65536/",
        "http://example.test/a b",
        'http://example.test/"',
        "http://example.test/$host",
        "http://example.test/;return",
        "http://example.test/\nX: y",
        "http://-x/",
        "webmail.example.test",
        5,
    ],
)
def test_a_url_that_means_more_to_a_web_server_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        values.url(value)


@pytest.mark.parametrize("value", ["http://[2001:db8::1]:8080/a?b=c&d=%20", "https://example.test"])
def test_plain_urls_are_taken(value: str) -> None:
    assert values.url(value) == value


def test_a_home_folder_that_nobody_has_is_a_reason() -> None:
    with pytest.raises(ValueError, match="home folder"):
        values.operator_file(Path("/plans"))("~nobody-has-this-name/key")


@pytest.mark.parametrize(
    ("value", "bytes_a_second"),
    [("", 0), ("1K", 1024), ("10M", 10 * 1024**2), ("2G", 2 * 1024**3), ("500000", 500_000)],
)
def test_a_rate_counts_as_rsync_does(value: str, bytes_a_second: int) -> None:
    assert values.rate(value) == bytes_a_second


@pytest.mark.parametrize("value", ["10 M", "10m", "-1M", "1.5M", "0", "1023", "1025G", "10MB", 10, None])
def test_a_rate_that_rsync_would_read_otherwise_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        values.rate(value)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf"), "0.5", True, None])
def test_a_share_is_a_number_from_0_to_1(value: object) -> None:
    assert values.decimal(0, 1)(1) == 1.0
    with pytest.raises(ValueError, match="a number from 0 to 1"):
        values.decimal(0, 1)(value)


def test_what_may_be_left_open_says_so() -> None:
    passes = values.auto_or(values.number(1, 20))
    assert (passes("auto"), passes(3)) == ("auto", 3)
    with pytest.raises(ValueError, match='from 1 to 20, or "auto"'):
        passes("all")


@pytest.mark.parametrize(
    "parse",
    [
        *(places.domain, places.addresses, places.mailbox, places.server, places.host_path, places.target),
        *(places.pattern, values.url, values.window, values.ssh_destination, values.duration("0s", "1d")),
        *(values.rate, values.decimal(0, 1), values.auto_or(values.number(1, 20))),
        values.operator_file(Path("/plans")),
    ],
)
@given(value=st.one_of(st.text(), st.integers(), st.booleans(), st.floats(), st.lists(st.text(), max_size=3)))
def test_no_value_raises_anything_but_its_reason(parse: Callable[[object], object], value: object) -> None:
    try:
        parse(value)
    except ValueError as error:
        assert str(error)


@given(st.text())
def test_what_counts_as_a_domain_is_safe_everywhere(name: str) -> None:
    try:
        found = places.domain(name)
    except ValueError:
        return
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert places.domain(found) == found
