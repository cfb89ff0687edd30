"""What holds after a migration or a way back, looked at without the program that is tested."""

from __future__ import annotations

import http.client

import dns.message
import dns.query

from tests.lab.lab import Lab, accepts
from tests.lab.sender import MAIL_HOST

KEYS = "/root/.ssh /home/admin/.ssh"


def address_records(name_server: str) -> dict[str, int]:
    """Return what one name server says of the mail host: address -> TTL in seconds."""
    answer = dns.query.udp(dns.message.make_query(MAIL_HOST, "A"), name_server, timeout=5)
    return {str(address): record.ttl for record in answer.answer for address in record}


def web_answer(lab: Lab) -> tuple[int, str]:
    """Return the status and the Location that the webmail's old address answers with on the old host."""
    connection = http.client.HTTPConnection(lab.place.old, 80, timeout=10)
    try:
        connection.request("GET", "/", headers={"Host": "webmail.example.test"})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location", "")
    finally:
        connection.close()


def expect_moved(lab: Lab) -> None:
    """Raise AssertionError where the finished migration left something undone, or left something behind."""
    servers = (lab.place.dns, lab.place.secondary) if lab.secondary else (lab.place.dns,)
    ttl = 5 if lab.update == "manual" else 3600
    for server in servers:
        assert address_records(server) == {lab.place.new: ttl}, server
    assert web_answer(lab) == (301, "https://webmail2.example.test/")
    for role in ("old", "new"):
        expect_no_trace(lab, role)


def expect_moved_back(lab: Lab) -> None:
    """Raise AssertionError where the way back left something that was not there before."""
    assert address_records(lab.place.dns) == {lab.place.old: 20}
    assert web_answer(lab)[0] == 200
    for role in ("old", "new"):
        expect_no_trace(lab, role)


def expect_no_trace(lab: Lab, role: str) -> None:
    """Raise AssertionError where a host has a closed port, a timer, a rule or a key of the migration."""
    assert accepts(lab.place.address(role), 25), role
    assert "migrate" not in lab.shell(role, "iptables-save; nft list ruleset 2>/dev/null || true"), role
    # A pattern that does not find the shell that looks for it.
    assert lab.shell(role, "pgrep -af '[/]port25' || true") == "", role
    assert lab.shell(role, f"grep -rl 'migrate[:-]' {KEYS} 2>/dev/null || true") == "", role
