"""A blocklist counts as alive by the two entries that every one has to have."""

from __future__ import annotations

import pytest

from migrator.net.blocklists import Health, checked_zone, health, questions

ZONE = "bl.example"


def answers(listed: str = "", unlisted: str = "") -> dict[str, tuple[str, ...]]:
    asked = questions(ZONE)
    pairs = {asked.listed: listed, asked.unlisted: unlisted}
    return {name: (address,) for name, address in pairs.items() if address}


def test_a_list_that_answers_its_test_entry_is_used() -> None:
    assert questions(ZONE).listed == "2.0.0.127.bl.example"
    assert health(ZONE, answers("127.0.0.4")) is Health.ANSWERS


@pytest.mark.parametrize("address", ["", "192.0.2.1"])
def test_one_that_does_not_is_dead_whoever_has_its_domain_now(address: str) -> None:
    assert health(ZONE, answers(address)) is Health.DEAD


def test_one_that_lists_everything_would_reject_all_mail() -> None:
    assert health(ZONE, answers("127.0.0.2", "127.0.0.2")) is Health.ALL


def test_one_that_refuses_this_resolver_with_an_answer_would_too() -> None:
    assert health(ZONE, answers("127.255.255.254")) is Health.ALL


@pytest.mark.parametrize(
    "zone", ["", "localhost", "a b.example", "-x.example", "a..example", "x.example'", "$(x).example"]
)
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="no name of a blocklist"):
        checked_zone(zone)


def test_a_zone_is_folded() -> None:
    assert checked_zone("Zen.Spamhaus.ORG.") == "zen.spamhaus.org"
