"""Hardening: every item's state, what sets it, and that a second run finds nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from migrator.errors import Refused, UsageError, VerifyFailed
from migrator.sendmail import mc
from migrator.toolbox.harden import Harden
from tests.sendmail.mc_shapes import RED_HAT
from tests.toolbox.configured import ACCESS, ALIASES, CF, MC, OPTIONS, Configured, uploads

ZONE = "bl.example"
_OPTION_OF = {
    "confMAX_DAEMON_CHILDREN": "MaxDaemonChildren",
    "confMAX_HEADERS_LENGTH": "MaxHeadersLength",
    "confMAX_MIME_HEADER_LENGTH": "MaxMimeHeaderLength",
    "confMAX_RCPTS_PER_MESSAGE": "MaxRecipientsPerMessage",
    "confBAD_RCPT_THROTTLE": "BadRcptThrottle",
    "confMIN_FREE_BLOCKS": "MinFreeBlocks",
    "confSMTP_LOGIN_MSG": "SmtpGreetingMessage",
    "confPRIVACY_FLAGS": "PrivacyOptions",
    "confDOUBLE_BOUNCE_ADDRESS": "DoubleBounceAddress",
}


def rebuild(stand: Configured) -> None:
    """Make sendmail.cf of sendmail.mc, as far as these options go."""
    text, lines = stand.text(MC), OPTIONS
    for macro, option in _OPTION_OF.items():
        if (value := mc.defined_value(text, macro)) is not None:
            lines = re.sub(rf"(?m)^O {option}=.*\n", "", lines) + f"O {option}={value}\n"
    stand.options(lines)


@pytest.fixture
def stand() -> Configured:
    stand = Configured()
    stand.facts(addresses=("198.51.100.20",))
    stand.host.on(r"^ls ", "access_db.m4 blocklist_recipients.m4 blacklist_recipients.m4\n")
    listed(stand, ZONE, "127.0.0.2")
    return stand


def listed(stand: Configured, zone: str, address: str, other: str = "") -> None:
    """Let the test entries of a list resolve so."""
    stand.host.on(
        rf"2\.0\.0\.127\.{re.escape(zone)}", f"2.0.0.127.{zone} {address}\n1.0.0.127.{zone} {other}\n"
    )


def states(stand: Configured, tool: Harden) -> dict[str, str]:
    return {name: words.split()[0] for name, words in stand.measured(tool).items()}


def test_every_item_is_shown_as_on_off_or_different(stand: Configured) -> None:
    found = states(stand, Harden("new", zones=[ZONE]))
    assert found["helo"] == "on"
    assert found["privacy"] == "differs"
    assert found["children"] == "differs"
    assert found["recipients"] == "off"
    assert found["bad-recipients"] == "on", "3 is stricter than 4"
    assert found["blocklists"] == "off"


def test_all_are_set_in_one_change_and_twice_is_once(stand: Configured) -> None:
    before = dict(stand.host.files)
    tool = Harden("new", zones=[ZONE])
    (change,) = stand.perform(tool)
    rebuild(stand)
    assert set(states(stand, Harden("new", zones=[ZONE])).values()) == {"on"}
    tool.verify(stand.context())
    assert stand.look(Harden("new", zones=[ZONE])) == []
    assert "dev-null: /dev/null" in stand.text(ALIASES)
    assert "Connect:198.51.100.20\tOK" in stand.text(ACCESS)
    assert "newaliases" in uploads(change)[0].then
    stand.undo([change])
    assert stand.host.files == before
    assert "newaliases" in uploads(change)[1].then


def test_flags_are_added_to_those_that_are_there(stand: Configured) -> None:
    stand.perform(Harden("new", ["privacy"]))
    assert mc.defined_value(stand.text(MC), "confPRIVACY_FLAGS") == (
        "needmailhelo,needexpnhelo,authwarnings,novrfy,noexpn,restrictqrun"
    )


def test_goaway_holds_most_of_them(stand: Configured) -> None:
    stand.options(OPTIONS.replace("needmailhelo,authwarnings", "goaway,restrictqrun"))
    assert states(stand, Harden("new"))["privacy"] == "on"


def test_an_item_by_name_touches_nothing_else(stand: Configured) -> None:
    (change,) = stand.perform(Harden("new", ["recipients=100"]))
    assert [edit.path for edit in uploads(change)[0].files] == [MC]
    assert mc.defined_value(stand.text(MC), "confMAX_RCPTS_PER_MESSAGE") == "100"
    assert mc.defined_value(stand.text(MC), "confMAX_DAEMON_CHILDREN") is None


def test_a_dead_list_is_replaced_by_one_that_answers(stand: Configured) -> None:
    stand.host.files[MC] = mc.ensure_feature(stand.text(MC), "dnsbl", "dul.dnsbl.sorbs.net").encode()
    stand.perform(Harden("new", ["blocklists"], zones=[ZONE]))
    assert [call.arguments[1] for call in mc.find(stand.text(MC), "FEATURE", "dnsbl")] == [ZONE]


@pytest.mark.parametrize(
    ("address", "other"), [("", ""), ("127.0.0.2", "127.0.0.2"), ("127.255.255.254", "")]
)
def test_a_list_that_would_harm_is_refused_by_name_and_passed_over_by_all(
    stand: Configured, address: str, other: str
) -> None:
    listed(stand, ZONE, address, other)
    with pytest.raises(Refused, match="blocklists cannot be set"):
        stand.look(Harden("new", ["blocklists"], zones=[ZONE]))
    stand.perform(Harden("new", zones=[ZONE]))
    assert mc.find(stand.text(MC), "FEATURE", "dnsbl") == ()


def test_a_resolver_of_ones_own_may_be_asked(stand: Configured) -> None:
    asked: list[str] = []

    def look_up(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        asked.extend(names)
        return {f"2.0.0.127.{ZONE}": ("127.0.0.2",)}

    assert states(stand, Harden("new", zones=[ZONE], look_up=look_up))["blocklists"] == "off"
    assert asked == [f"2.0.0.127.{ZONE}", f"1.0.0.127.{ZONE}"]


def test_an_older_version_has_the_feature_under_its_older_name(stand: Configured) -> None:
    stand.host.on(r"^ls ", "access_db.m4 blacklist_recipients.m4\n")
    stand.perform(Harden("new", ["blocklist-recipients"]))
    assert mc.has_feature(stand.text(MC), "blacklist_recipients")
    assert states(stand, Harden("new"))["blocklist-recipients"] == "on"


def test_an_access_map_is_made_where_an_item_needs_one(stand: Configured) -> None:
    stand.host.files[MC] = RED_HAT.encode()
    del stand.host.files[ACCESS]
    stand.perform(Harden("new", ["own-address"]))
    assert mc.has_feature(stand.text(MC), "access_db")
    assert stand.text(ACCESS) == "Connect:198.51.100.20\tOK\n"


@pytest.mark.parametrize("line", ["Connect:198.51.100\tRELAY", "198.51 RELAY", "198.51.100.20 OK"])
def test_an_address_that_passes_already_gets_no_line_that_would_hide_it(stand: Configured, line: str) -> None:
    stand.host.files[ACCESS] = f"{line}\n".encode()
    assert states(stand, Harden("new", zones=[ZONE]))["own-address"] == "on"
    assert stand.look(Harden("new", ["own-address"])) == []


def test_an_address_that_access_refuses_is_not_let_in_by_a_tool(stand: Configured) -> None:
    stand.host.files[ACCESS] = b"198.51.100 REJECT\n"
    with pytest.raises(Refused, match=r"198\.51\.100 REJECT"):
        stand.look(Harden("new", ["own-address"]))


def test_an_alias_that_leads_elsewhere_is_not_taken_over(stand: Configured) -> None:
    stand.host.files[ALIASES] = b"dev-null: root\n"
    with pytest.raises(UsageError, match="leads elsewhere"):
        stand.look(Harden("new", ["double-bounce"]))


def test_what_another_line_sets_again_is_a_failure(stand: Configured) -> None:
    tool = Harden("new", ["recipients"])
    stand.perform(tool)
    with pytest.raises(VerifyFailed) as failed:
        tool.verify(stand.context())
    assert "recipients off" in (failed.value.seen or "")
    assert stand.host.files[CF] == OPTIONS.encode()


@pytest.mark.parametrize(
    "words",
    [["nonesuch"], ["recipients=many"], ["recipients=0"], ["helo=yes"], ["greeting=a\nb"], ["recipients="]],
)
def test_what_is_no_item_or_value_is_refused(words: list[str]) -> None:
    with pytest.raises(UsageError):
        Harden("new", words)


def test_what_is_no_zone_is_refused() -> None:
    with pytest.raises(UsageError, match="no name of a blocklist"):
        Harden("new", zones=["x'.example"])
