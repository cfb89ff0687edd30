"""A whole migration on real hosts, under a stream of mail, and the account of every message."""

from __future__ import annotations

import pytest

from tests.lab.driver import migrate
from tests.lab.lab import Lab
from tests.lab.scene import scene
from tests.lab.world import expect_moved

pytestmark = pytest.mark.lab


def test_firewall_loses_nothing(firewall_lab: Lab) -> None:
    with scene(firewall_lab) as stage:
        stage.queue_on_old(1, "user01@example.test")
        stage.queue_on_old(2, "team@example.test")
        migrate(firewall_lab, stage)
        account = stage.end()
    assert account.clean, stage.told(account)
    expect_moved(firewall_lab)


def test_sudo_a_second_name_server_and_a_dns_program_of_the_operator(sudo_lab: Lab) -> None:
    with scene(sudo_lab) as stage:
        migrate(sudo_lab, stage)
        account = stage.end()
    assert account.clean, stage.told(account)
    expect_moved(sudo_lab)


def test_a_restart_that_lies_does_not_deceive(lying_lab: Lab) -> None:
    with scene(lying_lab) as stage:
        migrate(lying_lab, stage)
        account = stage.end()
    assert account.clean, stage.told(account)
