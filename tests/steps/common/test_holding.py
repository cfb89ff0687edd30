"""What the new host would refuse is kept on the old one, and told by address."""

from __future__ import annotations

import pytest

from migrator.steps.common import holding
from migrator.steps.flush import Flush
from tests.steps.stage import Stage, queue, queued, script


@pytest.fixture
def stage() -> Stage:
    return Stage(Flush())


def test_what_would_be_refused_is_quarantined_before_the_run_and_told(stage: Stage) -> None:
    queue(
        stage.old,
        queued("qfA1", "user01@example.test"),
        queued("qfB2", "onlyold@example.test"),
        queued("qfC3", "user02@example.test"),
    )
    refused = (
        "refused onlyold@example.test 550 5.1.1 User unknown\nsize 1000000\nbody C3 2000000\nbody A1 10\n"
    )
    stage.old.on("RCPT TO", refused)
    changes = stage.look()
    first = changes[0]
    assert script(first) == "sendmail '-Qthe other host would refuse it' -qIB2 -qIC3\n"
    assert "onlyold@example.test (550 5.1.1 User unknown)" in first.summary
    assert "user02@example.test (2000000 bytes, and it takes 1000000)" in first.summary
    assert first.remember == {holding.HELD: "B2 C3"}
    assert "-qIB2" not in script(changes[1])
    assert "-qIA1" in script(changes[1])


def test_where_nothing_is_refused_or_nobody_can_tell_all_is_run(stage: Stage) -> None:
    queue(stage.old, queued("qfA1", "user01@example.test"))
    assert all("-Q" not in one.summary for one in stage.look())
    assert holding.HELD not in stage.memory


def test_the_way_home_releases_them_once(stage: Stage) -> None:
    assert list(holding.released(stage.context())) == []
    stage.memory[holding.HELD] = "B2 C3"
    (release,) = holding.released(stage.context())
    assert script(release) == "sendmail -Q -qQ -qIB2 -qIC3\n"
    stage.memory.update(release.remember)
    assert list(holding.released(stage.context())) == []
