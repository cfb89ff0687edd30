"""The tools that edit a real Sendmail host: before, the diff, after as measured from outside, and every byte back."""

from __future__ import annotations

import json
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from migrator.sendmail import mc
from tests.lab import set_records
from tests.lab.driver import succeed
from tests.lab.lab import PROJECT, Lab
from tests.lab.relay import NAME, Relay
from tests.sendmail.test_mc import edit, unedit

# One process of several takes all of these, for they share a lab.
pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("toolbox-edit")]

Told = list[dict[str, Any]]

# What a host of 2010 offered: 1024 bits, and a policy that lets them pass.
LOGJAM = r"""set -e
cd /etc/mail
openssl dhparam -out tls/sendmail-common.prm 1024 2>/dev/null
printf '%s\n' 'openssl_conf = a' '[a]' 'ssl_conf = b' '[b]' 'system_default = c' '[c]' \
    'CipherString = ALL:@SECLEVEL=0' >/etc/ssl/openssl.cnf
sed -i "/^MAILER_DEFINITIONS/i include(\`/etc/mail/tls/starttls.m4')dnl" sendmail.mc
sed -i "/^MAILER_DEFINITIONS/i FEATURE(\`dnsbl', \`dul.dnsbl.sorbs.net')dnl" sendmail.mc
printf 'AuthInfo:other.test "U:us" "P:of-before"\n' >authinfo
chmod 640 authinfo
make >/dev/null 2>&1
make >/dev/null 2>&1
service sendmail restart >/dev/null 2>&1
"""

# Contents of the maps, not their files: two databases with the same entries may differ in bytes.
FILES = r"""cd /etc/mail
find . ../aliases -type f ! -name '*.db' | sort | while read -r file; do
    stat -c '%n %a %U:%G' "$file"
    sha256sum <"$file"
done
for map in *.db; do stat -c '%n %a %U:%G' "$map"; makemap -u hash "$map" | sort; done
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Lab]:
    """Yield a lab of which the new host is used, set up as administrators did before Logjam."""
    with Lab(seed=1) as lab:
        lab.shell("new", LOGJAM)
        yield lab


@pytest.fixture
def relay(host: Lab, tmp_path: Path) -> Iterator[Relay]:
    """Yield a provider's server."""
    with Relay(host.place.gateway, tmp_path, "shop", 'a "secret" of ours') as running:
        yield running


def tool(lab: Lab, *words: str, code: int = 0) -> Told:
    """Run a command of the toolbox on the new host, and return its events. Raise AssertionError for another code."""
    keys = ("--identity-file", f"{lab.folder}/operator", "--known-hosts", f"{lab.folder}/known_hosts")
    where = ("--host", f"root@{lab.place.new}", *keys, "--state-dir", f"{lab.folder}/tools", "--json")
    done = subprocess.run(
        [sys.executable, "-m", "migrator", "sendmail", *words, *where],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == code, f"{words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def measured(told: Told, when: str) -> dict[str, str]:
    """Return what a tool said that it measured, "before" or "after"."""
    (found,) = [event["data"]["measured"] for event in told if event["data"].get("when") == when]
    return dict(found)


def previews(told: Told) -> str:
    """Return all that was shown ahead."""
    return "\n".join(event["text"] for event in told if event["kind"] == "change_preview")


@contextmanager
def done_and_undone(lab: Lab, *words: str) -> Iterator[tuple[str, Told]]:
    """Rehearse a command, do it, and yield the diff and its events; then do it again, undo it, and see what is left."""
    before = lab.shell("new", FILES)
    diff = previews(tool(lab, *words, "--dry-run"))
    assert lab.shell("new", FILES) == before, "a rehearsal changes nothing"
    yield diff, tool(lab, *words, "--yes")
    after = lab.shell("new", FILES)
    assert after != before
    again = tool(lab, *words, "--yes")
    assert (again[-1]["kind"], again[-1]["data"]["changed"]) == ("run_done", False)
    assert lab.shell("new", FILES) == after, "a second run changes nothing"
    tool(lab, "undo", "--yes")
    assert lab.shell("new", FILES) == before


def offered_group(lab: Lab) -> str:
    """Return the Diffie-Hellman group that openssl meets from another host."""
    client = f"openssl s_client -starttls smtp -connect {lab.place.new}:25 -tls1_2 -cipher DHE:@SECLEVEL=0"
    found = lab.shell("old", f"{client} </dev/null 2>/dev/null | grep 'Server Temp Key' || :")
    return found.partition(": ")[2].strip()


def test_logjam_ends_with_a_group_of_the_standard(host: Lab) -> None:
    assert offered_group(host) == "DH, 1024 bits"
    with done_and_undone(host, "dh", "--named", "ffdhe3072") as (diff, told):
        assert "too small (Logjam)" in measured(told, "before")["Diffie-Hellman"]
        assert "+define(`confDH_PARAMETERS', `/etc/mail/tls/dhparams-ffdhe3072.pem')dnl" in diff
        assert measured(told, "after")["Diffie-Hellman"] == "3072 bits, ffdhe3072"
        assert "TLSv1.3" in measured(told, "after")["protocols"]
        assert offered_group(host) == "DH, 3072 bits"
    assert offered_group(host) == "DH, 1024 bits"


def test_logjam_ends_with_parameters_made_on_the_host(host: Lab) -> None:
    with done_and_undone(host, "dh") as (diff, told):
        assert "openssl dhparam -out /etc/mail/tls/dhparams-2048.pem 2048" in diff
        assert [event for event in told if event["kind"] == "progress" and "numbers tried" in event["text"]]
        assert offered_group(host) == "DH, 2048 bits"
    assert offered_group(host) == "DH, 1024 bits"


def login(host: Lab, relay: Relay, password: str) -> tuple[str, ...]:
    """Return the command that makes the relay the smart host, with a password."""
    file = host.folder / "password"
    file.write_text(f"{password}\n")
    file.chmod(0o600)
    return ("smarthost", NAME, "--port", str(relay.port), "--user", relay.user, "--password-file", str(file))


def send(host: Lab, user: str) -> None:
    """Let a user of the new host write to somebody elsewhere."""
    letter = "printf 'To: x@elsewhere.test\\nSubject: hello\\n\\nhello\\n'"
    host.shell("new", f"{letter} | su {user} -c '/usr/sbin/sendmail -t'")


def eventually(found: list[str], count: int) -> list[str]:
    """Return what was collected once it is so much. Raise AssertionError where it is not in time."""
    deadline = time.monotonic() + 30
    while len(found) < count:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def test_mail_goes_by_the_smart_host_after_a_login_over_tls(host: Lab, relay: Relay) -> None:
    with done_and_undone(host, *login(host, relay, relay.password)) as (diff, told):
        assert f"+define(`SMART_HOST', `[{NAME}]')dnl" in diff
        assert "mailer esmtp" in measured(told, "before")["mail for elsewhere"]
        assert measured(told, "after")["mail for elsewhere"] == f"mailer relay, host [{NAME}]"
        assert host.shell("new", "stat -c %a /etc/mail/authinfo /etc/mail/authinfo.db").split() == ["640"] * 2
        send(host, "user01")
        (message,) = eventually(relay.messages, 1)
        assert "Subject: hello" in message
        assert relay.logins == [(True, relay.user, relay.password)]
        tool(host, *login(host, relay, relay.password), "--test", "y@elsewhere.test", "--yes")
        assert "Subject: a test through" in eventually(relay.messages, 2)[1]
        kept = (host.folder / "tools").rglob("*")
        texts = [path.read_text() for path in kept if path.is_file()]
        assert any("smarthost" in text for text in texts)
        for secret in (relay.password, "of-before"):
            assert not any(hidden(secret) & set(text.split('"')) for text in texts)
            assert secret not in "".join(texts) + json.dumps(told) + diff


def hidden(secret: str) -> set[str]:
    """Return how a secret might stand in a journal, in base64."""
    import base64

    return {base64.b64encode(secret.encode()).decode()}


def test_a_wrong_password_is_told_without_being_shown(host: Lab, relay: Relay) -> None:
    told = tool(host, *login(host, relay, "not-this-one"), "--test", "y@elsewhere.test", "--yes", code=1)
    assert "535 5.7.8 no" in told[-1]["seen"]
    assert "not-this-one" not in json.dumps(told)
    assert relay.messages == []
    tool(host, "undo", "--yes")


def test_senders_leave_with_their_public_addresses(host: Lab, relay: Relay, tmp_path: Path) -> None:
    table = tmp_path / "users.csv"
    table.write_text("# login, address\nuser01,Jane.Doe@shop.test\nuser02, joe@shop.test\n")
    tool(host, *login(host, relay, relay.password), "--yes")
    send(host, "user01")
    with done_and_undone(host, "rewrite", "--domain", "shop.test", "--table", str(table)) as (diff, told):
        assert "+FEATURE(`genericstable', `hash -o /etc/mail/genericstable')dnl" in diff
        assert "header user01@mail.example.test" in measured(told, "before")["user01@mail.example.test"]
        wanted = "header Jane.Doe@shop.test, envelope Jane.Doe@shop.test"
        assert measured(told, "after")["user01@mail.example.test"] == wanted
        eventually(relay.messages, 1)
        send(host, "user01")
        messages = eventually(relay.messages, 2)
        assert "user01@mail.example.test" in relay.senders[0]
        assert "Jane.Doe@shop.test" in relay.senders[1]
        assert "From: user01@mail.example.test" in messages[0].replace("<", "").replace(">", "")
        assert "From: Jane.Doe@shop.test" in messages[1].replace("<", "").replace(">", "")
    tool(host, "undo", "--yes")
    assert host.exec("new", "test", "-e", "/etc/mail/genericstable.db")[0] == 1


def dialogue(host: Lab, *commands: str) -> list[str]:
    """Return the banner and what the new host answers to commands, each with its code."""
    with smtplib.SMTP(timeout=30) as client:
        code, banner = client.connect(host.place.new)
        answers = [f"{code} {banner.decode()}"]
        for command in commands:
            code, text = client.docmd(command)
            answers.append(f"{code} {text.decode()}")
        return answers


def publish(host: Lab, name: str, address: str) -> None:
    """Put an address into the zone of the senders; "-" takes it away."""
    key = str(host.folder / "tsig.key")
    assert set_records.main(host.place.dns, key, f"{name}.outside.test.", "A", "1", address) == 0


RECIPIENTS = [f"RCPT TO:<user{number:02}@example.test>" for number in range(1, 13)]


def test_what_keeps_abuse_out_is_shown_set_and_felt_by_a_client(host: Lab) -> None:
    own = ".".join(reversed(host.place.gateway.split(".")))
    publish(host, "2.0.0.127.bl", "127.0.0.2")
    for number in (1, 2):
        publish(host, f"{number}.0.0.127.everything", "127.0.0.2")
    words = ("--blocklist", "bl.outside.test", "--blocklist", "everything.outside.test")
    (shown,) = tool(host, "harden", *words)
    assert shown["data"]["measured"]["header-length"].startswith("off")
    assert shown["data"]["measured"]["free-blocks"].startswith("differs")
    assert shown["data"]["measured"]["delay-checks"].startswith("on")
    assert "reject all mail" in shown["data"]["measured"]["blocklists"]
    before = dialogue(host, "EHLO a.outside.test", "VRFY user01", "MAIL FROM:<a@outside.test>", *RECIPIENTS)
    assert "8.17" in before[0]
    assert before[2].startswith("250")
    assert [answer[:3] for answer in before[4:]] == ["250"] * 12

    with done_and_undone(host, "harden", "--all", *words) as (diff, told):
        assert "-FEATURE(`dnsbl', `dul.dnsbl.sorbs.net')dnl" in diff
        assert "+FEATURE(`dnsbl', `bl.outside.test')dnl" in diff
        assert "everything.outside.test" not in diff
        states = {name: words.split()[0] for name, words in measured(told, "after").items()}
        assert set(states.values()) == {"on"}
        after = dialogue(
            host, "EHLO a.outside.test", "VRFY user01", "MAIL FROM:<a@outside.test>", *RECIPIENTS
        )
        assert "8.17" not in after[0]
        assert after[2].startswith("252")
        assert [answer[:3] for answer in after[4:]] == ["250"] * 10 + ["452"] * 2
        assert dialogue(host, "MAIL FROM:<a@outside.test>")[1].startswith("503")
        assert "/dev/null" in host.shell("new", "sendmail -bv dev-null")
        publish(host, f"{own}.bl", "127.0.0.2")
        refused = dialogue(host, "EHLO a.outside.test", "MAIL FROM:<a@outside.test>", RECIPIENTS[0])[3]
        assert refused.startswith("550")
        assert "bl.outside.test" in refused
        publish(host, f"{own}.bl", "-")
    assert "8.17" in dialogue(host)[0]


def test_an_item_is_set_by_name_with_a_value_of_its_own(host: Lab) -> None:
    with done_and_undone(host, "harden", "recipients=3") as (diff, _told):
        assert [line for line in diff.splitlines() if line.startswith("+define")] == [
            "+define(`confMAX_RCPTS_PER_MESSAGE', `3')dnl"
        ]
        answers = dialogue(host, "EHLO a.outside.test", "MAIL FROM:<a@outside.test>", *RECIPIENTS[:4])
        assert [answer[:3] for answer in answers[3:]] == ["250"] * 3 + ["452"]


def test_a_file_that_somebody_edited_since_is_not_put_back(host: Lab) -> None:
    tool(host, "harden", "greeting", "--yes")
    host.shell("new", "cp -a /etc/mail/sendmail.mc /root/mc; echo 'dnl mine' >>/etc/mail/sendmail.mc")
    told = tool(host, "undo", "--yes", code=3)
    assert "sendmail.mc" in told[-1]["seen"]
    host.shell("new", "cp -a /root/mc /etc/mail/sendmail.mc")
    tool(host, "undo", "--yes")


def test_every_real_mc_file_is_edited_and_given_back_byte_for_byte(host: Lab) -> None:
    listed = "/etc/mail/*.mc /usr/share/sendmail/cf/debian/*.mc /usr/share/sendmail/cf/cf/*.mc"
    paths = host.shell("new", f"ls {listed} 2>/dev/null || :").split()
    assert {"/etc/mail/sendmail.mc", "/etc/mail/submit.mc"} < set(paths)
    for path in paths:
        text = host.shell("new", f"cat {path}")
        edited = edit(text, "a value")
        assert edit(edited, "a value") == edited, path
        assert unedit(edited) == text, path
        optional = mc.ensure_member(mc.ensure_option(text, "confNEW", "1"), "GENERICS_DOMAIN", "a.test")
        assert mc.remove(mc.remove(optional, "define", "confNEW"), "GENERICS_DOMAIN", "a.test") == text, path


def test_a_plan_that_asks_for_the_tools_has_them_as_steps_and_a_rollback_undoes_them(
    host: Lab, relay: Relay
) -> None:
    before = host.shell("new", FILES)
    login(host, relay, relay.password)
    settings = f"""
[new.sendmail]
dh = "ffdhe3072"
harden = ["greeting", "recipients=100"]
[new.sendmail.smarthost]
server = "{NAME}"
port = {relay.port}
user = "{relay.user}"
password_file = "password"
[new.sendmail.rewrite]
domains = ["shop.test"]
"""
    with host.plan_path.open("a") as plan:
        plan.write(settings)
    succeed(host, "run", "--until", "presync", "--yes")
    assert offered_group(host) == "DH, 3072 bits"
    assert "8.17" not in dialogue(host)[0]
    send(host, "user01")
    eventually(relay.messages, 1)
    assert "user01@shop.test" in relay.senders[0]
    assert relay.logins == [(True, relay.user, relay.password)]
    done = json.loads(succeed(host, "status", "--json"))["steps"]
    names = [step["name"] for step in done]
    wanted = ["sendmail-dh", "sendmail-harden", "sendmail-rewrite", "sendmail-smarthost", "presync"]
    assert names[names.index("sendmail-dh") : names.index("presync") + 1] == wanted
    (host.folder / "password").unlink()
    succeed(host, "rollback", "--yes")
    assert host.shell("new", FILES) == before
    assert offered_group(host) == "DH, 1024 bits"
