"""What the new host would refuse is kept on the old one, and told by address."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.sendmail import queue as sendmail_queue
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


def test_a_size_counts_the_headers_too_for_the_other_host_counts_them(tmp_path: Path) -> None:
    (tmp_path / "qfA1").write_text("V8\nH??Subject: " + "x" * 500 + "\n.\n")
    (tmp_path / "dfA1").write_bytes(b"y" * 1000)
    (tmp_path / "B" / "qf").mkdir(parents=True)
    (tmp_path / "B" / "df").mkdir()
    (tmp_path / "B" / "qf" / "qfB2").write_text("V8\nH??Subject: z\n.\n")
    (tmp_path / "B" / "df" / "dfB2").write_bytes(b"y" * 10)
    one = sendmail_queue.parse("qfA1", "V8\n.\n")
    two = sendmail_queue.parse("qfB2", "V8\n.\n")
    messages = [replace(one, folder=str(tmp_path)), replace(two, folder=str(tmp_path / "B" / "qf"))]
    done = subprocess.run(
        ["sh", "-c", holding._sizes(messages)], capture_output=True, text=True, check=True, timeout=20
    )
    sizes = holding._parsed(done.stdout)
    assert sizes["A1"] > 1500
    assert 10 < sizes["B2"] < 100
