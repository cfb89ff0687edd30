"""Only what inspects may be read with."""

import pytest

from migrator.hosts.allowed import check_inspecting

GOOD = [
    "cat /etc/passwd",
    "find /var/mail -type f -newer /x -print0",
    "sendmail -bv a@example.test",
    "/usr/sbin/sendmail -bt",
    "sendmail -d0.1 -bv root",
    "sendmail -Ac -bp",
    "mailq",
    "rsync -n -a x:/ y",
    "rsync --dry-run -ai x:/ y",
    "date +%s",
    "hostname -f",
    "ip -o addr show scope global",
    "ip -o route get 198.51.100.1",
    "systemctl is-active sendmail",
    "iptables -S",
    "nft list ruleset",
    "apache2ctl -S",
    "nginx -T",
    "test -d /var/mail",
    "makemap -l",
]
BAD = [
    "",
    "rm -rf /",
    "sh -c id",
    "find / -delete",
    "find / -exec rm {} ;",
    "find / -execdir x ;",
    "find / -ok x ;",
    "find / -fprint /etc/passwd",
    "find / -fls /x",
    "sendmail -q",
    "sendmail root",
    "sendmail -bv -q x",
    "sendmail -bv -oQ/tmp x",
    "sendmail -bi",
    "sendmail -bp -qRx",
    "mailq -q",
    "rsync -a x:/ y",
    "rsync -n --log-file=/etc/passwd x y",
    "rsync -n --write-batch=x a b",
    "date -s now",
    "date 010101",
    "hostname evil",
    "hostname -F /x",
    "ip addr add 1.2.3.4 dev lo",
    "ip link set lo down",
    "ip netns exec x id",
    "systemctl stop sendmail",
    "systemctl --now disable show",
    "iptables -F",
    "nft flush ruleset",
    "apache2ctl restart",
    "nginx -s stop",
    "/tmp/cat x",
    "../cat x",
]


@pytest.mark.parametrize("line", GOOD)
def test_inspecting_programs_pass(line: str) -> None:
    check_inspecting(line.split())


@pytest.mark.parametrize("line", BAD)
def test_everything_else_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"only inspect|more than inspect|no program"):
        check_inspecting(line.split())


def test_an_argument_with_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        check_inspecting(["cat", "a\0b"])
