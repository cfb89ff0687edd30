"""Looks that do not build on each other are made together."""

from __future__ import annotations

import threading

import pytest

from migrator.errors import HostError
from migrator.steps.common.at_once import at_once


def fail() -> int:
    raise HostError("the host is lost")


def test_each_look_gives_its_own_in_their_order() -> None:
    assert at_once(lambda: 1, lambda: "two") == (1, "two")
    assert at_once(lambda: 1, lambda: "two", lambda: 3.0) == (1, "two", 3.0)


def test_no_look_waits_for_another() -> None:
    met = threading.Barrier(3, timeout=10)
    assert sorted(at_once(met.wait, met.wait, met.wait)) == [0, 1, 2]


def test_a_look_that_fails_fails_them_all() -> None:
    ended = []
    with pytest.raises(HostError, match="the host is lost"):
        at_once(fail, lambda: ended.append("the other"))
    assert ended == ["the other"]
