"""The old host relays: what is written in which order, and the three proofs of it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from migrator.errors import Refused, SmtpError, VerifyFailed
from migrator.sendmail import mc
from migrator.steps.common.relaying import PROBE
from migrator.steps.relay import GENERATIONS, Relay
from tests.steps.sound import MARK
from tests.steps.stage import LISTENER, Stage, edits, processes, summaries, undone, upload

MC = "/etc/mail/sendmail.mc"
CF = "/etc/mail/sendmail.cf"
LOCAL = "/etc/mail/local-host-names"
MAILERTABLE = "/etc/mail/mailertable"
ACCESS = "/etc/mail/access"


@pytest.fixture
def stage() -> Stage:
    return Stage(Relay())


@pytest.fixture
def relaying(stage: Stage) -> Stage:
    stage.perform()
    return stage


def calls_itself(stage: Stage, name: str) -> None:
    stage.new.on(r"^sendmail -bt .*\$j", f"{MARK}\n{name}\n{MARK}\n")


def failure(stage: Stage) -> VerifyFailed:
    with pytest.raises(VerifyFailed) as failed:
        stage.verify()
    assert failed.value.host == "old"
    return failed.value


def answering(*answers: tuple[int, str] | SmtpError) -> Callable[[str, str], tuple[int, str]]:
    """Return a port 25 that gives these answers one after another, and the last one from then on."""
    left = list(answers)

    def answer(address: str, recipient: str) -> tuple[int, str]:
        assert (address, recipient) == ("198.51.100.10", f"{PROBE}@example.test")
        given = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(given, SmtpError):
            raise given
        return given

    return answer


class TestTexts:
    def test_the_way_comes_first_and_the_domain_leaves_class_w_after_it(self, stage: Stage) -> None:
        way, switch = stage.perform()
        assert summaries([way, switch]) == [
            "know the way of example.test to 198.51.100.20 on the old host",
            "relay example.test on the old host from now on",
        ]
        assert set(edits(way)) == {MC, MAILERTABLE, ACCESS}
        assert edits(switch) == {LOCAL: "# one a line\nlocalhost\n"}

    def test_undone_the_domain_is_local_again_before_its_way_is_forgotten(self, stage: Stage) -> None:
        way, switch = stage.perform()
        assert undone(switch)[LOCAL] == "# one a line\nlocalhost\nexample.test\n"
        assert LOCAL not in undone(way)
        assert undone(way)[MAILERTABLE] is None

    def test_the_daemon_reloads_once_and_under_hold_with_its_port_answering_throughout(self) -> None:
        for stage, bridged in ((Stage(Relay(), "hold"), True), (Stage(Relay(), "firewall"), False)):
            way, switch = stage.perform()
            assert "kill -s HUP" not in upload(way).then
            assert "kill -s HUP" in upload(switch).then
            # Under firewall the port is closed, and a bridge would lead past that.
            assert ("if ! bridge_up" in upload(switch).then) is bridged

    def test_where_no_domain_is_local_any_more_the_way_itself_is_loaded(self, stage: Stage) -> None:
        stage.old.files[LOCAL] = b"localhost\n"
        (way,) = stage.perform()
        assert "kill -s HUP" in upload(way).then

    def test_the_feature_stands_before_the_first_mailer(self, stage: Stage) -> None:
        text = edits(stage.perform()[0])[MC] or ""
        assert mc.has_feature(text, "mailertable")
        assert text.index("FEATURE(`mailertable'") < text.index("\nMAILER(")

    def test_a_feature_that_is_there_stays_as_it_is(self, stage: Stage) -> None:
        line = "FEATURE(`mailertable', `hash -o /etc/mail/mailertable.db')dnl\n"
        text = stage.old.files[MC].decode().replace("MAILER_DEF", f"{line}MAILER_DEF")
        stage.old.files[MC] = text.encode()
        written = edits(stage.perform()[0])[MC] or ""
        assert written.count("mailertable") == text.count("mailertable")

    def test_equal_names_would_read_as_a_loop_so_esmtp_gets_its_flag(self, stage: Stage) -> None:
        text = edits(stage.perform()[0])[MC] or ""
        assert "MODIFY_MAILER_FLAGS(`ESMTP', `+k')" in text
        assert text.index("MODIFY_MAILER_FLAGS") < text.index("\nMAILER(")

    def test_a_new_host_of_another_name_needs_no_flag(self, stage: Stage) -> None:
        calls_itself(stage, "mail2.example.test")
        assert "MODIFY_MAILER_FLAGS" not in (edits(stage.perform()[0])[MC] or "")

    def test_names_are_compared_in_any_case(self, stage: Stage) -> None:
        calls_itself(stage, "MAIL.Example.Test")
        assert "MODIFY_MAILER_FLAGS" in (edits(stage.perform()[0])[MC] or "")

    def test_each_domain_is_routed_by_address_and_relayed_to_alone(self, stage: Stage) -> None:
        stage.plan(domains=("example.test", "example.org"))
        texts = edits(stage.perform()[0])
        assert texts[MAILERTABLE] == (
            "example.test\tesmtp:[198.51.100.20]\nexample.org\tesmtp:[198.51.100.20]\n"
        )
        assert texts[ACCESS] == (
            "# local policy\nConnect:192.0.2.7\tREJECT\nTo:example.test\tRELAY\nTo:example.org\tRELAY\n"
        )

    def test_an_ipv6_address_is_the_second_way(self, stage: Stage) -> None:
        stage.plan_new("198.51.100.20", "2001:db8::20")
        assert edits(stage.perform()[0])[MAILERTABLE] == (
            "example.test\tesmtp:[198.51.100.20]:[IPv6:2001:db8::20]\n"
        )
        stage.verify()

    def test_another_route_of_the_domain_is_replaced_and_others_stay(self, stage: Stage) -> None:
        stage.old.files[MAILERTABLE] = b"other.test\tsmtp:[192.0.2.1]\nExample.Test\tlocal:\n"
        assert edits(stage.perform()[0])[MAILERTABLE] == (
            "other.test\tsmtp:[192.0.2.1]\nexample.test\tesmtp:[198.51.100.20]\n"
        )

    def test_the_domain_leaves_every_file_of_class_w_and_of_virtual_hosts(self, stage: Stage) -> None:
        stage.executor.execute(stage.look()[0].do)
        names = {
            "/etc/mail/virtual-hosts": b"example.test\nshop.test\n",
            "/etc/mail/more": b"example.test # x\n",
        }
        stage.old.files.update(names)
        stage.old.files[CF] += b"F{VirtHost}/etc/mail/virtual-hosts\nFw-o /etc/mail/more\n"
        stage.facts("old", cf=stage.old.files[CF].decode())
        (switch,) = stage.look()
        assert edits(switch) == {
            LOCAL: "# one a line\nlocalhost\n",
            "/etc/mail/virtual-hosts": "shop.test\n",
            "/etc/mail/more": "# x\n",
        }

    def test_a_host_that_relays_already_is_left_alone(self, relaying: Stage) -> None:
        assert relaying.look() == []


class TestSwitch:
    def test_the_route_is_proved_between_the_rebuild_and_the_reload(self, stage: Stage) -> None:
        stage.plan_new("198.51.100.20", "2001:DB8::20")
        then = upload(stage.perform()[1]).then
        proof = then.index(f"sendmail -bv {PROBE}@example.test")
        assert then.index("make -C /etc/mail") < proof < then.index("kill -s HUP")
        assert "*'mailer esmtp, host [198.51.100.20]:[ipv6:2001:db8::20]'*" in then

    def test_the_way_alone_proves_nothing(self, stage: Stage) -> None:
        assert f"sendmail -bv {PROBE}" not in upload(stage.perform()[0]).then

    def test_the_sessions_of_every_daemon_before_are_remembered(self, stage: Stage) -> None:
        stage.memory[GENERATIONS] = "5"
        runner = (78, 80, 100, "sendmail: Queue runner@00:10:00 for /var/spool/mqueue")
        session = (79, 81, 200, "sendmail: server mx.example.net [192.0.2.1] cmd read")
        processes(stage.old, LISTENER, runner, session)
        (way, switch) = stage.perform()
        assert way.remember == switch.remember == {GENERATIONS: "5 77 80"}

    def test_a_daemon_that_reloaded_after_the_way_is_a_generation_more(self, stage: Stage) -> None:
        changes = stage.step.changes(stage.context())
        way = next(changes)
        stage.executor.execute(way.do)
        stage.memory.update(way.remember)
        processes(stage.old, (91, 91, 95_000, LISTENER[3]))
        assert next(changes).remember == {GENERATIONS: "77 91"}


class TestRefused:
    def test_a_domain_of_a_cw_line_cannot_leave_class_w(self, stage: Stage) -> None:
        stage.old.files[CF] += b"Cwlocalhost Example.Test\n"
        with pytest.raises(Refused, match=r"cannot stop delivering example\.test") as refused:
            stage.look()
        assert refused.value.host == "old"
        assert "Cw lines name example.test, localhost" in str(refused.value.seen)

    def test_neither_can_the_name_of_the_host_itself(self, stage: Stage) -> None:
        stage.plan(domains=("mail.example.test",))
        with pytest.raises(Refused, match=r"cannot stop delivering mail\.example\.test"):
            stage.look()

    def test_a_host_without_an_mc_cannot_be_edited(self, stage: Stage) -> None:
        del stage.old.files[MC]
        with pytest.raises(Refused, match=r"there is no /etc/mail/sendmail\.mc on the old host"):
            stage.look()


class TestVerify:
    def test_a_host_that_relays_passes(self, relaying: Stage) -> None:
        relaying.verify()

    def test_a_domain_that_is_still_local_fails(self, stage: Stage) -> None:
        failed = failure(stage)
        assert failed.message == "the old host does not relay example.test"
        assert failed.seen == "mailer local, host "

    def test_another_host_fails(self, relaying: Stage) -> None:
        relaying.old.files[f"{MAILERTABLE}.db"] = b"example.test\tesmtp:[192.0.2.9]\n"
        assert failure(relaying).seen == "mailer esmtp, host [192.0.2.9]"

    def test_a_domain_of_class_w_fails_though_bv_names_the_relay(self, relaying: Stage) -> None:
        relaying.old.on(r"^sendmail -bt .*\$=w", f"{MARK}\nlocalhost\nExample.TEST\n{MARK}\n")
        assert failure(relaying).message == "the old host still takes example.test for itself"

    def test_a_daemon_older_than_the_configuration_fails(self, relaying: Stage) -> None:
        processes(relaying.old, LISTENER, written=50)
        failed = failure(relaying)
        assert "has not loaded the new configuration" in failed.message
        assert failed.seen == "77 (sendmail: MTA: accepting connections)"

    def test_no_daemon_fails(self, relaying: Stage) -> None:
        processes(relaying.old)
        assert failure(relaying).seen == "none"

    def test_a_live_daemon_that_refuses_an_unknown_user_still_delivers_locally(self, relaying: Stage) -> None:
        relaying.world.mail.answer = answering((550, "5.1.1 User unknown"))
        failed = failure(relaying)
        assert failed.message == "the daemon that listens on the old host does not relay yet"
        assert failed.seen == "550 5.1.1 User unknown"
        assert relaying.world.clock.slept == []

    def test_a_limit_of_the_live_daemon_passes(self, relaying: Stage) -> None:
        lost = SmtpError("no connection", seen="reset")
        relaying.world.mail.answer = answering((421, "Too many"), lost, (450, "Later"), (250, "2.1.5 Ok"))
        relaying.verify()
        assert len(relaying.world.clock.slept) == 3

    def test_a_live_daemon_that_never_answers_fails_with_what_was_seen(self, relaying: Stage) -> None:
        relaying.world.mail.answer = answering(SmtpError("no SMTP there", seen="connection refused"))
        relaying.old.hidden = True
        assert failure(relaying).seen == "0 connection refused"

    def test_a_closed_port_is_not_asked(self) -> None:
        stage = Stage(Relay(), "firewall")
        stage.perform()
        stage.old.port = "closed"
        stage.world.mail.answer = answering((550, "5.1.1 User unknown"))
        stage.verify()


def test_both_changes_put_the_files_back_where_they_fail(stage: Stage) -> None:
    for change in stage.perform():
        assert re.search(r'cp -a "\$work/derived/', upload(change).otherwise or "")


def test_a_daemon_that_refuses_this_machine_for_now_is_asked_from_the_other_host(stage: Stage) -> None:
    stage.perform()
    stage.world.mail.answer = answering((450, "4.7.1 Cannot resolve PTR record"))
    stage.verify()
