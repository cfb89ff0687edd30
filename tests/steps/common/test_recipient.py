"""Test mail is for whom the plan names, else for the first person who has a mailbox."""

from __future__ import annotations

import pytest

from migrator.errors import Refused
from migrator.hosts.facts import Account
from migrator.plan import SmokePlan
from migrator.steps.common.recipient import recipient_of
from migrator.steps.smoke import Smoke
from tests.fakes import make_facts
from tests.steps.stage import Stage


@pytest.fixture
def stage() -> Stage:
    return Stage(Smoke())


def test_the_plan_comes_first(stage: Stage) -> None:
    stage.plan(smoke=SmokePlan(recipient="info@example.org"))
    assert recipient_of(stage.context()) == "info@example.org"


def test_system_accounts_and_files_without_an_account_are_passed_over(stage: Stage) -> None:
    accounts = {**make_facts().accounts, "daemon": Account("daemon", 1, 1, "/", "/bin/false")}
    stage.facts("old", accounts=accounts, spool=("daemon", "gone", "root", "user01"))
    stage.plan(domains=("example.org", "example.test"))
    assert recipient_of(stage.context()) == "user01@example.org"


def test_a_spool_without_a_person_is_refused(stage: Stage) -> None:
    stage.facts("old", spool=("root", "gone"))
    with pytest.raises(Refused) as refused:
        recipient_of(stage.context())
    assert refused.value.expected == "a mailbox of an account in /var/spool/mail"
