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
from tests.lab.sender import hand_over
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


SLOW = 20
FILE = "/var/www/web1/user/user09/mbox"
SLOWLY = f"""
printf ':0 fw\\n| sh -c "sleep {SLOW}; cat"\\n' >/root/rc
install -o user01 -g user01 -m 644 /root/rc /var/www/web1/user/user01/.procmailrc
printf '#!/bin/sh\\nsleep {SLOW}\\nexec procmail\\n' >/usr/local/bin/slow-forward
printf '#!/bin/sh\\ncat >/tmp/slow.$$\\n(sleep {SLOW}; cat /tmp/slow.$$ >>{FILE}) &\\n' >/usr/local/bin/slow-alias
chmod 755 /usr/local/bin/slow-*
printf '"|/usr/local/bin/slow-forward"\\n' >/root/forward
install -o user02 -g user02 -m 644 /root/forward /var/www/web1/user/user02/.forward
install -o user09 -g user09 -m 666 /dev/null {FILE}
echo 'slow: "|/usr/local/bin/slow-alias"' >>/etc/aliases && newaliases >/dev/null
"""
"""A procmail whose filter takes long, a program of a .forward, and one of an alias that leaves a child behind, whom no
Sendmail waits for."""
FAST = """
echo 'slow: /dev/null' >>/etc/aliases && newaliases >/dev/null
printf '#!/bin/sh\\nexec procmail\\n' >/usr/local/bin/slow-forward && chmod 755 /usr/local/bin/slow-forward
"""


@pytest.mark.fault(
    "procmail, a program of a .forward and one of an alias that take 20 s, begun before the switch"
)
def test_slow_local_deliveries(lab: Lab, outcome: Outcome) -> None:
    slow_deliveries(lab, outcome, "close-new")


@pytest.mark.fault("the same slow deliveries, begun before the old host closes, under firewall")
def test_slow_local_deliveries_under_firewall(firewall_lab: Lab, outcome: Outcome) -> None:
    slow_deliveries(firewall_lab, outcome, "close-old")


def slow_deliveries(lab: Lab, outcome: Outcome, before: str) -> None:
    """Migrate while three deliveries that began before a step have not written anything yet."""
    with calm(lab) as stage:
        lab.shell("old", SLOWLY)
        lab.shell("new", FAST)
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        with running(lab) as run:
            run.wait_for(start_of(before))
            for user in ("user01", "user02"):
                message = Message(f"slow-{user}", f"{user}@example.test")
                hand_over(message, lab.place.old)
                message.accepted_at, message.accepted_by = time.time(), lab.place.old
                stage.traffic.messages.append(message)
            hand_over(Message("slow-alias", "slow@example.test"), lab.place.old)
            began = time.monotonic()
            run.wait_for(start_of("final-copy"))
            waited = time.monotonic() - began
            assert waited > SLOW - 3, waited
            assert run.end() == 0, run.seen[-1]
        assert lab.exec("new", "grep", "-c", "^Message-ID: <slow-alias@", FILE) == (0, "1\n")
        outcome.hit(
            f"drain waited {waited:.0f} s for them, and what they wrote stands in the final copy", times=3
        )
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
