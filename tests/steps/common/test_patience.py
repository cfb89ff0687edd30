"""What waits while the old host holds mail must not go back to its sender."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from migrator.errors import CommandFailed, Refused
from migrator.hosts.base import Output
from migrator.sendmail.queue import parse_dump
from migrator.steps.close_new import CloseNew
from migrator.steps.common import patience
from migrator.steps.common.patience import older_script
from migrator.steps.rules.patience import queuereturn
from tests.fakes import NOON, World, make_facts
from tests.hosts.shell import each_shell, run
from tests.steps.sound import CF, both, brief, sound_world
from tests.steps.stage import Stage


def waits(name: str, age: timedelta, recipient: str, sender: str = "a@example.net") -> str:
    lines = ["V8", f"T{int((NOON - age).timestamp())}", f"S<{sender}>", f"RPFD:<{recipient}>", "."]
    return "".join(f"/var/spool/mqueue/{name}\0{line}\n" for line in lines)


def world(options: str = "", *messages: str) -> World:
    found = sound_world()
    found.facts["old"] = make_facts(cf=CF + options)
    found.old.on(r"older\(\)", "".join(messages) + "\0")
    return found


def told(options: str = "", *messages: str) -> list[str]:
    return brief(list(queuereturn(both(world(options, *messages)))))


NEARLY = timedelta(days=5) - timedelta(minutes=3)


def test_mail_that_may_wait_for_days_passes() -> None:
    assert told("O Timeout.queuereturn=5d\n", waits("qfA", timedelta(hours=5), "user01@example.test")) == [
        "pass queuereturn old"
    ]


@pytest.mark.parametrize(
    ("options", "level"),
    [
        ("O Timeout.queuereturn=4m\n", "fail"),
        ("O Timeout.queuereturn=now\n", "fail"),
        ("O Timeout.queuereturn.dsn=5m\n", "fail"),
        ("O Timeout.queuereturn.non-urgent=6m\n", "warn"),
        ("O Timeout.queuereturn=12h\n", "warn"),
        ("O Timeout.queuereturn=1d\n", "pass"),
    ],
)
def test_a_time_shorter_than_the_hold_fails_and_one_shorter_than_a_night_is_told(
    options: str, level: str
) -> None:
    # Held at most: a budget of 60 s three times, and a port that is closed for 2 minutes.
    assert told(options) == [f"{level} queuereturn old"]


@pytest.mark.parametrize(
    ("message", "level"),
    [
        (waits("qfA", NEARLY, "user01@example.test"), "fail"),
        (waits("qfA", NEARLY, "user01"), "fail"),
        (waits("qfA", timedelta(days=6), "user01@example.test"), "fail"),
        (waits("qfA", NEARLY - timedelta(hours=2), "user01@example.test"), "warn"),
        (waits("qfA", NEARLY, "somebody@elsewhere.test"), "pass"),
    ],
)
def test_what_has_waited_nearly_long_enough_is_told(message: str, level: str) -> None:
    assert told("O Timeout.queuereturn=5d\n", message) == [f"{level} queuereturn old"]


def test_an_early_warning_to_senders_is_told() -> None:
    assert told("O Timeout.queuewarn=2m\n") == ["pass queuereturn old", "warn queuewarn old"]


def test_the_question_is_not_asked_while_a_message_would_be_returned() -> None:
    stage = Stage(CloseNew())
    stage.old.on(r"older\(\)", waits("qfA", NEARLY, "user01@example.test") + "\0")
    with pytest.raises(Refused) as refused:
        stage.step.question(stage.context())
    assert refused.value.lifted_by == "queuereturn"
    assert "A in 3 min" in refused.value.message
    stage.step.question(stage.context(force=frozenset({"queuereturn"})))


def test_a_queue_that_cannot_be_read_is_no_empty_one() -> None:
    found = world()
    found.old.on(r"older\(\)", Output(1, "", "cut off"))
    with pytest.raises(CommandFailed):
        patience.expect_time(found.context())


@each_shell
def test_only_old_control_files_are_read(shell: str, tmp_path: Path) -> None:
    for folder in ("q1", "q2/qf"):
        (tmp_path / folder).mkdir(parents=True)
    old, young = int((NOON - NEARLY).timestamp()), int(NOON.timestamp())
    (tmp_path / "q1/qfOLD").write_text(f"V8\nT{old}\nS<a@b.test>\nRPFD:<user01@example.test>\nH??X: T1\n.\n")
    (tmp_path / "q1/qfNEW").write_text(f"V8\nT{young}\nS<a@b.test>\nRPFD:<user01@example.test>\n.\n")
    (tmp_path / "q1/dfOLD").write_text(f"T{old}\n")
    (tmp_path / "q2/qf/qfDEEP").write_text(f"V8\nT{old}\nS<>\nRPFD:<user01>\n.\n")
    result = run(shell, older_script([f"{tmp_path}/q*"], NOON - timedelta(days=1)))
    assert (result.returncode, result.stderr) == (0, "")
    assert {one.id for one in parse_dump(result.stdout)} == {"OLD", "DEEP"}
    assert run(shell, older_script(["/no such"], NOON)).stdout == "\0"
