"""The journal is torn, damaged, gone, or another plan's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.faults.killing import JOURNAL
from tests.faults.kills import journal
from tests.faults.outcome import Outcome
from tests.lab.driver import Event, change_of, killed_at, succeed
from tests.lab.lab import Lab
from tests.lab.scene import Scene, scene
from tests.lab.test_rollback import changed, configuration
from tests.lab.world import expect_moved

RATE = 8.0
REFUSED = 3


def path_of(lab: Lab) -> Path:
    """Return the path of a lab's journal."""
    return lab.state_path / JOURNAL


def killed_in(lab: Lab, stage: Scene, step: str) -> None:
    """Migrate until the first change of a step of the cut-over, and be killed in it."""
    succeed(lab, "run", "--until", "presync")
    stage.readers.stop()
    killed_at(lab, change_of(step))


def line_of(lab: Lab, kind: str, step: str) -> int:
    """Return the number of the first line of this kind and step."""
    events: list[Event] = [json.loads(line) for line in journal(lab)]
    return 1 + next(
        number for number, event in enumerate(events) if (event["kind"], event["step"]) == (kind, step)
    )


@pytest.mark.fault("the journal's last line torn, as by a crash of the operator's machine")
def test_the_last_line_is_torn(lab: Lab, outcome: Outcome) -> None:
    with scene(lab, rate=RATE) as stage:
        killed_at(lab, change_of("presync"))
        tear(lab, outcome, keep=1)
        killed_in(lab, stage, "relay")
        tear(lab, outcome, keep=0.5)
        killed_at(lab, change_of("final-copy"))
        assert json.loads((lab.state_path / "lock").read_bytes())["pid"], "the lock's file of a killed run"
        tear(lab, outcome, keep=0.99)
        succeed(lab, "resume", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)


def tear(lab: Lab, outcome: Outcome, keep: float) -> None:
    """Add a line that came to the disk in part: so many bytes, or a share of them."""
    last = journal(lab)[-1].replace(b'"sequence":', b'"sequence":1')
    with path_of(lab).open("ab") as file:
        file.write(last[: keep if isinstance(keep, int) else int(len(last) * keep)])
    outcome.hit("the torn line was dropped, and the next run went on")


@pytest.mark.fault("a line in the middle of the journal damaged")
def test_a_line_in_the_middle_is_damaged(lab: Lab, outcome: Outcome) -> None:
    with scene(lab, rate=RATE) as stage:
        killed_in(lab, stage, "final-copy")
        whole, before = path_of(lab).read_bytes(), configuration(lab)
        number = line_of(lab, "change_planned", "relay")
        for damage in (b"\0" * 40, b"", b"{}\n"):
            lines = whole.splitlines(keepends=True)
            lines[number - 1] = damage + lines[number - 1][40:] if damage != b"" else b""
            path_of(lab).write_bytes(b"".join(lines))
            for command in (("run", "--yes"), ("rollback", "--yes"), ("status",)):
                refused = lab.migrate(*command)
                assert refused.returncode == REFUSED, (command, refused.stderr)
                assert f"line {number}" in refused.stderr
                assert "backup" in refused.stderr
            outcome.hit("exit 3 with the number of the line; with the file put back the run went on")
        assert changed(before, configuration(lab)) == []
        path_of(lab).write_bytes(whole)
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault("a damaged journal cut before its bad line, as the program advises")
@pytest.mark.parametrize(
    ("last", "cut"), [("final-copy", "close-new"), ("open-to-old", "open-to-old"), ("smoke", "open-new")]
)
def test_the_journal_is_cut_before_the_damage(lab: Lab, outcome: Outcome, last: str, cut: str) -> None:
    with scene(lab, rate=RATE) as stage:
        killed_in(lab, stage, last)
        lines = path_of(lab).read_bytes().splitlines(keepends=True)
        path_of(lab).write_bytes(b"".join(lines[: line_of(lab, "change_planned", cut) - 1]))
        succeed(lab, "run", "--yes", "--wait")
        outcome.hit("what was done from there on was done once more")
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault("the journal of another plan in the state folder")
def test_the_journal_is_of_another_plan(lab: Lab, outcome: Outcome) -> None:
    other = lab.folder / "other.toml"
    other.write_text(lab.plan_path.read_text().replace('mail_host = "mail.', 'mail_host = "imap.'))
    with scene(lab, rate=RATE) as stage:
        killed_in(lab, stage, "relay")
        size = path_of(lab).stat().st_size
        refused = lab.migrate("run", "--yes", plan=other)
        assert refused.returncode == 2, refused.stderr
        assert "migration.mail_host: mail.example.test → imap.example.test" in refused.stderr
        assert path_of(lab).stat().st_size == size
        outcome.hit("exit 2 with what differs, and nothing was done; the right plan went on")
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)
