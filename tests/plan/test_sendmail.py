"""[new.sendmail]: what it may hold, and every fault with its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.errors import PlanError
from migrator.plan.sendmail import RewritePlan, SendmailPlan, SmarthostPlan
from tests.plan.plans import read

FULL = """
[new.sendmail]
dh = "ffdhe3072"
harden = ["helo", "recipients=100"]
blocklists = ["bl.example.org"]
[new.sendmail.smarthost]
server = "smtp.example.net"
user = "shop"
password_file = "shop.password"
[new.sendmail.rewrite]
table = "users.csv"
"""


def test_what_it_says_is_read_and_files_are_beside_the_plan(tmp_path: Path) -> None:
    plan = read(tmp_path, add=FULL)
    assert plan.old.sendmail is None
    assert plan.new.sendmail == SendmailPlan(
        dh="ffdhe3072",
        harden=("helo", "recipients=100"),
        blocklists=("bl.example.org",),
        smarthost=SmarthostPlan("smtp.example.net", user="shop", password_file=tmp_path / "shop.password"),
        rewrite=RewritePlan(plan.domains, tmp_path / "users.csv"),
    )
    assert plan.flatten()["new.sendmail.smarthost.server"] == "smtp.example.net"


def test_without_it_nothing_is_set_up(tmp_path: Path) -> None:
    assert read(tmp_path).new.sendmail is None


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ('[new.sendmail]\ndh = "1024"', "new.sendmail.dh"),
        ('[new.sendmail]\nharden = ["a b"]', "new.sendmail.harden"),
        ("[new.sendmail]\nhardn = []", "new.sendmail.hardn"),
        ('[old.sendmail]\ndh = "ffdhe3072"', "old.sendmail"),
        ("[new.sendmail.smarthost]\nport = 25", "new.sendmail.smarthost.server"),
        ('[new.sendmail.smarthost]\nserver = "a.test"\nuser = "u"', "new.sendmail.smarthost.password_file"),
        ('[new.sendmail.smarthost]\nserver = "a.test"\npassword = "x"', "new.sendmail.smarthost.password"),
        ('[new.sendmail.rewrite]\ndomains = ["a b"]', "new.sendmail.rewrite.domains"),
    ],
)
def test_a_fault_is_told_with_its_key(tmp_path: Path, lines: str, key: str) -> None:
    with pytest.raises(PlanError) as raised:
        read(tmp_path, add=f"{lines}\n")
    assert [fault.key for fault in raised.value.faults] == [key]
