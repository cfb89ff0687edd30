"""What began before the switch ends, and what waits for a mailbox of the old host is delivered before the copy."""

from __future__ import annotations

from datetime import timedelta

import pytest

from migrator.change import Undo
from migrator.errors import Refused, StartOver, VerifyFailed
from migrator.hosts.base import Output
from migrator.steps.drain import Drain
from migrator.steps.relay import GENERATIONS
from tests.steps.stage import LISTENER, Stage, processes, queue, queued, script, summaries

NOW = (300, 300, 99_000, LISTENER[3])
"""The daemon that holds the relay, of session 300."""
BEFORE = (301, 77, 99_500, "sendmail: ./4ATold from queue")
"""Forked by the daemon of session 77, though it is younger than the new daemon."""
SINCE = (302, 300, 99_600, "sendmail: 4ATnew mx.example.net [192.0.2.1]: DATA")
END = "let 1 sessions and deliveries end on the old host that began before the switch"
DELIVER = "deliver what waits for mailboxes of the old host itself"


@pytest.fixture
def stage() -> Stage:
    stage = Stage(Drain())
    stage.memory[GENERATIONS] = "77"
    processes(stage.old, NOW)
    return stage


@pytest.fixture
def closed() -> Stage:
    """Return the step under the firewall strategy: nothing was switched, the port is closed."""
    stage = Stage(Drain(), "firewall")
    stage.old.port = "closed"
    return stage


def failure(stage: Stage) -> VerifyFailed:
    with pytest.raises(VerifyFailed) as failed:
        stage.verify()
    return failed.value


class TestGenerations:
    def test_a_quiet_host_has_nothing_to_wait_for(self, stage: Stage) -> None:
        assert stage.look() == []
        stage.verify()

    def test_what_a_daemon_of_before_forked_is_waited_for(self, stage: Stage) -> None:
        processes(stage.old, NOW, BEFORE, SINCE)
        (change,) = stage.look()
        assert change.summary == END
        assert "for one in 301:99500; do" in script(change)
        assert change.undo is Undo.NOT_NEEDED

    def test_the_wait_ends_when_the_time_of_the_cutover_does(self, stage: Stage) -> None:
        processes(stage.old, NOW, BEFORE)
        (change,) = stage.look(deadline=stage.world.clock.now() + timedelta(seconds=42))
        assert '"$waited" -lt 42' in script(change)

    def test_mail_that_came_in_since_is_not_waited_for(self, stage: Stage) -> None:
        processes(stage.old, NOW, SINCE)
        assert stage.look() == []
        stage.verify()

    def test_what_is_older_than_the_daemon_is_waited_for_whatever_its_session(self, stage: Stage) -> None:
        processes(stage.old, NOW, (250, 250, 98_000, "sendmail: ./4ATold from queue"))
        assert summaries(stage.look()) == [END]

    def test_a_session_that_the_listener_has_now_is_not_of_before(self, stage: Stage) -> None:
        stage.memory[GENERATIONS] = "77 300"
        processes(stage.old, NOW, SINCE)
        assert stage.look() == []

    def test_without_a_listener_nothing_counts_as_new(self, stage: Stage) -> None:
        processes(stage.old, SINCE)
        assert summaries(stage.look()) == [END]

    @pytest.mark.parametrize(
        "title", ["/usr/sbin/sendmail -Am user01", "sendmail -bs", "/usr/sbin/sendmail -t"]
    )
    def test_a_sendmail_without_a_title_that_began_before_is_waited_for(
        self, stage: Stage, title: str
    ) -> None:
        processes(stage.old, NOW, (304, 50, 98_000, title), (305, 50, 99_500, title))
        (change,) = stage.look()
        assert change.summary == END
        assert "for one in 304:98000; do" in script(change)
        assert failure(stage).seen == f"304 ({title})"

    def test_a_runner_of_the_queue_that_began_before_is_restarted(self, stage: Stage) -> None:
        runner = (303, 77, 100, "sendmail: Queue runner@00:10:00 for /var/spool/mqueue")
        processes(stage.old, NOW, runner)
        (change,) = stage.look()
        assert change.summary == "restart 1 runners of the queue on the old host that began before the switch"
        assert "renew_runners 303.100\n" in script(change)
        assert "runner of the queue from before the switch still runs" in failure(stage).message
        assert "303 (sendmail: Queue runner" in str(failure(stage).seen)

    def test_runners_of_the_client_queue_and_of_after_the_switch_are_left_alone(self, stage: Stage) -> None:
        processes(
            stage.old,
            NOW,
            (303, 303, 99_100, "sendmail: Queue runner@00:10:00 for /var/spool/mqueue"),
            (306, 77, 100, "sendmail: Queue runner@00:10:00 for /var/spool/mqueue-client"),
        )
        assert stage.look() == []
        stage.verify()

    def test_idle_sessions_are_ended_after_half_a_minute(self, stage: Stage) -> None:
        processes(stage.old, NOW, (305, 77, 100, "sendmail: server mx.example.net [192.0.2.1] cmd read"))
        assert '[ "$waited" -ge 30 ]' in script(stage.look()[0])


class TestQueue:
    def test_a_message_that_an_alias_turned_home_is_delivered_now(self, stage: Stage) -> None:
        queue(stage.old, queued("qf4ATown", "user01"), queued("qf4ATother", "someone@example.net"))
        (change,) = stage.look()
        assert change.summary == DELIVER
        assert script(change) == "sendmail -OMinQueueAge=0 -OQueueLA=1000 -qI4ATown\n"
        assert change.undo is Undo.NOT_NEEDED

    def test_what_a_delivery_leaves_in_the_queue_when_it_ends_is_delivered_as_well(
        self, stage: Stage
    ) -> None:
        processes(stage.old, NOW, BEFORE)
        changes = stage.step.changes(stage.context())
        assert next(changes).summary == END
        queue(stage.old, queued("qf4ATown", "user01"))
        assert next(changes).summary == DELIVER

    def test_a_delivery_that_takes_its_time_is_no_message_that_stays(self, stage: Stage) -> None:
        processes(stage.old, NOW, (302, 300, 99_600, "sendmail: ./4ATown from queue"))
        queue(stage.old, queued("qf4ATown", "user01"))
        slept: list[float] = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 12:
                queue(stage.old)
                processes(stage.old, NOW)

        stage.verify(sleep=sleep)
        assert sum(slept) == 12

    def test_a_message_that_nobody_delivers_stays_and_is_told_at_once(self, stage: Stage) -> None:
        queue(stage.old, queued("qf4ATown", "user01"))
        slept: list[float] = []
        with pytest.raises(VerifyFailed, match="1 messages wait for mailboxes of the old host itself"):
            stage.verify(sleep=slept.append)
        assert slept == []
        processes(stage.old, NOW, (302, 300, 99_600, "sendmail: ./4ATown from queue"))
        with pytest.raises(VerifyFailed, match="1 messages wait"):
            stage.verify(sleep=slept.append)
        assert 20 <= sum(slept) <= 60

    def test_a_hostile_name_in_the_queue_is_one_word(self, stage: Stage) -> None:
        queue(stage.old, queued("qf$(reboot) x", "user01"))
        assert script(stage.look()[0]).endswith("-qI'$(reboot) x'\n")

    @pytest.mark.parametrize(
        "recipient",
        [
            "user01@example.test",
            "someone@example.net",
            "user01%example.net@localhost",
            "nobody-here",
        ],
    )
    def test_what_no_run_would_deliver_here_stays(self, stage: Stage, recipient: str) -> None:
        queue(stage.old, queued("qf4AT1", recipient))
        assert stage.look() == []
        stage.verify()

    @pytest.mark.parametrize(
        "recipient",
        [
            "\\user01",
            '"|exec /usr/bin/procmail"',
            "/home/user08/mbox",
            "user01@localhost",
            "user01@mail.example.test",
        ],
    )
    def test_what_an_alias_or_the_hosts_own_name_leads_to_this_host_is_delivered_now(
        self, stage: Stage, recipient: str
    ) -> None:
        queue(stage.old, queued("qf4AT1", recipient))
        assert summaries(stage.look()) == [DELIVER]
        assert failure(stage).message == "1 messages wait for mailboxes of the old host itself"

    @pytest.mark.parametrize(("name", "kind"), [("hf4AT1", "quarantined"), ("Qf4AT1", "lost")])
    def test_what_only_a_person_can_release_is_refused_by_name(
        self, stage: Stage, name: str, kind: str
    ) -> None:
        queue(stage.old, queued(name, "\\user01"))
        assert stage.look() == []
        with pytest.raises(Refused) as refused:
            stage.verify()
        assert f"4AT1 ({kind}) for" in str(refused.value.seen)
        assert "user01" in str(refused.value.seen)
        assert refused.value.lifted_by == "held-mail"
        stage.verify(force=frozenset({"held-mail"}))


class TestVerify:
    def test_the_queue_is_looked_at_when_no_delivery_is_left_that_could_put_a_message_back(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inspect = stage.old.inspect
        seen = []

        def noting(script: str, *, timeout: float | None = None) -> Output:
            seen.append("queue" if "read_queue" in script else "processes")
            return inspect(script, timeout=timeout)

        monkeypatch.setattr(stage.old, "inspect", noting)
        stage.verify()
        assert seen == ["processes", "queue"]

    def test_a_delivery_that_is_left_is_named(self, stage: Stage) -> None:
        processes(stage.old, NOW, BEFORE)
        failed = failure(stage)
        assert failed.message == "deliveries from before the switch still run on the old host"
        assert failed.seen == "301 (sendmail: ./4ATold from queue)"
        assert "their messages stay in the queue" in str(failed.advice)

    def test_a_message_that_cannot_be_delivered_is_named_with_its_reason(self, stage: Stage) -> None:
        queue(stage.old, queued("qf4AT1", "user01", reason="Deferred: mailbox full"))
        failed = failure(stage)
        assert failed.message == "1 messages wait for mailboxes of the old host itself"
        assert failed.seen == "4AT1: Deferred: mailbox full"

    def test_it_is_tried_more_than_once(self, stage: Stage) -> None:
        assert Drain.attempts == 5


class TestFirewall:
    def test_every_session_is_waited_for(self, closed: Stage) -> None:
        processes(closed.old, NOW, BEFORE, SINCE)
        (change,) = closed.look()
        assert "for one in 301:99500 302:99600; do" in script(change)
        assert "2 sessions" in change.summary

    def test_a_closed_port_lets_them_end(self, closed: Stage) -> None:
        closed.ready()
        assert closed.look() == []
        closed.verify()

    def test_a_port_that_opened_by_its_timer_is_closed_again_first(self, closed: Stage) -> None:
        closed.old.port = "open"
        with pytest.raises(StartOver) as again:
            closed.ready()
        assert (again.value.step, again.value.host) == ("close-old", "old")

    def test_hold_leaves_the_port_open(self, stage: Stage) -> None:
        assert stage.old.port == "open"
        stage.ready()
