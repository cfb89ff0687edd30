"""The plan that `migrate init` writes can be filled in, and shows every key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from migrator.errors import PlanError, UsageError
from migrator.plan import load
from migrator.plan.template import TEMPLATE, write_template
from tests.plan.plans import read
from tests.plan.test_flat import CONTRACT


def filled(template: str) -> str:
    answers = ['"example-mail"', '["example.test"]', '"mail.example.test"']
    answers += ['"root@198.51.100.10"', '"198.51.100.10"', '"root@198.51.100.20"', '"198.51.100.20"']
    for answer in answers:
        template = re.sub(r'(?m)^(\w+ = )(""|\[\])', rf"\g<1>{answer}", template, count=1)
    return template


def test_filled_in_it_is_the_plan_of_ten_lines(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(filled(TEMPLATE))
    assert load(path).flatten() == read(tmp_path).flatten()


def test_as_written_it_says_what_is_to_be_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    write_template(path)

    with pytest.raises(PlanError) as raised:
        load(path)

    assert [fault.key for fault in raised.value.faults] == [
        *("migration.name", "migration.domains", "migration.mail_host"),
        *("old.ssh", "old.address", "new.ssh", "new.address"),
    ]
    assert all(fault.line and "empty" in fault.reason for fault in raised.value.faults)


def test_every_key_is_in_it_and_can_be_taken_into_use(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(re.sub(r"(?m)^#(?=\S)", "", filled(TEMPLATE)))
    assert set(load(path).flatten()) >= CONTRACT
    assert all(re.search(rf"\b{key.rpartition('.')[2]}\b", TEMPLATE) for key in CONTRACT)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        write_template(path)
    assert path.read_text() == "mine"
    with pytest.raises(UsageError, match="cannot be written"):
        write_template(tmp_path / "absent" / "plan.toml")
