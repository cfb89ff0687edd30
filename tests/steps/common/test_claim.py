"""Of two runs that come at once one has the host, and a run that comes again has it still."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.mailstore import arrivals
from migrator.steps.common import claim
from migrator.steps.survey import Survey
from tests.hosts.shell import SHELLS, run
from tests.steps.stage import Stage, script, undo_script


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(arrivals, "STATE", str(tmp_path / "state"))
    monkeypatch.setattr(arrivals.folder, "__defaults__", (str(tmp_path / "state"),))
    return tmp_path / "state" / "example-mail"


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def scripts(token: str, *force: str) -> tuple[str, str]:
    (change, _) = claim.claims(Stage(Survey()).context(run=token, force=frozenset(force)))
    return script(change), undo_script(change)


def test_a_host_is_marked_once_and_again(place: Path, shell: str) -> None:
    for _ in range(2):
        assert run(shell, scripts("mine")[0]).returncode == 0
    found = claim.parse((place / "run").read_text())
    assert found is not None
    assert found.run == "mine"
    assert found.who.startswith("its journal is in ")
    assert [each.name for each in place.iterdir()] == ["run"]


def test_the_second_of_two_runs_fails_and_says_where_the_first_is(place: Path, shell: str) -> None:
    assert run(shell, scripts("theirs")[0]).returncode == 0
    done = run(shell, scripts("mine")[0])
    assert done.returncode == 1
    assert "another run was quicker: its journal is in " in done.stderr
    assert (place / "run").read_text().startswith("theirs ")
    assert run(shell, scripts("mine", "other-run")[0]).returncode == 0
    assert (place / "run").read_text().startswith("mine ")


def test_undone_nothing_is_left_but_what_passes_noted(place: Path, shell: str) -> None:
    mark, removal = scripts("mine")
    for log in ("", "copied-0.log"):
        assert run(shell, mark).returncode == 0
        (place / log).touch()
        assert run(shell, removal).returncode == 0
        assert not (place / "run").exists()
        assert place.exists() is bool(log)


@pytest.mark.parametrize("text", ["", "\n", "  "])
def test_an_empty_mark_is_none(text: str) -> None:
    assert claim.parse(text) is None
