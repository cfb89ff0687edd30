"""One look tells everything, and nothing that stands on the host can pass for something else."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import CommandFailed, MigrateError
from migrator.hosts.base import Output
from migrator.hosts.facts import look, parse
from migrator.hosts.inspection import inspection
from tests.fakes import FakeHost
from tests.hosts.shell import each_shell, run

MARK = "migrate-facts-" + "0" * 32
SECTIONS = {
    "os": 'ID=rocky\nID_LIKE="rhel centos fedora"\nPRETTY_NAME="Rocky Linux 9"',
    "sendmail": "Version 8.16.1",
    "init": "systemd",
    "iptables": "",
    "nft": "table inet x {}\nusable",
    "programs": "rsync\nmake",
    "hostname": "mail.example.test",
    "now": "1795451868",
    "accounts": "root:x:0:0:root:/root:/bin/bash\nroot:x:7:7::/other:/bin/sh\n"
    "bad:x:a:b:c:d:e\nada:x:1000:100::/home/ada:/bin/sh",
    "spool": "root\0ada\0two words\0line\nfeed\0",
    "addresses": "2: eth0    inet 198.51.100.10/24 brd 198.51.100.255 scope global eth0\n"
    "2: eth0    inet6 2001:db8::10/64 scope global",
    "route": "198.51.100.20 dev eth0 src 198.51.100.10 uid 0",
    "cf": "V10/Berkeley\n\nDj$w\n",
    "sendmail-path": "/usr/sbin/sendmail.sendmail",
    "spool-path": "/var/spool/mail",
    "machine": "0123456789abcdef0123456789abcdef",
    "login": "ada",
    "openssh": "OpenSSH_8.7p1, OpenSSL 3.0.7",
    "processors": "4\n",
    "aes": "yes",
    "ipv6": "yes",
    "selinux": "yes",
    "mounts": "/dev/sda1 / ext4 rw 0 0",
    "end": "",
}


def told(**changes: str) -> str:
    sections = SECTIONS | {name.replace("_", "-"): text for name, text in changes.items()}
    return f"{MARK}\n" + "".join(f"\n{MARK} {name}\n{text}" for name, text in sections.items())


def test_a_look_is_parsed() -> None:
    facts = parse(told())
    assert (facts.family, facts.os_name, facts.sendmail_version) == ("redhat", "Rocky Linux 9", "8.16.1")
    assert (facts.init, facts.firewall, facts.programs) == ("systemd", "nft", frozenset({"rsync", "make"}))
    assert (facts.hostname, facts.now) == ("mail.example.test", 1795451868)
    assert sorted(facts.accounts) == ["ada", "root"]
    assert facts.accounts["root"].uid == 0, "the first line of a name counts"
    assert facts.spool == ("ada", "line\nfeed", "root", "two words")
    assert facts.addresses == ("198.51.100.10", "2001:db8::10")
    assert facts.source == "198.51.100.10"
    assert facts.cf == "V10/Berkeley\n\nDj$w\n"
    assert (facts.login, facts.home, facts.openssh) == ("ada", "/home/ada", (8, 7))
    assert facts.selinux
    assert (facts.processors, facts.aes) == (4, True)
    assert facts.machine == "3eb1bd439947", "a digest: machine-id(5) is nobody's business"


@pytest.mark.parametrize("text", ["", "0", "-1", "many", "1 2"])
def test_a_host_that_does_not_count_its_processors_has_one(text: str) -> None:
    assert parse(told(processors=text)).processors == 1


@pytest.mark.parametrize("text", ["", "root made 0", "root made -", "uninitialized"])
def test_a_machine_that_cannot_be_told_from_another_has_no_mark(text: str) -> None:
    assert parse(told(machine=text)).machine == ""


def test_what_a_login_shell_says_first_is_ignored() -> None:
    assert parse("Welcome!\nmigrate-facts-\n" + told()).hostname == "mail.example.test"


def test_content_cannot_pass_for_a_section() -> None:
    other = "migrate-facts-" + "1" * 32
    forged = f"x\n{other} login\nroot\n{other} end\n"
    assert parse(told(cf=forged)).cf == forged


@pytest.mark.parametrize("length", [0, 60, 400, 900])
def test_a_look_that_broke_off_is_no_look(length: int) -> None:
    with pytest.raises(MigrateError, match=r"broke off|nothing that can be read"):
        parse(told()[:length])


@given(st.text(max_size=300))
def test_arbitrary_text_is_refused_and_nothing_else(text: str) -> None:
    with pytest.raises(MigrateError):
        parse(text)


@given(
    st.sampled_from([name for name in SECTIONS if name not in ("os", "now", "end")]), st.text(max_size=200)
)
def test_arbitrary_sections_are_borne(name: str, text: str) -> None:
    assert parse(told(**{name: text})).family == "redhat"


def test_an_unknown_system_is_named() -> None:
    with pytest.raises(MigrateError, match="not supported") as caught:
        parse(told(os='ID=alpine\nPRETTY_NAME="Alpine Linux"'))
    assert "Alpine Linux" in (caught.value.seen or "")
    assert "Debian" in (caught.value.expected or "")


@pytest.mark.parametrize(
    ("iptables", "nft", "wanted"),
    [
        ("-P INPUT ACCEPT\nusable", "table inet x {}\nusable", "nft"),
        ("-P INPUT ACCEPT\n-A INPUT -j DROP\nusable", "usable", "iptables"),
        ("-P INPUT ACCEPT\nusable", "", "iptables"),
        ("", "usable", "nft"),
        ("", "", ""),
        ("-P INPUT ACCEPT\n", "", ""),
    ],
)
def test_the_firewall_tool_in_use_is_preferred(iptables: str, nft: str, wanted: str) -> None:
    assert parse(told(iptables=iptables, nft=nft)).firewall == wanted


@each_shell
def test_the_script_runs_here_and_is_whole(shell: str, tmp_path: Path) -> None:
    names = ["root", "two words", "line\nfeed", "-x", ".hidden", "$(id)", "ü"]
    for name in names:
        (tmp_path / name).touch()
    result = run(shell, inspection(peer="127.0.0.1", mail_spool=str(tmp_path)), timeout=60)
    assert result.returncode == 0
    text = re.sub(r"(?<= os\n)(.|\n)*?(?=\nmigrate-facts)", "ID=debian", result.stdout, count=1)
    facts = parse(text)
    assert set(facts.spool) == set(names)
    assert facts.accounts["root"].uid == 0
    assert "find" in facts.programs
    assert facts.login == os.environ.get("SUDO_USER", facts.login)


def test_hostile_paths_are_quoted_and_no_address_is_refused(tmp_path: Path) -> None:
    pwned = tmp_path / "pwned"
    run("sh", inspection(peer="127.0.0.1", mail_spool=f"/x'; touch {pwned}; echo '"), timeout=60)
    assert not pwned.exists()
    with pytest.raises(ValueError, match="appear to be"):
        inspection(peer="127.0.0.1; id", mail_spool="/var/mail")


def test_a_look_that_fails_names_the_host() -> None:
    host = FakeHost("old")
    host.on("migrate-facts", Output(127, "", "sh: not found"))
    with pytest.raises(CommandFailed) as caught:
        look(host, peer="198.51.100.20", mail_spool="/var/mail")
    assert (caught.value.host, caught.value.seen) == ("old", "sh: not found")


@pytest.mark.parametrize("mark", ["\x85", "\u2028", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\r", "\xa0"])
def test_a_full_name_may_hold_what_python_takes_for_the_end_of_a_line(mark: str) -> None:
    accounts = (
        "root:x:0:0:root:/root:/bin/sh\n"
        f"alice:x:1000:1000:Alice A{mark} (desk 2):/home/alice:/bin/sh\n"
        "bob:x:1001:1001:Bob B:/home/bob:/bin/sh\n"
    )
    facts = parse(told(accounts=accounts, mounts=f"/dev/sda1 /a{mark}b ext4 rw 0 0\n"))
    assert sorted(facts.accounts) == ["alice", "bob", "root"]
    assert facts.accounts["alice"].home == "/home/alice"
    assert facts.mounts == (f"/dev/sda1 /a{mark}b ext4 rw 0 0",)


OLD_RSYNC = """for word; do
    case $word in
        --ignore-missing-args|--delete-missing-args|--info=*|--open-noatime)
            echo "rsync: $word: unknown option" >&2
            exit 1 ;;
    esac
done
exit 0
"""


@each_shell
@pytest.mark.parametrize(("text", "able"), [(OLD_RSYNC, False), ("exit 0\n", True)], ids=["3.0", "3.2"])
def test_what_rsync_can_do_is_asked_of_it(
    shell: str, text: str, able: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "rsync"
    program.write_text(f"#!/bin/sh\n{text}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    facts = parse(run(shell, inspection(peer="198.51.100.20", mail_spool=str(tmp_path))).stdout)
    assert ("rsync" not in facts.unable) is able
    assert "stat" not in facts.unable


def test_what_stands_before_the_look_is_what_the_login_shell_prints() -> None:
    assert parse(f"Welcome\n{told()}").greeting == "Welcome"
    assert parse(told()).greeting == ""
