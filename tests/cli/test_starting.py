"""`init --old --new` writes a plan that needs no more than a look."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from migrator.cli.starting import fill, found, write_plan
from migrator.errors import DnsError, UsageError
from migrator.plan import load
from migrator.plan.template import TEMPLATE
from tests.fakes import FakeHost

NAMES = "# ours\nlocalhost\nmail.example.test\nexample.test\nexample2.test\n"


def mx(domain: str) -> tuple[str, ...]:
    return (f"mx.{domain}",)


def no_mx(_domain: str) -> tuple[str, ...]:
    raise DnsError("no answer")


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def reached(old: str, new: str) -> Iterator[tuple[FakeHost, dict[str, str], str]]:
        if "/" in old:
            raise ValueError("no slash")
        host = FakeHost("old", {"/etc/mail/local-host-names": NAMES})
        yield host, {"old": "198.51.100.10", "new": "198.51.100.20"}, "mail.example.test"

    wiring = ModuleType("migrator.cli.wiring")
    wiring.reached = reached  # type: ignore[attr-defined] # stands in for the module that makes connections
    monkeypatch.setitem(sys.modules, "migrator.cli.wiring", wiring)
    monkeypatch.setattr("migrator.net.exchangers.exchangers", no_mx)


def test_the_plan_of_two_hosts_loads_at_once(hosts: None, tmp_path: Path) -> None:
    filled = write_plan(tmp_path / "new.toml", old="root@198.51.100.10", new="root@198.51.100.20")
    plan = load(tmp_path / "new.toml")
    assert (plan.name, plan.domains) == ("example-test", ("example.test", "example2.test"))
    assert plan.mail_host == "mail.example.test"
    assert plan.new.address == "198.51.100.20"
    assert "migration.domains" in filled


def test_an_existing_file_is_left_as_it_is(hosts: None, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        write_plan(tmp_path / "plan.toml", old="root@a", new="root@b")
    assert (tmp_path / "plan.toml").read_text() == "mine"


@pytest.mark.parametrize(("old", "new"), [("root@a", ""), ("", "root@b"), ("a/b", "root@b")])
def test_a_wrong_or_missing_host_is_said_and_nothing_written(
    hosts: None, tmp_path: Path, old: str, new: str
) -> None:
    with pytest.raises(UsageError):
        write_plan(tmp_path / "plan.toml", old=old, new=new)
    assert list(tmp_path.iterdir()) == []


def test_the_mail_host_is_what_the_mx_names() -> None:
    host = FakeHost("old", {"/etc/mail/local-host-names": NAMES})
    assert found(host, "mail.example.test", mx)["migration.mail_host"] == "mx.example.test"
    assert found(host, "mail.example.test", no_mx)["migration.mail_host"] == "mail.example.test"


def test_without_local_host_names_the_domains_stay_to_be_filled_in() -> None:
    assert found(FakeHost("old"), "mail.example.test", mx) == {"migration.mail_host": "mail.example.test"}


def test_text_of_a_host_cannot_break_the_plan() -> None:
    text = fill(TEMPLATE, {"migration.mail_host": 'a"\n[old]\nssh = "evil'})
    assert 'mail_host = "a\\"\\n[old]\\nssh = \\"evil"' in text
