"""A queue that has grown for years."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.mail_host import calm, expect_words, refused
from tests.faults.outcome import Outcome
from tests.lab.driver import succeed
from tests.lab.lab import Lab
from tests.lab.scene import scene
from tests.lab.world import expect_moved

RATE = 8.0
COUNT = 100_000
DEAD = "203.0.113.9"
FILL = Path(__file__).with_name("inside") / "fill_queue.py"
OURS = ("user01@example.test", "user12@example.test", "user04@example2.test", "team@example.test")
DEAD_FILES = "find /var/spool/mqueue -name '[qd]f6AND*'"


@pytest.mark.fault("100,000 messages in the old host's queue, all but a few for destinations that are dead")
def test_a_large_queue(lab: Lab, outcome: Outcome) -> None:
    lab.python("old", FILL, str(COUNT), DEAD)
    with scene(lab, rate=RATE) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        for number, recipient in enumerate(OURS):
            stage.queue_on_old(number, recipient)
        began = time.monotonic()
        succeed(lab, "run", "--yes", "--wait")
        seconds = time.monotonic() - began
        left = lab.shell("old", f"{DEAD_FILES} | wc -l")
        assert int(left) == 2 * COUNT, "mail for others is the old host's"
        # Nothing of it will ever leave, and the account waits for queues to run dry.
        lab.shell("old", f"{DEAD_FILES} -delete")
        outcome.hit(f"the cutover took {seconds:.0f} s; what was queued for the domains was delivered")
        outcome.settle(stage)
    expect_moved(lab)


NAMED: tuple[tuple[str, str, str], ...] = (
    ("user01", "user01:2001:2001:boss", "RFDA:\\user01"),
    ("user02", "user02:2002:2002:user02", 'RPFD:"|exec /usr/bin/procmail"'),
    ("user04", "", "RPFD:user04@localhost"),
    ("user05", "", 'RPFD:"User Five" <user05@mail.example.test>'),
    ("user12", "user12:2012:2012:team", "RFDA:\\user12"),
    ("user07", "user07:2007:2007:list", 'RFDA:"User Seven" <user07@example.test>'),
    ("user08", "", "RPFD:user08@example.test (User Eight)"),
)
"""Whose mail it is, its controlling user, and the recipient as an alias, a .forward or a list has left it."""
MBOX = "/var/www/web1/user/user09/mbox"
TURNED = """
file=$(grep -ls '<queued-{number}@' /var/spool/mqueue/qf*)
[ -n "$file" ] || exit 1
sed -i -e '/^[RrCQA]/d' -e '0,/^H/{{/^H/i\\
{lines}
}}' "$file"
"""


@pytest.mark.fault(
    "recipients that an alias, a list or a .forward has turned already, in the old host's queue"
)
def test_recipients_that_are_turned_already(lab: Lab, outcome: Outcome) -> None:
    with calm(lab) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        for number, (user, controlling, recipient) in enumerate(NAMED):
            stage.queue_on_old(number, f"{user}@example.test")
            turned(lab, number, controlling, recipient)
        # The account knows mailboxes of the spool and Maildirs alone.
        stage.queue_on_old(len(NAMED), "user09@example.test")
        stage.traffic.messages.pop()
        turned(lab, len(NAMED), "user09:2009:2009:user09", f"RPFD:{MBOX}")
        succeed(lab, "run", "--yes", "--wait")
        assert lab.exec("new", "grep", "-c", f"queued-{len(NAMED)}@", MBOX) == (0, "1\n")
        outcome.hit(
            "those for mailboxes of the old host are delivered before the copy, the others by the flush"
        )
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault("a quarantined message in the old host's queue that an alias has turned toward a mailbox")
def test_a_quarantined_message(lab: Lab, outcome: Outcome) -> None:
    with calm(lab) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        stage.queue_on_old(0, "user01@example.test")
        turned(lab, 0, "user01:2001:2001:boss", "RFDA:\\user01")
        lab.shell("old", "sendmail -Q'held for the postmaster' -qS@outside.test")
        expect_words(refused(lab, 3), "1 messages are quarantined or lost", "\\user01", "--force held-mail")
        outcome.hit("exit 3 before mail waits, and the message is named; released, it moves with the others")
        lab.shell("old", "sendmail -Q -qQ; sendmail -OMinQueueAge=0 -qf")
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)


ONLY_OLD = "cd /etc/mail && echo 'onlyold: user01' >>/etc/aliases && newaliases >/dev/null"
SMALL = """cd /etc/mail
sed -i '/^MAILER_DEFINITIONS/i define(`confMAX_MESSAGE_SIZE'"'"', `1000000'"'"')dnl' sendmail.mc
make -s >/dev/null 2>&1 && service sendmail reload >/dev/null 2>&1
"""
LARGE = """
file=$(grep -ls '<queued-{number}@' /var/spool/mqueue/qf*) && body=/var/spool/mqueue/df${{file##*/qf}}
awk 'NR == 2 {{ for (line = 0; line < 70000; line++) print "0123456789012345678901234567" }} {{ print }}' \\
    "$body" >/tmp/large
cat /tmp/large >"$body"
"""
# As the old host's own runs, which no step begins: one of them falls between any two steps. What is remembered of the
# closed port (HostStatusDirectory, which not every host has) would keep them back until the flush forgets it.
RUNS = """mkdir -p /run/status; touch /run/runs
(while [ -e /run/runs ]; do
    rm -rf /run/status/*; sendmail -OMinQueueAge=0 -OHostStatusDirectory=/run/status -qf; sleep 0.1
done) >/dev/null 2>&1 </dev/null &
"""
MENDED = """cd /etc/mail && echo 'onlyold: user01' >>/etc/aliases && newaliases >/dev/null
sed -i '/confMAX_MESSAGE_SIZE/d' sendmail.mc
make -s >/dev/null 2>&1 && service sendmail reload >/dev/null 2>&1
"""


@pytest.mark.fault("an alias that only the old host has and a message that is too large, in its queue")
def test_what_the_new_host_would_refuse(lab: Lab, outcome: Outcome) -> None:
    kept_until_mended(lab, outcome)


@pytest.mark.fault("the same alias and the same large message, under firewall")
def test_what_the_new_host_would_refuse_under_firewall(firewall_lab: Lab, outcome: Outcome) -> None:
    kept_until_mended(firewall_lab, outcome)


def kept_until_mended(lab: Lab, outcome: Outcome) -> None:
    """Migrate with two messages in the queue that the new host refuses, and mend it then."""
    with calm(lab) as stage:
        lab.shell("old", ONLY_OLD)
        lab.shell("new", SMALL)
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        if lab.strategy == "firewall":
            # What is queued before the drain is delivered by it: there the old host is no relay yet.
            succeed(lab, "run", "--yes", "--wait", "--until", "relay")
        for number, user in enumerate(("user01", "user02", "user05")):
            stage.queue_on_old(number, f"{user}@example.test")
        turned(lab, 0, "", "RPFD:onlyold@example.test")
        lab.shell("old", LARGE.format(number=1))
        if lab.strategy == "hold":
            succeed(lab, "run", "--yes", "--wait", "--until", "final-copy")
        lab.shell("old", RUNS)
        told = " ".join(succeed(lab, "run", "--yes", "--wait").split())
        lab.shell("old", "rm /run/runs")
        expect_words(told, "keep 2 messages back", "onlyold@example.test (", "user02@example.test (20")
        numbers = lab.shell("old", "cd /var/spool/mqueue && ls hf*").split()
        assert len(numbers) == 2
        outcome.hit(
            "both are quarantined before the new host opens, and told; mended there and released, they arrive once"
        )
        lab.shell("new", MENDED)
        released = " ".join(f"-qI{number.removeprefix('hf')}" for number in numbers)
        lab.shell("old", f"sendmail -Q -qQ {released}; sendmail -OMinQueueAge=0 -qf")
        outcome.settle(stage)
    expect_moved(lab)


def turned(lab: Lab, number: int, controlling: str, recipient: str) -> None:
    """Give a message of the old host's queue one recipient, as it stands once an alias was looked up."""
    lines = "\\\n".join(
        filter(None, (f"C{controlling}" if controlling else "", recipient.replace("\\", "\\\\")))
    )
    lab.shell("old", TURNED.format(number=number, lines=lines))
    assert recipient in lab.shell("old", f"cat $(grep -ls '<queued-{number}@' /var/spool/mqueue/qf*)").split(
        "\n"
    )
