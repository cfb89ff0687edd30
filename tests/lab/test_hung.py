"""A connection of which the server knows nothing: its client waits for a greeting, and holds the message."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

from migrator.sendmail import processes
from migrator.sendmail.processes import Process
from migrator.steps.common import hung
from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

SECONDS = 20.0

Found = TypeVar("Found")

# Of one connection to port 25 that host, nothing comes but what opens it, as where a listen queue ran over.
DEAF = """set -e
iptables -t mangle -A OUTPUT -p tcp -d {new} --dport 25 --syn -m limit --limit 1/hour --limit-burst 1 \
    -j CONNMARK --set-mark 7
iptables -A INPUT -p tcp -s {new} --sport 25 -m connmark --mark 7 ! --tcp-flags SYN SYN -j DROP
"""
SENT = "printf 'Subject: hung\\n\\nhung-once\\n' | sendmail -Am -odb -oi -f root@mail.example.test 'user01@[{new}]'"


def test_a_real_delivery_that_no_server_answers_ends_and_its_message_is_delivered_once(lab: Lab) -> None:
    new = lab.place.new
    lab.shell("old", DEAF.format(new=new))
    lab.shell("old", SENT.format(new=new))

    stuck = _eventually(lambda: [one for one in _processes(lab) if one.unanswered])
    waiting = stuck[0].unanswered
    assert "client greeting" in stuck[0].title
    assert lab.exec("old", "sh", "-c", f"ls /var/spool/mqueue/*f{waiting}")[0] == 0
    # A run of the queue leaves what another process holds.
    lab.shell("old", f"sendmail -qf -qI{waiting}")
    assert [one for one in _processes(lab) if one.unanswered] == stuck

    lab.shell("old", hung.end_script(stuck))
    assert [one for one in _processes(lab) if one.unanswered] == []
    assert lab.exec("old", "sh", "-c", f"ls /var/spool/mqueue/qf{waiting}")[0] == 0
    # By another name than that of the new host, which has the same: else Sendmail takes it for a loop.
    lab.shell("old", f"sendmail -Mjold.example.test -qf -OMinQueueAge=0 -qI{waiting}")

    _eventually(lambda: lab.shell("new", "cat /var/spool/mail/user01").count("hung-once"))
    assert lab.shell("new", "cat /var/spool/mail/user01").count("hung-once") == 1
    assert lab.exec("old", "sh", "-c", f"ls /var/spool/mqueue/qf{waiting}")[0] != 0


def _processes(lab: Lab) -> list[Process]:
    return list(processes.parse(lab.shell("old", processes.READER)))


def _eventually(look: Callable[[], Found]) -> Found:
    deadline = time.monotonic() + SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found
