"""A queue that an older Sendmail wrote is read as a newer one's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from migrator.sendmail import queue
from tests.sendmail import queue_files

EACH = pytest.mark.parametrize(("version", "content"), queue_files.WITH_VERSION.items())


@EACH
def test_every_version_says_who_waits_for_whom_and_since_when(version: int, content: str) -> None:
    message = queue.parse("qfAA00123", content)
    assert message.version == version
    assert message.sender == "owner@example.test"
    assert [(one.address, one.flags) for one in message.recipients] == [("friend@else.example", "PFD")]
    assert (message.created, message.attempts) == (datetime(2026, 11, 17, tzinfo=UTC), 2)


@EACH
def test_the_end_is_expected_from_the_versions_that_write_one(version: int, content: str) -> None:
    assert queue.parse("qfx", content).complete is (version >= 4)


def test_the_oldest_has_neither_version_nor_flags() -> None:
    message = queue.parse("qfAA00123", queue_files.OLDEST)
    assert (message.version, message.attempts, message.complete) == (0, 0, False)
    assert [one.address for one in message.recipients] == ["friend@else.example", "user01"]
    assert message.reason == "Deferred: Connection timed out with mx.else.example"
    assert message.sender == "Owner@Example.TEST"


def test_a_recipient_has_its_own_reason_since_8_10() -> None:
    old, new = (queue.parse("qfx", queue_files.WITH_VERSION[version]) for version in (2, 4))
    assert old.recipients[0].reason == ""
    assert old.reason == "Deferred: Connection refused by mx.else.example."
    assert new.recipients[0].reason == "Deferred: Name server: else.example.: host name lookup failure"


def test_a_quarantined_message_says_why_it_is_held() -> None:
    message = queue.parse("hfx", queue_files.VERSION_8)
    assert (message.kind, message.reason) == ("quarantined", "held for the postmaster")


def test_a_dump_tells_in_which_folder_a_message_waits() -> None:
    dump = "".join(
        f"/var/spool/mqueue/q2/qf//qfx\0{line}\n" for line in queue_files.VERSION_4.strip().splitlines()
    )
    (message,) = queue.parse_dump(dump + "\0")
    assert message.folder == "/var/spool/mqueue/q2/qf"
    assert queue.parse("qfx", queue_files.VERSION_4).folder == ""
