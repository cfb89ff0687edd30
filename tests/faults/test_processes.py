"""Processes of before the switch that do not say what they are, and what a killed reload leaves."""

from __future__ import annotations

import time

import pytest

from migrator.hosts.bridge import bridged
from tests.faults.mail_host import calm
from tests.faults.outcome import Outcome
from tests.lab.driver import running, start_of, succeed
from tests.lab.lab import Lab
from tests.lab.message import Message
from tests.lab.world import expect_moved

PIPE = "/root/standard-input"
READING = f"""
mkfifo {PIPE}
setsid sh -c 'sleep 600 >{PIPE} & echo $! >/root/holding
    exec sendmail -Am -oi -f sender@outside.test user01@example.test <{PIPE}' </dev/null >/dev/null 2>&1 &
echo $! >/root/reading
sendmail -q1h
/usr/sbin/sendmail -qp
sleep 1
tr '\\0' ' ' </proc/$(cat /root/reading)/cmdline
"""
"""A Sendmail that has read its rules and waits for its message, and two runners of the queue of their own: one of them
cannot follow a HUP, for it was started without its whole path."""
RUNNERS = """
for process in /proc/[0-9]*; do
    case $(tr '\\0' ' ' 2>/dev/null <$process/cmdline) in
        *mqueue-client*) ;;
        'sendmail: '*'Queue runner@'*|'sendmail: '*'Queue control'*) echo ${process#/proc/} ;;
    esac
done
"""


@pytest.mark.fault(
    "a Sendmail that reads its message, and runners of the queue of their own, from before the switch"
)
def test_processes_without_a_title(lab: Lab, outcome: Outcome) -> None:
    with calm(lab) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        assert "sendmail -Am" in lab.shell("old", READING)
        runners = set(lab.shell("old", RUNNERS).split())
        assert len(runners) == 2
        message = Message("untitled-1", "user01@example.test", accepted_by=lab.place.old)
        with running(lab) as run:
            run.wait_for(start_of("drain"))
            time.sleep(3)
            content = message.content().decode().replace("\r\n", "\n")
            lab.shell("old", f"cat >{PIPE} <<'END'\n{content}END\nkill $(cat /root/holding)")
            message.accepted_at = time.time()
            stage.traffic.messages.append(message)
            assert run.end() == 0
        renewed = set(lab.shell("old", RUNNERS).split())
        assert len(renewed) == 2
        assert not renewed & runners
        outcome.hit("the message was waited for and copied; the runners began anew with the switch")
        outcome.settle(stage)
    expect_moved(lab)


KILLED = """
cat >/root/reload <<'END_OF_RELOAD'
{script}END_OF_RELOAD
setsid sh /root/reload </dev/null >/dev/null 2>&1 &
tries=100
until iptables -t nat -S PREROUTING | grep -q REDIRECT; do
    tries=$((tries - 1)); [ $tries -gt 0 ] || exit 1
    sleep 0.1
done
for process in /proc/[0-9]*; do
    case $(tr '\\0' ' ' 2>/dev/null <$process/cmdline) in 'sh /root/reload '*) kill -9 ${{process#/proc/}} ;; esac
done
"""
LEFT = """
iptables -S INPUT | grep -- '--ctstate DNAT'
iptables -t nat -S PREROUTING | grep REDIRECT
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep '^sendmail: migrate-bridge: accepting'
:
"""


@pytest.mark.fault("a reload that was killed while a second daemon took connections, on either host")
def test_a_killed_reload(lab: Lab, outcome: Outcome) -> None:
    with calm(lab) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        for role in ("old", "new"):
            lab.shell(role, KILLED.format(script=bridged("sleep 300\n")))
            assert len(lab.shell(role, LEFT).splitlines()) == 3
        succeed(lab, "run", "--yes", "--wait")
        for role in ("old", "new"):
            assert lab.shell(role, LEFT) == ""
        outcome.hit(
            "the next script that touches port or daemon takes daemon and rules away", times=2, kills=2
        )
        outcome.settle(stage)
    expect_moved(lab)
