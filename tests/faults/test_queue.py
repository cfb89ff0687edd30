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


def turned(lab: Lab, number: int, controlling: str, recipient: str) -> None:
    """Give a message of the old host's queue one recipient, as it stands once an alias was looked up."""
    lines = "\\\n".join(
        filter(None, (f"C{controlling}" if controlling else "", recipient.replace("\\", "\\\\")))
    )
    lab.shell("old", TURNED.format(number=number, lines=lines))
    assert recipient in lab.shell("old", f"cat $(grep -ls '<queued-{number}@' /var/spool/mqueue/qf*)").split(
        "\n"
    )
