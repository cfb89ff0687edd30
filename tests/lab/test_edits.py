"""What was put into a real Sendmail's files by hand outlives a migration, or is told before it is lost."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest

from migrator.sendmail.effective import Table
from tests.lab.driver import succeed
from tests.lab.lab import PROJECT, Lab

# One process of several takes all of these, for they share a lab.
pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("edits")]

SMARTHOST = r"""set -e
make -C /etc/mail >/dev/null 2>&1
sed -i 's/^DS.*/DSsmarthost.example.test/' /etc/mail/sendmail.cf
sendmail -bv someone@elsewhere.test | grep -q 'mailer relay, host smarthost.example.test'
"""
# The next make takes sendmail.cf for stale, and an entry stands in the map alone.
YOUNGER = r"""set -e
cd /etc/mail
sleep 1
touch sendmail.mc
{ cat access; echo 'Connect:192.0.2.9 RELAY'; } | makemap hash access 2>/dev/null
"""
FILES = r"""cd /etc/mail
sha256sum sendmail.cf sendmail.mc submit.cf access databases Makefile
makemap -u hash access | sort
"""
NORMAL = "touch /etc/mail/sendmail.mc; make -C /etc/mail sendmail.cf access >/dev/null 2>&1"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Yield a lab for all of these."""
    with Lab(seed=1) as running:
        yield running


def tool(lab: Lab, role: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the toolbox on a host to its end."""
    keys = ("--identity-file", f"{lab.folder}/operator", "--known-hosts", f"{lab.folder}/known_hosts")
    where = ("--host", f"root@{lab.place.address(role)}", *keys, "--state-dir", f"{lab.folder}/tools")
    argv = [sys.executable, "-m", "migrator", "sendmail", *words, *where]
    return subprocess.run(
        argv, cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )


def test_a_smart_host_typed_into_sendmail_cf_is_told_and_never_dropped_unasked(lab: Lab) -> None:
    lab.shell("old", SMARTHOST)
    lab.shell("new", SMARTHOST + YOUNGER)
    before = {role: lab.shell(role, FILES) for role in ("old", "new")}

    checked = lab.migrate("check")
    assert checked.returncode == 3, checked.stdout
    for word in ("edited-cf", "-DSsmarthost.example.test", "+DS", "edited-maps", "-connect:192.0.2.9"):
        assert word in checked.stdout, word
    refused = lab.migrate("run", "--until", "exempt-old")
    assert refused.returncode == 3, refused.stderr
    assert "-DSsmarthost.example.test" in refused.stderr
    assert "--force edited-cf" in refused.stderr
    used = tool(lab, "old", "harden", "recipients=3", "--yes")
    assert used.returncode == 3, used.stderr
    assert "-DSsmarthost.example.test" in used.stderr
    assert {role: lab.shell(role, FILES) for role in ("old", "new")} == before

    words = ("--force", "edited-cf", "--force", "edited-maps")
    succeed(lab, "run", "--until", "exempt-old", *words)
    assert "mailer relay" not in lab.shell("new", "sendmail -bv someone@elsewhere.test; :")
    assert "192.0.2.9" not in lab.shell("new", FILES)
    succeed(lab, "rollback", "--yes")
    assert {role: lab.shell(role, FILES) for role in ("old", "new")} == before
    assert "smarthost.example.test" in lab.shell("new", "sendmail -bv someone@elsewhere.test")
    for role in ("old", "new"):
        lab.shell(role, NORMAL)
    assert lab.migrate("check").returncode == 0


WHO = "{net} RELAY", ""
MAY = """
import smtplib, sys
with smtplib.SMTP(sys.argv[1], 25, local_hostname="mail.example.test", timeout=60) as client:
    client.ehlo()
    client.mail("user01@example.test")
    print(client.rcpt("somebody@outside.test")[0])
"""


def may_relay(lab: Lab) -> str:
    """Return what the new host's daemon says to the old one, which sends to elsewhere through it."""
    return lab.shell("old", f"python3 -c {shlex.quote(MAY)} {lab.place.new}").strip()


def allow(lab: Lab, line: str) -> None:
    """Let the new host's access map say this, besides what it says of the lab's senders."""
    line = line.format(net=lab.place.old.rpartition(".")[0], old=lab.place.old)
    lab.shell(
        "new",
        "cd /etc/mail; cp -a -n access /root/access; cp -a /root/access access; "
        f"printf '%s\\n' {shlex.quote(line)} >>access; sleep 1; touch access; make >/dev/null 2>&1",
    )


def test_the_old_host_relays_through_the_new_one_if_and_only_if_it_could_before(lab: Lab) -> None:
    for line in WHO:
        allow(lab, line)
        before = may_relay(lab)
        assert before == ("250" if line else "550"), line
        succeed(lab, "run", "--until", "exempt-old")
        assert may_relay(lab) == before, line
        succeed(lab, "rollback")
        assert may_relay(lab) == before, line
    allow(lab, "Connect:{net} REJECT")
    refused = lab.migrate("check")
    assert refused.returncode == 3, refused.stdout
    assert "let-in" in refused.stdout
    refused = lab.migrate("run", "--until", "exempt-old")
    assert (refused.returncode, "REJECT" in refused.stderr) == (3, True), refused.stderr


SHAPES = (
    "Connect:{net} RELAY\n{old} REJECT",
    "{net} RELAY\nConnect:{wide} REJECT",
    "Connect:{old} SKIP\n{net} RELAY",
    "{wide} OK",
    "To:{old} RELAY",
    "Connect:{net}.1 REJECT",
)


def test_a_real_sendmail_finds_the_line_that_we_find(lab: Lab) -> None:
    old = lab.place.old
    net = old.rpartition(".")[0]
    for shape in SHAPES:
        text = shape.format(old=old, net=net, wide=net.rpartition(".")[0]) + "\n"
        allow(lab, text.rstrip("\n"))
        found = Table(text).by_address(old, "Connect", untagged=True)
        question = shlex.quote(f"A <{old}> <?> <+ Connect> <x>")
        said = lab.shell("new", f"echo {question} | sendmail -bt | grep returns | tail -n 1")
        assert f"< {found.value if found else '?'} >" in said, shape


def test_mail_that_would_be_returned_while_it_is_held_is_told(lab: Lab) -> None:
    allow(lab, "")
    lab.shell(
        "new",
        "cp -a /root/access /etc/mail/access; touch /etc/mail/access; make -C /etc/mail >/dev/null 2>&1",
    )
    # A message that waits has been there for 4 d 23 h 58 min; nobody takes it to a mailbox meanwhile.
    lab.shell(
        "old",
        "echo hello | sendmail -Am -odd -f someone@outside.test user01@example.test; cd /var/spool/mqueue; "
        'for file in qf*; do sed -i "s/^T.*/T$(( $(date +%s) - 5 * 86400 + 120 ))/" "$file"; done; ls qf*',
    )
    told = lab.migrate("check")
    assert told.returncode == 3, told.stdout
    assert "go back to their senders soon" in told.stdout
    lab.shell("old", "rm -f /var/spool/mqueue/[qd]f*")
    assert lab.migrate("check").returncode == 0
