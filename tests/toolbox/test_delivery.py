"""One message is sent with what Sendmail says of it, and nothing is left of it."""

from __future__ import annotations

import pytest

from migrator.change import Shell, Undo
from migrator.errors import VerifyFailed
from migrator.sendmail.text_error import TextError
from migrator.toolbox.delivery import Delivery
from tests.fakes import FakeHost
from tests.toolbox.stand import Stand

SAID = (
    ">>> RCPT To:<user01@example.test>\nuser01@example.test... Sent (AA0001 Message accepted for delivery)\n"
)


def sending(stand: Stand, said: str) -> None:
    def send(host: FakeHost, text: str) -> str:
        host.files[text.partition(" >")[2].split()[0]] = said.encode()
        return ""

    def remove(host: FakeHost, text: str) -> str:
        del host.files[text.split()[-1]]
        return ""

    stand.host.on(r"sendmail -v -- user01@example.test", send)
    stand.host.on(r"^rm -f /tmp/migrate-delivery-", remove)


def test_what_was_said_is_measured_and_its_file_removed() -> None:
    stand, tool = Stand(), Delivery("new", "user01@example.test")
    sending(stand, SAID)
    before = dict(stand.host.files)
    done = stand.perform(tool)
    tool.verify(stand.context())
    assert stand.host.files == before
    assert {change.undo for change in done} == {Undo.NOT_NEEDED}
    assert any("... Sent" in line for line in stand.measured(tool).values())


def test_a_message_that_nobody_took_fails() -> None:
    stand, tool = Stand(), Delivery("new", "user01@example.test")
    sending(stand, "user01@example.test... Deferred: Connection refused by [127.0.0.1]\n")
    stand.perform(tool)
    with pytest.raises(VerifyFailed) as caught:
        tool.verify(stand.context())
    assert "Connection refused" in (caught.value.seen or "")


def test_each_message_has_a_file_of_its_own_that_nobody_else_can_take() -> None:
    scripts = [
        change.do for change in Stand().look(Delivery("new", "root")) + Stand().look(Delivery("new", "root"))
    ]
    assert len({one.script for one in scripts if isinstance(one, Shell)}) == 4
    assert all("set -C" in one.script for one in scripts[::2] if isinstance(one, Shell))


@pytest.mark.parametrize("address", ["", "-x", "a b", "a;id", "$(id)", "a\nb"])
def test_a_recipient_is_a_plain_address(address: str) -> None:
    with pytest.raises(TextError):
        Delivery("new", address)
