"""What the new host would refuse is kept on the old one, and told by address."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.change import Change, Upload
from migrator.plan.shapes import Strategy
from migrator.sendmail import queue as sendmail_queue
from migrator.steps.base import Step
from migrator.steps.common import holding, waiting
from migrator.steps.flush import Flush
from migrator.steps.open_new import OpenNew
from migrator.steps.open_to_old import OpenToOld
from migrator.steps.relay import Relay
from tests.steps.sound import MARK
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
        # Without patterns, which would read the whole folder for each message.
        ["sh", "-f", "-c", holding._sizes(messages)],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    sizes = holding._parsed(done.stdout)
    assert sizes["A1"] > 1500
    assert 10 < sizes["B2"] < 100


def foreseen(stage: Stage) -> list[Change]:
    context = stage.context()
    return list(holding.foreseen(context, waiting.queued(waiting.for_domains(context))))


def test_before_the_new_host_is_opened_its_rules_and_its_limit_are_asked(stage: Stage) -> None:
    queue(
        stage.old,
        queued("qfA1", "user01@example.test"),
        queued("qfB2", "OnlyOld@example.test"),
        queued("qfC3", "user02@example.test"),
    )
    stage.facts("new", cf="O MaxMessageSize=1000000\n")
    stage.old.on("END_OF_THE_MESSAGES", "body C3 2000000\nbody A1 10\n")
    stage.new.on(r"^sendmail -bv .*onlyold", "onlyold@example.test... User unknown\n")
    (change,) = foreseen(stage)
    assert script(change).startswith("sendmail '-Qthe other host would refuse it' -qIB2 -qIC3\n")
    assert "onlyold@example.test (by sendmail -bv there)" in change.summary.lower()
    assert "user02@example.test (2000000 bytes, and it takes 1000000)" in change.summary
    assert change.remember == {holding.HELD: "B2 C3"}


def test_nothing_is_foreseen_of_an_empty_queue_or_of_what_is_known(stage: Stage) -> None:
    assert foreseen(stage) == []
    queue(stage.old, queued("qfA1", "user01@example.test"))
    assert foreseen(stage) == []


@pytest.mark.parametrize(("step", "strategy"), [(OpenToOld, "hold"), (OpenNew, "firewall")])
def test_what_is_foreseen_is_kept_before_the_port_is_opened(step: type[Step], strategy: Strategy) -> None:
    stage = Stage(step(), strategy)
    stage.new.port, stage.new.listening = "closed", False
    queue(stage.old, queued("qfB2", "onlyold@example.test"))
    stage.new.on(r"^sendmail -bv", "onlyold@example.test... User unknown\n")
    first, *rest = stage.look()
    assert "-qIB2" in script(first)
    assert rest


def test_a_message_that_a_run_has_in_its_hands_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "qfA1").write_text("V8\n.\n")
    calls = tmp_path / "sendmail"
    calls.write_text(
        f"#!/bin/sh\necho x >>{tmp_path}/calls\n"
        f"[ $(grep -c x {tmp_path}/calls) -lt 2 ] || mv {tmp_path}/qfA1 {tmp_path}/hfA1\n"
    )
    calls.chmod(0o755)
    message = replace(sendmail_queue.parse("qfA1", "V8\n.\n"), folder=str(tmp_path))
    text = holding._each("why", ["A1"]) + holding._until_kept([message])
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(["sh", "-c", text], env={"PATH": path}, timeout=30, check=False)
    assert done.returncode == 0
    assert (tmp_path / "hfA1").exists()


def test_what_is_never_let_go_fails_for_the_port_must_not_open(tmp_path: Path) -> None:
    (tmp_path / "qfA1").write_text("V8\n.\n")
    for name in ("sendmail", "sleep"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    message = replace(sendmail_queue.parse("qfA1", "V8\n.\n"), folder=str(tmp_path))
    done = subprocess.run(
        ["sh", "-c", holding._until_kept([message])],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "a run of the queue has these in its hands: A1\n")


def test_the_flush_releases_what_the_new_host_takes_by_now_and_tells_of_the_rest_no_more(
    stage: Stage,
) -> None:
    stage.memory[holding.HELD] = "B2 C3 D4"
    queue(
        stage.old,
        queued("hfB2", "mended@example.test"),
        queued("hfC3", "onlyold@example.test"),
        queued("hfD4", "mended@example.test", "silent@example.test"),
        queued("hfE5", "mended@example.test"),
    )
    answers = (
        "taken Mended@example.test\nrefused onlyold@example.test 550 5.1.1 User unknown\n"
        "sender sender@example.net\ntaken mended@example.test\n"
    )
    stage.old.on("RCPT TO", answers)
    first, last = stage.look()
    assert script(first) == "sendmail -Q -qQ -qIB2\n"
    assert first.remember == {holding.HELD: "C3 D4"}
    assert last.summary.endswith(": E5: Deferred: Connection refused")
    assert "1 messages for the domains are quarantined or lost" in last.summary
    stage.old.on("RCPT TO", "")
    assert all("release" not in one.summary.partition(" messages")[0] for one in stage.look())


def test_a_relay_that_is_taken_back_releases_what_was_kept_at_its_end() -> None:
    stage = Stage(Relay())
    way, switch = stage.perform()
    assert isinstance(way.undo, Upload)
    assert isinstance(switch.undo, Upload)
    release = "sendmail -Q '-qQthe other host would refuse it' >/dev/null 2>&1 || :\n"
    assert way.undo.then.endswith(release)
    assert release not in switch.undo.then


def test_what_is_refused_for_its_sender_is_kept_and_told_too(stage: Stage) -> None:
    queue(
        stage.old,
        queued("qfA1", "user01@example.test"),
        queued("qfB2", "user02@example.test").replace("sender@example.net", "bad@Nowhere.test"),
        queued("qfC3", "user03@example.test").replace("sender@example.net", ""),
    )
    stage.plan_new("198.51.100.20", "2001:db8::20")
    asked: list[str] = []

    def answer(_host: object, text: str) -> str:
        asked.append(text)
        return (
            "taken user01@example.test\ntaken user02@example.test\ntaken user03@example.test\n"
            "sender bad@nowhere.test\ndenied 553 5.1.8 Domain of sender does not exist\n"
            "sender sender@example.net\nrefused user01@example.test 550 5.7.1 Access denied\n"
        )

    stage.old.on("RCPT TO", answer)
    first = stage.look()[0]
    assert script(first).endswith(" -qIA1 -qIB2\n")
    assert "user02@example.test (from bad@nowhere.test: 553 5.1.8" in first.summary
    assert "user01@example.test (550 5.7.1 Access denied)" in first.summary
    assert "from bad@nowhere.test\nuser02@example.test\n" in asked[0]
    assert "'198.51.100.20 2001:db8::20'" in asked[0]


def test_what_was_refused_for_its_sender_is_released_only_where_that_one_was_asked_with(stage: Stage) -> None:
    stage.memory[holding.HELD] = "B2"
    queue(stage.old, queued("hfB2", "user02@example.test"))
    stage.old.on("RCPT TO", "taken user02@example.test\n")
    assert not [one for one in stage.look() if one.summary.startswith("release")]
    stage.old.on(
        "RCPT TO", "taken user02@example.test\nsender sender@example.net\ntaken user02@example.test\n"
    )
    assert stage.look()[0].summary.startswith("release 1 messages")


DENIED = 'check_rcpt   returns: $# error $@ 5 . 7 . 1 $: "550 Access denied"\n'


def denying(text: str, *refused: str, said: str = DENIED) -> str:
    """Answer as test mode does: a mark for each pair, and before it what is said of those of a refused sender."""
    asked = text.partition("END_OF_THE_PAIRS'\n")[2].split("${migrateMark}\n")[:-1]
    return "".join(
        (said if any(f"<{one}>" in each for one in refused) else "") + f"> {MARK}\n" for each in asked
    )


@pytest.mark.parametrize(("step", "strategy"), [(OpenToOld, "hold"), (OpenNew, "firewall")])
def test_what_the_rules_refuse_for_its_sender_is_kept_before_the_port_is_opened(
    step: type[Step], strategy: Strategy
) -> None:
    stage = Stage(step(), strategy)
    stage.new.port, stage.new.listening = "closed", False
    queue(
        stage.old,
        queued("qfA1", "user01@example.test"),
        queued("qfB2", "user02@example.test").replace("sender@example.net", "Bad@Nowhere.test"),
        queued("qfC3", "user03@example.test").replace("sender@example.net", ""),
    )
    stage.new.on("END_OF_THE_PAIRS", lambda _host, text: denying(text, "bad@nowhere.test"))
    first, *rest = stage.look()
    assert script(first).startswith("sendmail '-Qthe other host would refuse it' -qIB2\n")
    assert "user02@example.test (550 Access denied)" in first.summary
    assert first.remember == {holding.HELD: "B2"}
    assert rest


def test_a_bounce_is_asked_for_without_a_sender_and_the_old_hosts_address_is_the_client(stage: Stage) -> None:
    asked: list[str] = []

    def answer(_host: object, text: str) -> str:
        asked.append(text)
        return denying(text, "user03@example.test")

    stage.new.on("END_OF_THE_PAIRS", answer)
    queue(stage.old, queued("qfC3", "user03@example.test").replace("sender@example.net", ""))
    (change,) = foreseen(stage)
    assert ".D{mail_from}<>\n.Df\ncheck_mail <>\ncheck_rcpt <user03@example.test>\n" in asked[0]
    assert ".D{client_addr}198.51.100.10\n" in asked[0]
    assert "-qIC3" in script(change)


def test_once_the_port_answers_the_rules_count_for_what_is_thrown_away_alone(stage: Stage) -> None:
    queue(stage.old, queued("qfA1", "user01@example.test"))
    taken = "taken user01@example.test\nsender sender@example.net\ntaken user01@example.test\n"
    stage.old.on("RCPT TO", taken)
    stage.new.on("END_OF_THE_PAIRS", lambda _host, text: denying(text, "sender@example.net"))
    assert "keep" not in stage.look()[0].summary
    thrown = "check_rcpt   returns: $# discard $: discard\n"
    stage.new.on("END_OF_THE_PAIRS", lambda _host, text: denying(text, "sender@example.net", said=thrown))
    assert "user01@example.test (it would take the message and throw it away" in stage.look()[0].summary
    stage.memory[holding.HELD] = "A1"
    queue(stage.old, queued("hfA1", "user01@example.test"))
    assert not [one for one in stage.look() if one.summary.startswith("release")]
    stage.new.on("END_OF_THE_PAIRS", lambda _host, text: denying(text))
    assert stage.look()[0].summary.startswith("release 1 messages")
