"""Thousands of domains: the same queued messages for one, and spread over all of them."""

from __future__ import annotations

import json
import time

import dns.query
import dns.tsig
import dns.update

from tests.bench.measuring import Figures, between, moment
from tests.lab.driver import succeed
from tests.lab.lab import Lab
from tests.lab.world import expect_moved

COUNT = 5_000
QUEUED = 300
LONG = 900.0
"""Seconds that a command may take here."""

_NAMES = r"""for number in $(seq 0 $((COUNT - 1))); do echo "d$number.example.test"; done >>/etc/mail/local-host-names
make -s -C /etc/mail >/dev/null 2>&1; service sendmail reload >/dev/null 2>&1"""
_QUEUE = r"""for number in $(seq 1 QUEUED); do
    to="user0$((1 + number % 9))@d$((number * STEP % COUNT)).example.test"
    printf 'Subject: %s\n\nmail %s\n' "$number" "$number" |
        sendmail -Am -odq -oi -f "sender$number@outside.test" "$to" || exit 1
done"""
_FOUND = "cat /var/spool/mail/* | grep -c '^mail [0-9]*$' || :"


def named(count: int) -> str:
    """Return what the rows of so many domains are called by."""
    return "one domain" if count == 1 else f"{count} domains"


def domains(figures: Figures, count: int) -> None:
    """Measure what a migration of one domain and of so many takes, with the same mail in the queue at the switch."""
    for number in (1, count):
        with Lab(seed=1) as lab:
            _prepare(lab, number)
            _measure(lab, figures, number)


def _prepare(lab: Lab, number: int) -> None:
    secret = (lab.folder / "tsig.key").read_text().strip()
    for first in range(0, number, 500):
        update = dns.update.UpdateMessage("example.test", keyring=dns.tsig.Key("lab.", secret, "hmac-sha256"))
        for each in range(first, min(first + 500, number)):
            update.replace(f"d{each}.example.test.", 5, "MX", "10 mail.example.test.")
        dns.query.tcp(update, lab.place.dns, timeout=30)
    for role in ("old", "new"):
        lab.shell(role, _NAMES.replace("COUNT", str(number)))
    names = ", ".join(f'"d{each}.example.test"' for each in range(number))
    text = lab.plan_path.read_text()
    lab.plan_path.write_text(
        text.replace('domains = ["example.test"', f'domains = ["example.test", {names}', 1)
    )


def _timed(lab: Lab, figures: Figures, row: str, command: str, *options: str) -> str:
    began = time.monotonic()
    said = succeed(lab, command, *options, seconds=LONG)
    figures.note(row, "migrate", time.monotonic() - began)
    return said


def _measure(lab: Lab, figures: Figures, number: int) -> None:
    name = named(number)
    _timed(lab, figures, f"check, {name}", "check")
    _timed(lab, figures, f"dry run, {name}", "run", "--dry-run")
    _timed(lab, figures, f"run until the relay, {name}", "run", "--yes", "--wait", "--until", "relay")
    step = max(1, number // QUEUED)
    queue = _QUEUE.replace("QUEUED", str(QUEUED)).replace("STEP", str(step)).replace("COUNT", str(number))
    lab.shell("old", queue)
    _timed(lab, figures, f"run to the end, {name}", "run", "--yes", "--wait")
    assert int(lab.shell("new", _FOUND)) == QUEUED
    expect_moved(lab)
    figures.note(
        f"from the queued mail to the end of the flush, {name}",
        "migrate",
        between(lab, "final-copy", "flush"),
    )
    for step_name, seconds in _steps(lab).items():
        figures.note(f"step {step_name}, {name}", "migrate", seconds)
    told = json.loads(succeed(lab, "status", "--json"))["cutover"]
    for what, each in told.items():
        figures.say(f"{what}, {name}: predicted {each['predicted']:.1f}, real {each['real']:.1f}")
    lab.shell(
        "new",
        "printf 'Subject: late\\n\\nmail 301\\n' | sendmail -oi -f late@outside.test user01@d0.example.test",
    )
    _timed(lab, figures, f"rollback, {name}", "rollback", "--yes")
    assert int(lab.shell("old", _FOUND)) == QUEUED + 1


def _steps(lab: Lab) -> dict[str, float]:
    """Return the seconds of each step, as the journal has them."""
    began: dict[str, float] = {}
    took: dict[str, float] = {}
    for line in (lab.state_path / "journal.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event.get("kind") == "step_started":
            began[event["step"]] = moment(event["time"])
        elif event.get("kind") == "step_done":
            took[event["step"]] = moment(event["time"]) - began[event["step"]]
    return took
