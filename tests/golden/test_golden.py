"""What hosts and programs are told is what it was: see tests.golden for how it is written anew."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.golden.rendering import FILES, rendered

NAMES = sorted(str(path.relative_to(FILES)) for path in FILES.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def now() -> Mapping[str, str]:
    return rendered()


def test_every_text_has_its_file(now: Mapping[str, str]) -> None:
    assert sorted(now) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_text_is_what_it_was(now: Mapping[str, str], name: str) -> None:
    assert now[name] == (FILES / name).read_text(errors="surrogateescape")
