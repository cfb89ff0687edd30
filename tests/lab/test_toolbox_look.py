"""The tools that look at a real Sendmail host, and those that move its queue, forward a user's mail and keep copies."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.lab import PROJECT, Lab

# One process of several takes all of these, for they share a lab.
pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("toolbox-look")]

HOME = "/var/www/web1/user"


@pytest.fixture(scope="module")
def host() -> Iterator[Lab]:
    """Yield a lab of which only the old host is used."""
    with Lab(seed=1) as lab:
        yield lab


def tool(
    lab: Lab, *words: str, options: tuple[str, ...] = (), user: str = "root"
) -> subprocess.CompletedProcess[str]:
    """Run a command of the toolbox on the old host to its end."""
    keys = ("--identity-file", f"{lab.folder}/operator", "--known-hosts", f"{lab.folder}/known_hosts")
    where = ("--host", f"{user}@{lab.place.old}", *keys, "--state-dir", f"{lab.folder}/tools")
    return subprocess.run(
        [sys.executable, "-m", "migrator", *words, *where, *options],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


def told(done: subprocess.CompletedProcess[str], code: int = 0) -> str:
    """Return what a command wrote. Raise AssertionError where it did not end with the code."""
    assert done.returncode == code, f"{done.args} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def data(lab: Lab, *words: str, code: int = 0) -> list[dict[str, Any]]:
    """Run a command with --json and return the data of its events."""
    done = tool(lab, *words, "--json")
    told(done, code)
    return [json.loads(line)["data"] for line in done.stdout.splitlines()]


def queued(lab: Lab) -> list[str]:
    """Return the control files of both queues, as the host itself names them."""
    return lab.shell("old", "ls /var/spool/mqueue /var/spool/mqueue-client | grep '^qf' || :").split()


def send(lab: Lab, recipient: str, *options: str, count: int = 1, user: str = "root") -> None:
    """Hand a host messages as a mail program does."""
    words = " ".join(("sendmail", *options, recipient))
    letter = "printf 'Subject: waiting\\n\\nhello\\n'"
    lab.shell("old", f"for each in $(seq {count}); do {letter} | su {user} -s /bin/sh -c '{words}'; done")


def in_mailbox(lab: Lab, user: str) -> int:
    """Return how many messages of `send` stand in a user's mailbox."""
    return int(lab.shell("old", f"grep -c '^Subject: waiting' /var/mail/{user} || :").split()[0])


def eventually(lab: Lab, user: str, count: int) -> None:
    """Wait until a mailbox holds this many messages of `send`."""
    deadline = time.monotonic() + 30
    while in_mailbox(lab, user) != count:
        assert time.monotonic() < deadline, f"{user} has {in_mailbox(lab, user)} messages"
        time.sleep(0.2)


def test_the_queue_is_counted_shown_and_flushed(host: Lab) -> None:
    here = in_mailbox(host, "user01")
    send(host, "user01@example.test", "-Am", "-odq", count=3)
    send(host, "dead@mx.outside.test", "-Am", "-odq", count=2)
    before = queued(host)
    assert len(before) == 5

    (top,) = data(host, "queue", "top")
    assert [(one["name"], one["messages"]) for one in top["top"]] == [
        ("user01@example.test", 3),
        ("dead@mx.outside.test", 2),
    ]
    assert (top["mta"], top["client"]) == (5, 0)
    (reasons,) = data(host, "queue", "top", "--by", "reason")
    assert [(one["name"], one["messages"]) for one in reasons["top"]] == [("(not tried yet)", 5)]
    (listed,) = data(host, "queue", "list", "--domain", "mx.outside.test")
    assert {f"qf{one['id']}" for one in listed["messages"]} < set(before)
    assert len(listed["messages"]) == 2
    shown = told(tool(host, "queue", "show", listed["messages"][0]["id"], "--body"))
    assert "to dead@mx.outside.test" in shown
    assert "Subject: waiting" in shown
    assert "hello" in shown

    assert "-qI… of 2 messages" in told(
        tool(host, "queue", "flush", "--domain", "mx.outside.test", options=("--dry-run",))
    )
    assert queued(host) == before

    flushed = told(tool(host, "queue", "flush", "--all", "--yes"), code=75)
    assert "left" in flushed
    assert "3 sent" in flushed
    assert "stayed" in flushed
    assert in_mailbox(host, "user01") == here + 3
    assert len(queued(host)) == 2
    assert "already so" in told(tool(host, "queue", "flush", "--domain", "example.test", "--yes"))
    host.shell("old", "rm -f /var/spool/mqueue/[dqx]f*")
    assert "already so" in told(tool(host, "queue", "flush", "--all", "--yes"))


def test_queue_groups_and_quarantined_mail_are_seen_and_moved_by_an_operator_who_needs_sudo(
    host: Lab,
) -> None:
    here = in_mailbox(host, "user08")
    send(host, "user08@example.test", "-Am", "-odq", count=3)
    host.shell(
        "old",
        "cp -p /etc/mail/sendmail.cf /root/kept.cf; "
        "echo 'Qslow, P=/var/spool/mqueue/slow/q*, F=f' >>/etc/mail/sendmail.cf; "
        "install -d -o smmta -g smmsp -m 2750 /var/spool/mqueue/slow /var/spool/mqueue/slow/q1; cd /var/spool/mqueue; "
        "for each in $(ls qf* | head -2); do mv $each d${each#q} /var/spool/mqueue/slow/q1; done; "
        "cd /var/spool/mqueue/slow/q1; held=$(ls qf* | head -1); sed -i 's/^F/qheld by the test\\nF/' $held; "
        "mv $held h${held#q}",
    )
    as_admin = ("--sudo", "--yes")
    top = told(tool(host, "queue", "top", options=("--sudo", "--json"), user="admin"))
    found = json.loads(top)["data"]
    assert [(one["name"], one["messages"]) for one in found["top"]] == [("user08@example.test", 3)]
    listed = told(tool(host, "queue", "list", options=as_admin, user="admin"))
    assert "quarantined" in listed
    assert "held by the test" in listed
    flushed = told(
        tool(host, "queue", "flush", "--recipient", "user08@example.test", options=as_admin, user="admin"),
        code=75,
    )
    assert "held by the test" in flushed
    assert in_mailbox(host, "user08") == here + 2
    host.shell(
        "old", "rm -rf /var/spool/mqueue/slow; cp -p /root/kept.cf /etc/mail/sendmail.cf; rm /root/kept.cf"
    )


def test_a_growing_client_queue_is_explained_and_handed_over(host: Lab) -> None:
    here = in_mailbox(host, "user02")
    host.shell(
        "old", "service sendmail stop; pkill -x sendmail-mta || :; sleep 1; rm -f /var/spool/mqueue/[dqx]f*"
    )
    send(host, "user02@example.test", count=2, user="user05")
    (top,) = data(host, "queue", "top", "--by", "sender")
    assert top["client"] == 2
    assert "no daemon listens on port 25 of 127.0.0.1" in top["explanation"]
    host.shell("old", "service sendmail start; sleep 1")
    (top,) = data(host, "queue", "top")
    if top["client"]:
        assert "though a daemon listens" in top["explanation"]
        told(tool(host, "queue", "flush", "--all", "--yes"))
    assert queued(host) == []
    eventually(host, "user02", here + 2)


def test_mail_is_forwarded_as_sendmail_follows_it_and_the_way_back_restores_every_byte(host: Lab) -> None:
    path = f"{HOME}/user01/.forward"
    host.shell("old", f"printf '# mine\\n\\\\user01' >{path}; chown user01:user01 {path}; chmod 664 {path}")
    original = host.shell("old", f"stat -c '%a %U %G' {path}; od -c {path}")
    wish = ("sendmail", "forward", "user01", "--to", "user03", "--to", "friend@outside.test", "--keep")

    rehearsed = told(tool(host, *wish, options=("--dry-run",)))
    assert "+friend@outside.test" in rehearsed
    assert host.shell("old", f"stat -c '%a %U %G' {path}; od -c {path}") == original

    done = told(tool(host, *wish, "--yes"))
    assert "friend@outside.test: esmtp outside.test" in done
    assert host.shell("old", f"stat -c '%a %U %G' {path}; cat {path}") == (
        "644 user01 user01\n\\user01\nuser03\nfriend@outside.test\n"
    )
    counts = [in_mailbox(host, user) for user in ("user01", "user03")]
    send(host, "user01@example.test")
    for user, count in zip(("user01", "user03"), counts, strict=True):
        eventually(host, user, count + 1)
    assert "already so" in told(tool(host, *wish, "--yes"))

    assert "user03 -> user01 -> user03" in told(
        tool(host, "sendmail", "forward", "user03", "--to", "user01@example.test", "--yes"), code=3
    )
    told(tool(host, "sendmail", "undo", "--yes"))
    assert host.shell("old", f"stat -c '%a %U %G' {path}; od -c {path}") == original
    host.shell("old", f"rm {path}; rm -f /var/spool/mqueue/[dqx]f*")


def test_a_forward_that_sendmail_would_ignore_is_refused(host: Lab) -> None:
    wish = ("sendmail", "forward", "user04", "--to", "friend@outside.test", "--yes")
    host.shell("old", f"chmod o+w {HOME}/user04")
    refused = told(tool(host, *wish), code=3)
    assert "everybody may write to" in refused
    assert host.exec("old", "test", "-e", f"{HOME}/user04/.forward")[0] == 1
    host.shell("old", f"chmod o-w {HOME}/user04")
    told(tool(host, *wish))
    told(tool(host, "sendmail", "undo", "--yes"))
    assert host.exec("old", "test", "-e", f"{HOME}/user04/.forward")[0] == 1
    assert "no account" in told(tool(host, "sendmail", "forward", "nobody99", "--to", "a@b.example"), code=3)
    assert "is an alias" in told(tool(host, "sendmail", "forward", "office", "--to", "a@b.example"), code=3)


def test_a_backup_is_put_back_with_every_byte_and_undone_with_every_byte(host: Lab) -> None:
    host.shell("old", 'echo \'AuthInfo:relay.example "U:me" "P:hush-hush"\' >>/etc/mail/access')
    kept = told(tool(host, "sendmail", "backup", "--yes", "--fetch", f"{host.folder}/fetched.tar"))
    assert "/etc/mail/access" in kept
    assert "already so" in told(tool(host, "sendmail", "backup", "--yes"))
    listed = host.shell("old", "ls /var/backups/migrate; stat -c %a /var/backups/migrate/*.tar").split()
    assert [mode for mode in listed if mode == "600"]
    assert (host.folder / "fetched.tar").read_bytes()[:10] == b"SHA256SUMS"
    assert (host.folder / "fetched.tar").stat().st_mode & 0o077 == 0

    files = (
        "/etc/mail/sendmail.mc /etc/mail/sendmail.cf /etc/mail/access /etc/aliases /etc/mail/virtusertable"
    )
    good = host.shell("old", f"sha256sum {files}")
    host.shell(
        "old",
        "sed -i 's/^define(`confQUEUE_LA.*/define(`confQUEUE_LA'\"'\"', `7'\"'\"')dnl/' /etc/mail/sendmail.mc; "
        "rm /etc/mail/virtusertable; echo 'To:restore@example.test REJECT' >>/etc/mail/access; "
        "printf 'broken: user09\\n' >>/etc/aliases; make -s -C /etc/mail >/dev/null 2>&1; newaliases; "
        "service sendmail reload >/dev/null 2>&1; sleep 2",
    )
    spoilt = host.shell("old", f"sha256sum {files} 2>&1 || :")
    assert spoilt != good
    differ = told(tool(host, "sendmail", "restore", "--dry-run"))
    assert "-To:restore@example.test REJECT" in differ
    assert "deliverable: mailer local" in host.shell("old", "sendmail -bv broken")

    told(tool(host, "sendmail", "restore", "--yes"))
    assert host.shell("old", f"sha256sum {files}") == good
    assert "User unknown" in host.exec("old", "sendmail", "-bv", "broken")[1]
    assert "user03" in host.shell("old", "sendmail -bv info@example.test")
    assert "restore" not in host.shell("old", "makemap -u hash /etc/mail/access")
    assert "already so" in told(tool(host, "sendmail", "restore", "--yes"))

    told(tool(host, "sendmail", "undo", "--yes"))
    assert host.shell("old", f"sha256sum {files} 2>&1 || :") == spoilt
    assert "deliverable: mailer local" in host.shell("old", "sendmail -bv broken")
    assert "restore" in host.shell("old", "makemap -u hash /etc/mail/access")
    told(tool(host, "sendmail", "restore", "--yes", "--file", f"{host.folder}/fetched.tar"))
    assert host.shell("old", f"sha256sum {files}") == good
    journals = b"".join(path.read_bytes() for path in (host.folder / "tools").rglob("*") if path.is_file())
    assert journals
    for shift in range(3):  # a word may stand in base64 in three ways
        assert base64.b64encode(b"x" * shift + b'"P:hush-hush"')[4:-4] not in journals


def test_an_archive_that_was_tampered_with_is_refused(host: Lab) -> None:
    told(tool(host, "sendmail", "backup", "--yes"))
    newest = host.shell("old", "base64 $(ls -t /var/backups/migrate/*.tar | head -n 1)")
    archive = base64.b64decode(newest)
    spoilt = archive.replace(b"Connect:", b"Connecd:")
    assert spoilt != archive
    (host.folder / "spoilt.tar").write_bytes(spoilt)
    refused = told(tool(host, "sendmail", "restore", "--yes", "--file", f"{host.folder}/spoilt.tar"), code=3)
    assert "not what its digest says" in refused


def test_a_diagnosis_tells_what_is_wrong_first_and_delivers_a_message(host: Lab) -> None:
    host.shell("old", "service sendmail reload >/dev/null 2>&1; sleep 2; rm -f /var/spool/mqueue/[dqx]f*")
    (sound,) = data(host, "sendmail", "diagnose")
    assert [one for one in sound["findings"] if one["level"] == "fail"] == []
    assert sound["facts"]["Sendmail"].startswith("8.17")
    assert "STARTTLS" in sound["facts"]["compiled with"]
    assert "example.test" in sound["facts"]["takes mail for"]

    kept = "/etc/aliases /etc/mail/local-host-names /etc/mail/access"
    host.shell("old", f"tar -cpf /root/kept.tar {kept}")
    host.shell(
        "old",
        "sleep 2; echo added.test >>/etc/mail/local-host-names; echo '# later' >>/etc/mail/access; "
        f"echo 'gone: nobody99' >>/etc/aliases; newaliases; cd {HOME}/user05; "
        "echo user06 >.forward; chown user05: .forward; chmod 666 .forward",
    )
    page = told(tool(host, "sendmail", "diagnose"), code=1)
    assert page.index("fail") < page.index("pass")
    for words in (
        "younger than what the daemon loaded",
        "/etc/mail/local-host-names",
        "nobody99: User unknown",
        "/etc/mail/access.db is older than /etc/mail/access",
        "user05/.forward may be written by everybody",
    ):
        assert words in page.replace("\n", " "), page
    host.shell(
        "old",
        f"tar -C / -xpf /root/kept.tar; rm {HOME}/user05/.forward /root/kept.tar; newaliases; "
        "make -s -C /etc/mail >/dev/null 2>&1; service sendmail reload >/dev/null 2>&1; sleep 2",
    )
    here = in_mailbox(host, "user07")
    said = told(tool(host, "sendmail", "diagnose", "--deliver", "user07@example.test", "--yes"))
    assert "RCPT To:<user07@example.test>" in said
    assert "user07@example.test... Sent" in said
    assert host.shell("old", "ls /tmp/migrate-delivery-* 2>/dev/null || :") == ""
    assert "test of Sendmail on this host" in host.shell("old", "cat /var/mail/user07")
    assert in_mailbox(host, "user07") == here
