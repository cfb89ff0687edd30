"""The way home, step by step, between simulated hosts of which the new one has taken mail."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from migrator.change import AddressSet, BringHome, Note, Shell, Undo
from migrator.errors import NotReady, Refused, VerifyFailed
from migrator.plan import DnsPlan
from migrator.steps.base import Phase, Step
from migrator.steps.common.holding import HELD, HELD_HOME
from migrator.steps.common.opening import CACHED, OPENED
from migrator.steps.common.relaying import PROBE
from migrator.steps.homeward import homeward
from migrator.steps.homeward.bring_home import BringMailHome
from migrator.steps.homeward.drain_home import DrainHome
from migrator.steps.homeward.names_home import SINCE, NamesHome
from migrator.steps.homeward.put_back import PutBack
from migrator.steps.homeward.relay_home import BACK, GENERATIONS, SPARED_BACK, RelayHome
from tests.steps.stage import Stage, edits, processes, queue, queued, script, summaries

MAILERTABLE = "/etc/mail/mailertable"
LOCAL = "/etc/mail/local-host-names"
ACCESS = "/etc/mail/access"
NEW_LISTENER = (300, 300, 99_000, "sendmail: MTA: accepting connections")


def staged(step: Step) -> Stage:
    stage = Stage(step)
    stage.memory[OPENED] = "2026-11-29T12:00:00+00:00"
    return stage


def relaying() -> Stage:
    """Return hosts of which the new one relays home, before its files are put back."""
    stage = staged(RelayHome())
    stage.perform()
    stage.step = PutBack()
    return stage


class TestChain:
    def test_it_is_one_chain_of_the_last_phase(self) -> None:
        steps = homeward()
        assert [step.after for step in steps] == ["", *[step.name for step in steps[:-1]]]
        assert {step.phase for step in steps} == {Phase.HOME}

    @pytest.mark.parametrize("step", homeward(), ids=lambda step: step.name)
    def test_a_new_host_that_never_opened_and_took_nothing_has_nothing_to_bring(self, step: Step) -> None:
        stage = Stage(step)
        stage.new.on(r"look\(\)", "1796000000\n")
        assert stage.look() == []
        stage.verify()


class TestRelayHome:
    def test_the_new_host_is_spared_by_the_old_one_before_it_relays(self) -> None:
        changes = staged(RelayHome()).perform()
        assert summaries(changes) == [
            "spare 198.51.100.20 the limits of the old host",
            "know the way of example.test to 198.51.100.10 on the new host",
            "relay example.test on the new host from now on",
        ]
        spared, way, switch = changes
        assert spared.do.host == "old"
        assert "GreetPause:198.51.100.20\t0" in str(edits(spared)[ACCESS])
        assert edits(way)[MAILERTABLE] == "example.test\tesmtp:[198.51.100.10]\n"
        assert edits(switch)[LOCAL] == "# one a line\nlocalhost\n"

    def test_what_takes_it_back_is_kept_for_later_and_is_no_undo(self) -> None:
        stage = staged(RelayHome())
        assert {change.undo for change in stage.perform()} == {Undo.NOT_NEEDED}
        assert {SPARED_BACK, f"{BACK}0", f"{BACK}1", GENERATIONS} <= stage.memory.keys()

    def test_its_port_stays_open(self) -> None:
        *_, switch = staged(RelayHome()).perform()
        assert "REDIRECT" in switch.do.then  # type: ignore[union-attr]

    def test_the_old_hosts_relay_was_proved_like_this_one(self) -> None:
        stage = staged(RelayHome())
        with pytest.raises(VerifyFailed, match="does not exempt the new host"):
            stage.verify()
        stage.perform()
        stage.verify()
        assert stage.world.mail.answer("198.51.100.20", f"{PROBE}@example.test")[0] == 250

    def test_a_second_look_finds_nothing_to_do(self) -> None:
        stage = staged(RelayHome())
        stage.perform()
        assert stage.look() == []

    def test_a_domain_that_is_its_own_name_cannot_be_relayed_and_is_refused_before_anything(self) -> None:
        stage = staged(RelayHome())
        stage.plan(domains=("mail.example.test",))
        with pytest.raises(Refused, match="the new host cannot stop delivering"):
            stage.step.before_rollback(stage.context())


class TestDrainHome:
    def test_deliveries_of_before_end_and_the_queue_goes_home(self) -> None:
        stage = staged(DrainHome())
        stage.memory[GENERATIONS] = "77"
        old = (301, 77, 99_500, "sendmail: ./4ATold from queue")
        processes(stage.new, NEW_LISTENER, old)
        queue(stage.new, queued("qf1", "user01@example.test"))
        assert summaries(stage.look()) == [
            "let 1 sessions and deliveries end on the new host that began before the switch",
            "deliver 1 messages that the new host queued",
        ]
        assert "-qR@example.test" in script(stage.look()[1])

    def test_what_the_old_host_would_refuse_is_kept_back_and_told(self) -> None:
        stage = staged(DrainHome())
        stage.memory[HELD] = "Z9"  # what flush kept on the old host is another matter
        queue(stage.new, queued("qfA1", "user01@example.test"), queued("qfB2", "onlynew@example.test"))
        stage.new.on("RCPT TO", "refused onlynew@example.test 550 5.1.1 User unknown\n")
        kept, run = stage.look()[-2:]
        assert isinstance(kept.do, Shell)
        assert kept.do.host == "new"
        assert script(kept) == "sendmail '-Qthe other host would refuse it' -qIB2\n"
        assert "onlynew@example.test (550 5.1.1 User unknown)" in kept.summary
        assert "that the old host would refuse and the new one would bounce" in kept.summary
        assert kept.remember == {HELD_HOME: "B2"}
        assert run.summary == "deliver 1 messages that the new host queued"

    def test_nothing_is_run_where_the_old_host_would_refuse_all(self) -> None:
        stage = staged(DrainHome())
        queue(stage.new, queued("qfB2", "onlynew@example.test"))
        stage.new.on("RCPT TO", "refused onlynew@example.test 550 5.1.1 User unknown\n")
        assert [script(one) for one in stage.look()] == [
            "sendmail '-Qthe other host would refuse it' -qIB2\n"
        ]

    def test_what_stays_in_its_queue_is_named(self) -> None:
        stage = staged(DrainHome())
        queue(stage.new, queued("qf1", "user01@example.test"))
        with pytest.raises(VerifyFailed) as failed:
            stage.verify()
        assert failed.value.host == "new"
        assert "1: Deferred: Connection refused" in str(failed.value.seen)


class TestBringHome:
    def test_every_tree_is_brought_home(self) -> None:
        stage = staged(BringMailHome())
        assert [change.do for change in stage.perform()] == [BringHome(0), BringHome(1)]

    def test_what_is_not_home_is_named(self) -> None:
        stage = staged(BringMailHome())
        stage.world.copies.away[1] = tuple(f"user{number}: 1 message" for number in range(7))
        with pytest.raises(VerifyFailed, match="not home yet") as failed:
            stage.verify()
        assert str(failed.value.seen).endswith("user4: 1 message and 2 more")

    def test_mail_that_came_in_by_itself_comes_home_too(self) -> None:
        stage = Stage(BringMailHome())
        stage.new.on(r"look\(\)", "1796000000\n/var/spool/mail/user01\n")
        assert len(stage.look()) == 2


class TestNamesHome:
    def test_a_name_that_was_never_changed_is_not_asked_for(self) -> None:
        stage = staged(NamesHome())
        assert stage.look() == []

    def test_it_notes_since_when_the_name_is_back(self) -> None:
        stage = staged(NamesHome())
        stage.memory[CACHED] = "900"
        (change,) = stage.perform()
        assert isinstance(change.do, Note)
        assert SINCE in stage.memory
        assert stage.look() == []

    def test_by_hand_it_waits_and_says_what_to_enter(self) -> None:
        stage = staged(NamesHome())
        stage.memory[CACHED] = "900"
        stage.plan(dns=DnsPlan(update="manual"))
        stage.world.names.update((AddressSet("A", ("198.51.100.20",), 900),))
        with pytest.raises(NotReady, match="still names the new host") as waiting:
            stage.look()
        assert "run migrate rollback again" in str(waiting.value.advice)
        assert "IN A 198.51.100.10" in str(waiting.value.advice)


class TestPutBack:
    def test_a_name_that_never_moved_needs_no_wait(self) -> None:
        stage = relaying()
        before = Stage(PutBack()).new.files
        assert summaries(stage.perform()) == [
            "put the old host's own limits back",
            "note on the new host that all its mail is home",
            "put the new host's own configuration back",
        ]
        assert stage.new.files == before
        assert stage.old.files == Stage(PutBack()).old.files
        stage.verify()

    def test_the_switch_is_taken_back_before_the_way(self) -> None:
        stage = relaying()
        text = script(stage.perform()[-1])
        assert text.index(stage.memory[f"{BACK}1"]) < text.index(stage.memory[f"{BACK}0"])

    def test_a_wait_of_a_minute_is_waited(self) -> None:
        stage = relaying()
        stage.memory |= {CACHED: "50", SINCE: stage.context().now().isoformat()}
        assert summaries(stage.perform())[-1] == "put the new host's own configuration back"

    def test_for_longer_a_timer_on_the_new_host_does_it(self) -> None:
        stage = relaying()
        stage.memory |= {CACHED: "3600", SINCE: stage.context().now().isoformat()}
        change = stage.perform()[-1]
        assert "by a timer there" in change.summary
        assert "/put-back" in script(change)
        assert "--on-active=3600s" in script(change)
        assert stage.look() == []

    def test_caches_that_are_dry_by_now_need_no_wait(self) -> None:
        stage = relaying()
        stage.memory |= {CACHED: "3600", SINCE: (stage.context().now() - timedelta(hours=2)).isoformat()}
        assert summaries(stage.perform())[-1] == "put the new host's own configuration back"

    def test_mail_in_the_queue_would_be_stranded_so_nothing_is_put_back_then(self) -> None:
        text = script(relaying().perform()[-1])
        assert "mail for the domains still waits in the queue" in text
        assert text.index("still waits") < text.index("work=$(mktemp")

    def test_a_message_that_is_on_its_way_just_then_is_waited_for(self, tmp_path: Path) -> None:
        stage = relaying()
        queue(stage.new)
        stage.facts("new", cf=f"O QueueDirectory={tmp_path}/queue\n")
        (tmp_path / "queue").mkdir()
        waiting = tmp_path / "queue" / "qf4AT1"
        waiting.write_text("V8\nT1\nK0\nN0\nSa@b.test\nRPFD:user01@example.test\n.\n")
        program = tmp_path / "sendmail"
        program.write_text(f"#!/bin/sh\n(sleep 1; rm -f {waiting}) >/dev/null 2>&1 &\n")
        program.chmod(0o755)
        stage.memory = {OPENED: stage.memory[OPENED]}
        text = script(stage.perform()[-1])
        path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(["sh", "-c", text], env=path, timeout=60, check=False)
        assert done.returncode == 0

    def test_what_no_run_of_the_queue_brings_home_is_named_with_its_recipients(self) -> None:
        stage = relaying()
        queue(stage.new, queued("hf4AT1", "user01@example.test"), queued("Qf4AT2", "user02@example.test"))
        with pytest.raises(Refused) as refused:
            stage.look()
        assert refused.value.lifted_by == "held-mail"
        assert refused.value.seen == (
            "4AT1 (quarantined) for <user01@example.test>; 4AT2 (lost) for <user02@example.test>"
        )
        assert "sendmail -Q -qQ -qI" in str(refused.value.advice)

    def test_what_the_operator_takes_on_himself_is_noted_and_does_not_block(self, tmp_path: Path) -> None:
        stage = relaying()
        queue(stage.new, queued("hf4AT1", "user01@example.test"))
        changes = stage.perform(force=frozenset({"held-mail"}))
        assert "4AT1 (quarantined) for <user01@example.test>" in changes[1].summary
        assert changes[-1].summary == "put the new host's own configuration back"
        assert self.left(tmp_path, "hf4AT1", "user01@example.test", force=frozenset({"held-mail"})) == 0

    @pytest.mark.parametrize(
        ("name", "recipient", "status"),
        [
            ("hf4AT1", "user01@example.test", 1),
            ("Qf4AT1", "user01@example.test", 1),
            ("qf4AT1", "<User@Example.TEST>", 1),
            ("qf4AT1", "user01@example.test.elsewhere.test", 0),
        ],
    )
    def test_the_relay_waits_for_mail_of_the_domains_alone(
        self, tmp_path: Path, name: str, recipient: str, status: int
    ) -> None:
        assert self.left(tmp_path, name, recipient) == status

    @pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh"])
    def test_what_the_relay_waits_for_is_named_by_every_shell(self, tmp_path: Path, shell: str) -> None:
        words = shell.split(" ")
        if shutil.which(words[0]) is None:
            pytest.skip(f"no {words[0]} here")
        assert self.left(tmp_path, "hf4AT1", "user01@example.test", words=words) == 1

    def test_a_queue_that_cannot_be_read_is_not_an_empty_one(self, tmp_path: Path) -> None:
        assert self.left(tmp_path, "qf4AT1", "x@elsewhere.test", unread=True) == 1

    def left(
        self,
        tmp_path: Path,
        name: str,
        recipient: str,
        *,
        force: frozenset[str] = frozenset(),
        words: Sequence[str] = ("sh",),
        unread: bool = False,
    ) -> int:
        """Run what puts back over a queue with one message; `unread` lets the look at it break off."""
        stage = relaying()
        queue(stage.new)
        stage.facts("new", cf=f"O QueueDirectory={tmp_path}/queue\n")
        (tmp_path / "queue").mkdir()
        (tmp_path / "queue" / name).write_text(f"V8\nT1\nK0\nN0\nSa@b.test\nRPFD:{recipient}\n.\n")
        stubs = {"sendmail": "exit 0", "sleep": "exit 0"} | ({"find": "kill -9 $PPID"} if unread else {})
        for program, text in stubs.items():
            (tmp_path / program).write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / program).chmod(0o755)
        stage.memory = {OPENED: stage.memory[OPENED]}
        text = script(stage.look(force=force)[-1])
        path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(
            [*words, "-c", text], env=path, timeout=60, check=False, capture_output=True, text=True
        )
        if done.returncode and not unread:
            assert f"still waits in the queue: {name}" in done.stderr
        return done.returncode

    def test_an_old_host_that_does_not_take_the_domains_is_told(self) -> None:
        stage = relaying()
        stage.old.files[LOCAL] = b"localhost\n"
        with pytest.raises(VerifyFailed, match=r"does not take example\.test for itself"):
            stage.verify()
