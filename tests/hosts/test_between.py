"""The plan says how the new host comes to the old one, and nothing is opened where it comes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from migrator.errors import HostError
from migrator.hosts import between
from migrator.hosts.between import Between, passage, sshd_of
from migrator.plan import CopyPlan
from tests.fakes import FakeHost, make_plan

CONNECTION = "192.0.2.7 50000 10.0.0.10 2222\n"


class Host(FakeHost):
    """A host that knows how it is reached."""

    def endpoint(self) -> tuple[str, int, str]:
        return f"{self.name}.example.test", 22, "root"

    def host_key_line(self, address: str, port: int) -> str:
        return f"{address} {self.name}"

    def hold(self, script: str) -> Any:
        raise AssertionError("nothing is held here")

    def transport(self) -> Any:
        raise AssertionError("nothing is forwarded here")


@pytest.fixture
def hosts() -> tuple[Host, Host]:
    old, new = Host("old"), Host("new")
    old.on("SSH_CONNECTION", CONNECTION)
    return old, new


def test_a_host_that_pulls_needs_nothing(hosts: tuple[Host, Host]) -> None:
    with passage(make_plan(), *hosts) as port:
        assert port == 0
    assert [host.unanswered for host in hosts] == [[], []]


@pytest.mark.parametrize("via", ["operator", "push"])
def test_each_way_gives_its_port(hosts: tuple[Host, Host], monkeypatch: pytest.MonkeyPatch, via: Any) -> None:
    asked: list[object] = []

    @contextmanager
    def opened(*arguments: object) -> Iterator[int]:
        asked.extend(arguments)
        yield 4022

    monkeypatch.setattr(between, {"operator": "forward", "push": "pushed"}[via], opened)
    with Between(make_plan(copying=CopyPlan(via=via)), *hosts).passage() as port:
        assert port == 4022
    if via == "push":
        assert asked[0] is hosts[0]
        assert ":10.0.0.10:2222 root@new.example.test" in str(asked[1])
    else:
        assert asked == [hosts[1], hosts[0]]


def test_a_host_that_does_not_say_where_its_sshd_listens_is_an_error(hosts: tuple[Host, Host]) -> None:
    hosts[0].on("SSH_CONNECTION", "")
    with pytest.raises(HostError, match="does not say where its own sshd listens"):
        sshd_of(hosts[0])


def test_each_host_is_known_to_the_other(hosts: tuple[Host, Host]) -> None:
    door = Between(make_plan(), *hosts)
    assert door.endpoint() == ("old.example.test", 22, "root")
    assert door.endpoint("new") == ("new.example.test", 22, "root")
    assert (door.host_key_line("a", 22), door.host_key_line("b", 22, "new")) == ("a old", "b new")
