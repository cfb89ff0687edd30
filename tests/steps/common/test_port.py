"""A closed port carries its own timer, and a state that cannot be measured is no state."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from migrator.errors import MigrateError, Refused, SmtpError, VerifyFailed
from migrator.net.firewall import CLOSED, OPEN, PortState
from migrator.steps.close_old import CloseOld
from migrator.steps.common import port
from tests.hosts.shell import each_shell, run
from tests.steps.stage import Stage


@pytest.fixture
def stage() -> Stage:
    return Stage(CloseOld())


class TestScripts:
    def test_the_timer_ends_after_the_longest_that_the_plan_allows(self, stage: Stage) -> None:
        stage.plan(cutover=replace(stage.world.plan.cutover, max_closed=timedelta(minutes=5)))
        assert "--on-active=300s" in port.reopen_later(stage.context(), "old")

    def test_a_new_timer_first_forgets_that_an_earlier_one_went_off(self, stage: Stage) -> None:
        text = port.reopen_later(stage.context(), "old")
        assert text.startswith("( rm -f /var/lib/migrate/example-mail/port25\n )\n")

    def test_a_dropped_timer_leaves_no_mark(self, stage: Stage) -> None:
        text = port.no_timer(stage.context())
        assert text.index("disarm $earlier") < text.rindex("rm -f /var/lib/migrate/example-mail/port25\n")

    def test_the_state_folder_is_roots_alone_and_any_failure_ends_the_script(self, stage: Stage) -> None:
        assert port.prepared(stage.context(), "next\n") == (
            "set -e\n(umask 077; mkdir -p /var/lib/migrate /var/lib/migrate/example-mail)\nnext\n"
        )

    @pytest.mark.parametrize("tool", ["nft", "iptables"])
    def test_the_hosts_own_tool_is_used(self, stage: Stage, tool: str) -> None:
        stage.facts("old", firewall=tool)
        for script in (port.close(stage.context(), "old"), port.reopen(stage.context(), "old")):
            assert ("nft -f -" in script) == (tool == "nft")
            assert ("iptables" in script) == (tool == "iptables")

    @each_shell
    @pytest.mark.parametrize("tool", ["nft", "iptables"])
    def test_a_closing_with_its_timer_is_valid_shell(self, stage: Stage, shell: str, tool: str) -> None:
        stage.facts("old", firewall=tool)
        context = stage.context()
        text = port.reopen_later(context, "old") + port.close(context, "old", ("2001:db8::1", "192.0.2.1"))
        checked = run(shell, f"set -n\n{port.prepared(context, text)}{port.no_timer(context)}")
        assert (checked.returncode, checked.stderr) == (0, "")

    def test_a_host_without_a_tool_is_refused(self, stage: Stage) -> None:
        stage.facts("new", firewall="")
        for ask in (port.close, port.reopen, port.state):
            with pytest.raises(Refused) as refused:
                ask(stage.context(), "new")
            assert refused.value.host == "new"


class TestState:
    def test_each_host_is_measured_by_itself(self, stage: Stage) -> None:
        stage.new.port = "closed except 198.51.100.10"
        assert port.state(stage.context(), "old") == PortState(OPEN)
        assert port.state(stage.context(), "new") == PortState(CLOSED, ("198.51.100.10",))

    @pytest.mark.parametrize("text", ["", "closed?", "nft: command not found"])
    def test_what_cannot_be_read_is_never_taken_for_open_or_closed(self, stage: Stage, text: str) -> None:
        stage.old.port = text
        with pytest.raises(MigrateError, match="state cannot be read"):
            port.state(stage.context(), "old")

    def test_another_state_than_wanted_is_told_in_words(self, stage: Stage) -> None:
        port.expect(stage.context(), "old", PortState(OPEN))
        with pytest.raises(VerifyFailed) as failed:
            port.expect(stage.context(), "old", PortState(CLOSED, ("192.0.2.1", "2001:db8::1")))
        assert failed.value.message == "port 25 of the old host is not as it should be"
        assert failed.value.expected == "closed except to 192.0.2.1 2001:db8::1"
        assert failed.value.seen == "open"


class TestGreeting:
    def test_the_host_is_asked_at_its_first_address_for_a_real_mailbox(self, stage: Stage) -> None:
        asked = []

        def answer(address: str, recipient: str) -> tuple[int, str]:
            asked.append((address, recipient))
            return 250, "2.1.5 Ok"

        stage.world.mail.answer = answer
        port.expect_greeting(stage.context(), "new")
        assert asked == [("198.51.100.20", "user01@example.test")]

    def test_it_is_tried_for_ten_seconds_and_the_last_answer_is_shown(self, stage: Stage) -> None:
        def refuse(address: str, recipient: str) -> tuple[int, str]:
            raise SmtpError("the port does not answer", seen="connection refused")

        stage.world.mail.answer = refuse
        stage.old.hidden = True
        with pytest.raises(VerifyFailed) as failed:
            port.expect_greeting(stage.context(), "old")
        assert failed.value.seen == "connection refused"
        assert sum(stage.world.clock.slept) == 10


def test_a_port_that_refuses_this_machine_for_now_is_asked_from_the_other_host(stage: Stage) -> None:
    stage.world.mail.answer = lambda _address, _recipient: (450, "4.7.1 Cannot resolve PTR record")
    port.expect_greeting(stage.context(), "old", tries=2)
    stage.old.hidden = True
    with pytest.raises(VerifyFailed, match="does not take mail"):
        port.expect_greeting(stage.context(), "old", tries=2)
