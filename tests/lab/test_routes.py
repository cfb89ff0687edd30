"""What a host that relays takes and refuses: as before the switch, whatever the new host would say."""

from __future__ import annotations

import pytest

from migrator.net.smtp import converse
from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

RULES = """cd /etc/mail
printf 'onlyold: user01\\nlist+news: user02\\n' >>/etc/aliases && newaliases
printf 'gone@example.test\\tnobody-at-all\\nno@example.test\\terror:nouser No such user\\n' >>virtusertable
printf '@example2.test\\tuser05\\n' >>virtusertable
make -s >/dev/null 2>&1 && service sendmail reload >/dev/null 2>&1
"""


REFUSING = """cd /etc/mail
printf 'From:bad@outside.test\\tREJECT\\nFrom:thrown@outside.test\\tDISCARD\\n' >>access
printf 'To:user07@example.test\\tREJECT\\n' >>access
sed -i "/^MAILER_DEFINITIONS/i FEATURE(\\`blocklist_recipients')dnl" sendmail.mc
make -s >/dev/null 2>&1
"""
PASSED = "cd /etc/mail && sed 's/^until:.*/until:\\t1000000000/' migrate-known | makemap hash migrate-known"


def answer(lab: Lab, recipient: str, host: str = "old") -> int:
    """Return the code that RCPT TO is answered with."""
    talk = converse(lab.place.address(host), helo="senders.outside.test", sender="", recipients=[recipient])
    reply = talk.reply("rcpt")
    return reply.code if reply else 0


def test_unknown_users_are_refused_by_the_relay_and_no_known_one_bounces(lab: Lab) -> None:
    lab.shell("old", RULES)
    lab.shell("new", REFUSING)
    run = lab.migrate("run", "--yes", "--wait", "--until", "relay")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "onlyold" in run.stdout + run.stderr
    taken = ["user01", "USER15+x", "info", "info+detail", "office", "Support+a", "daemon", "postmaster"]
    for user in taken:
        assert answer(lab, f"{user}@example.test") == 250, user
    for user in ("nosuch", "nosuch+x", "no", "gone", "first.last"):
        assert answer(lab, f"{user}@example.test") == 550, user
    assert answer(lab, "anybody@example2.test") == 250  # its catch-all
    assert answer(lab, "onlyold@example.test") == 450
    assert answer(lab, "migrate-no-such-user@example.test") == 450
    # Past the time that the plan gives, without a timer and without a reload.
    lab.shell("old", PASSED)
    assert answer(lab, "onlyold@example.test") == 550
    assert answer(lab, "info+detail@example.test") == 250
    lab.shell("old", "cd /etc/mail && makemap hash migrate-known <migrate-known")
    assert answer(lab, "onlyold@example.test") == 450
    for sender, user in (("bad", "user03"), ("thrown", "user04"), ("good", "user07"), ("good", "user02")):
        lab.shell(
            "old",
            f"printf '\\n{sender} to {user}\\n' | sendmail -Am -odq -oi -f {sender}@outside.test {user}@example.test",
        )
    opened = lab.migrate("run", "--yes", "--wait", "--until", "open-to-old")
    told = " ".join(opened.stdout.split())
    assert opened.returncode == 0, opened.stdout + opened.stderr
    assert "keep 3 messages back" in told, opened.stdout
    for words in (
        "user03@example.test (550 Access denied)",
        "user04@example.test (it would take",
        "user07@example.test (",
    ):
        assert words in told
    lab.shell("new", "echo 'onlyold: user01' >>/etc/aliases && newaliases >/dev/null")
    flushed = lab.migrate("run", "--yes", "--wait", "--until", "flush")
    assert flushed.returncode == 0, flushed.stdout + flushed.stderr
    assert "take onlyold" in flushed.stdout + flushed.stderr
    assert answer(lab, "onlyold@example.test") == 250
    # By its own runs of the queue and by the flush the old host has handed on the fourth alone, and returned none.
    assert len(lab.shell("old", "cd /var/spool/mqueue && ls hf*").split()) == 3
    assert "DSN" not in lab.shell("old", "cat /var/log/mail.log")
    back = lab.migrate("rollback", "--yes")
    assert back.returncode == 0, back.stdout + back.stderr
    assert answer(lab, "onlyold@example.test") == 250
    assert answer(lab, "nosuch@example.test") == 550
    left = lab.shell(
        "old", "ls /etc/mail; grep -c migrateknown /etc/mail/sendmail.cf /etc/mail/sendmail.mc || :"
    )
    assert "migrate-known" not in left
    assert "sendmail.cf:0" in left


def test_a_class_that_no_file_fills_is_refused_before_anything(lab: Lab) -> None:
    lab.shell(
        "old",
        "cd /etc/mail && sed -i '/^MAILER_DEFINITIONS/i VIRTUSER_DOMAIN(`example.test'\"'\"')dnl' sendmail.mc"
        " && make -s >/dev/null 2>&1",
    )
    check = lab.migrate("check")
    assert check.returncode == 3, check.stdout + check.stderr
    assert "C{VirtHost} lines name example.test" in check.stdout + check.stderr
