"""What a close, an open and a state script say to nft and iptables, and how odd input is kept out of them."""

import ipaddress
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import MigrateError
from migrator.net.firewall import (
    CLOSED,
    OPEN,
    PARTLY,
    PortState,
    Tool,
    checked_addresses,
    close_script,
    closed_text,
    detect_script,
    open_script,
    parse_state,
    rule_name,
    state_script,
)
from tests.net.scripts import Programs

OLD, NEW, NEW6 = "198.51.100.10", "198.51.100.20", "2001:db8::20"
TOOLS: tuple[Tool, ...] = ("nft", "iptables")
EMPTY = "*filter\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -p icmp -j ACCEPT\nCOMMIT"
REJECT = "-p tcp -m tcp --dport 25 --tcp-flags FIN,SYN,RST,ACK SYN -j REJECT --reject-with tcp-reset"


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """Stand-ins that write down what they are told; the host's rules are in `rules4` and `rules6`."""
    programs = Programs(tmp_path)
    for family, tool in (("4", "iptables"), ("6", "ip6tables")):
        programs.add(f"{tool}-save", f'cat "$FOLDER/rules{family}"')
        programs.add(f"{tool}-restore", f'[ "$1" = --help ] || cat >"$FOLDER/told{family}"')
        (tmp_path / f"rules{family}").write_text(EMPTY + "\n")
    return programs


def iptables_rules(*addresses: str) -> str:
    """What iptables-save prints of a closed port."""
    passing = "".join(f"-A MIGRATE25_demo -s {address} -j RETURN\n" for address in addresses)
    return (
        "*filter\n:INPUT DROP [7:420]\n:MIGRATE25_demo - [0:0]\n-A INPUT -j MIGRATE25_demo\n"
        f"-A MIGRATE25_demo -i lo -j RETURN\n{passing}-A MIGRATE25_demo {REJECT}\nCOMMIT\n"
    )


def test_nft_closes_in_one_transaction_that_replaces_the_earlier_table(programs: Programs) -> None:
    programs.add("nft", 'cat >"$FOLDER/told"; echo noise')
    ran = programs.run(close_script("nft", "demo", [NEW, NEW6]))
    assert (ran.status, ran.output) == (0, "")
    told = programs.text("told")
    assert told.startswith(
        "table inet migrate_demo\ndelete table inet migrate_demo\ntable inet migrate_demo {"
    )
    rules = [line.strip() for line in told.splitlines()[5:-2]]
    assert rules == [
        'iif "lo" accept',
        f"ip saddr {NEW} tcp dport 25 accept",
        f"ip6 saddr {NEW6} tcp dport 25 accept",
        "tcp dport 25 tcp flags & (fin|syn|rst|ack) == syn reject with tcp reset",
    ]


def test_nft_opens_by_removing_only_the_own_table(programs: Programs) -> None:
    programs.add("nft", 'cat >"$FOLDER/told"')
    assert programs.run(open_script("nft", "demo")).status == 0
    assert programs.text("told") == "table inet migrate_demo\ndelete table inet migrate_demo\n"


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_that_fails_fails_the_script(programs: Programs, tool: Tool) -> None:
    for program in ("nft", "iptables-save", "iptables-restore"):
        programs.add(program, "exit 4")
    assert programs.run(close_script(tool, "demo")).status != 0
    assert programs.run(open_script(tool, "demo")).status != 0
    assert programs.run(state_script(tool, "demo")).status != 0


def test_iptables_closes_each_family_in_one_commit(programs: Programs) -> None:
    ran = programs.run(close_script("iptables", "demo", [NEW, NEW6]))
    assert (ran.status, ran.output) == (0, "")
    for family, address in (("4", NEW), ("6", NEW6)):
        assert programs.text(f"told{family}").splitlines() == [
            "*filter",
            ":MIGRATE25_demo - [0:0]",
            "-A MIGRATE25_demo -i lo -j RETURN",
            f"-A MIGRATE25_demo -s {address} -j RETURN",
            f"-A MIGRATE25_demo {REJECT}",
            "-I INPUT 1 -j MIGRATE25_demo",
            "COMMIT",
        ]


@pytest.mark.parametrize("ending", ["\n", " \n"], ids=["new release", "old release, trailing space"])
def test_closing_again_leaves_one_jump(programs: Programs, ending: str) -> None:
    (programs.folder / "rules4").write_text(iptables_rules(OLD).replace("\n", ending))
    assert programs.run(close_script("iptables", "demo")).status == 0
    jumps = [line for line in programs.text("told4").splitlines() if line.endswith("MIGRATE25_demo")]
    assert jumps == ["-D INPUT -j MIGRATE25_demo", "-I INPUT 1 -j MIGRATE25_demo"]


def test_iptables_opens_by_removing_jump_and_chain(programs: Programs) -> None:
    (programs.folder / "rules4").write_text(iptables_rules(NEW))
    assert programs.run(open_script("iptables", "demo")).status == 0
    assert programs.text("told4").splitlines() == [
        "*filter",
        "-D INPUT -j MIGRATE25_demo",
        "-F MIGRATE25_demo",
        "-X MIGRATE25_demo",
        "COMMIT",
    ]


def test_opening_what_is_open_changes_nothing(programs: Programs) -> None:
    assert programs.run(open_script("iptables", "demo")).status == 0
    assert programs.text("told4") == "*filter\nCOMMIT\n"


def test_another_migrations_chain_is_left_alone(programs: Programs) -> None:
    (programs.folder / "rules4").write_text(iptables_rules().replace("25_demo", "25_demo2"))
    assert programs.run(open_script("iptables", "demo")).status == 0
    assert programs.text("told4") == "*filter\nCOMMIT\n"
    assert programs.run(state_script("iptables", "demo")).output == "open\n"


def test_the_lock_is_waited_for_where_the_release_knows_how(programs: Programs) -> None:
    programs.add(
        "iptables-restore", 'if [ "$1" = --help ]; then echo " --wait -w"; else echo "$@" >"$FOLDER/how"; fi'
    )
    assert programs.run(close_script("iptables", "demo")).status == 0
    assert programs.text("how") == "--noflush -w 10\n"


@pytest.mark.parametrize(
    ("four", "six", "printed"),
    [
        (EMPTY, EMPTY, "open"),
        (iptables_rules(), iptables_rules(), "closed"),
        (iptables_rules(f"{NEW}/32"), iptables_rules(f"{NEW6}/128"), f"closed except {NEW} {NEW6}"),
        (iptables_rules(), EMPTY, "partly closed"),
        (EMPTY, iptables_rules(), "partly closed"),
        (iptables_rules().replace("-A INPUT -j MIGRATE25_demo\n", ""), EMPTY, "open"),
    ],
    ids=["open", "closed", "allowed", "only IPv4", "only IPv6", "chain without its jump"],
)
def test_iptables_state(programs: Programs, four: str, six: str, printed: str) -> None:
    (programs.folder / "rules4").write_text(four + "\n")
    (programs.folder / "rules6").write_text(six + "\n")
    assert programs.run(state_script("iptables", "demo")).output == printed + "\n"


@pytest.mark.parametrize(
    ("rules", "printed"),
    [
        ("", "closed"),
        (f"\t\tip saddr {NEW} tcp dport 25 accept\n", f"closed except {NEW}"),
        (
            f"\t\tip saddr {NEW} tcp dport smtp accept\n\t\tip6 saddr {NEW6} tcp dport 25 accept\n",
            f"closed except {NEW} {NEW6}",
        ),
    ],
)
def test_nft_state(programs: Programs, rules: str, printed: str) -> None:
    listing = f'table inet migrate_demo {{\n\tchain input {{\n\t\tiif "lo" accept\n{rules}'
    (programs.folder / "table").write_text(
        listing + "\t\ttcp dport 25 tcp flags syn reject with tcp reset\n\t}\n}\n"
    )
    programs.add(
        "nft", 'case "$*" in "list tables") echo table inet migrate_demo;; *) cat "$FOLDER/table";; esac'
    )
    ran = programs.run(state_script("nft", "demo"))
    assert ran.output == printed + "\n"
    assert programs.run(state_script("nft", "other")).output == "open\n"


@pytest.mark.parametrize(("nft", "iptables", "tool"), [(0, 0, "nft"), (1, 0, "iptables"), (1, 1, "none")])
def test_the_tool_that_works_is_detected(programs: Programs, nft: int, iptables: int, tool: str) -> None:
    programs.add("nft", f'cat >"$FOLDER/told"; echo "$@" >"$FOLDER/how"; exit {nft}')
    programs.add("iptables-save", f"exit {iptables}")
    assert programs.run(detect_script()).output == tool + "\n"
    assert programs.text("how") == "-c -f -\n", "nft must only check"


def test_the_state_text_is_what_the_close_script_is_expected_to_lead_to() -> None:
    assert closed_text() == "closed"
    assert closed_text([NEW6, NEW]) == f"closed except {NEW} {NEW6}"
    assert parse_state(closed_text([NEW6, NEW])) == PortState(CLOSED, (NEW, NEW6))
    assert parse_state("open\n") == PortState(OPEN)
    assert not parse_state("partly closed\n").closed
    assert parse_state("partly closed").word == PARTLY


@pytest.mark.parametrize("text", ["", "closed except", "open except 192.0.2.1", "closed except lots", "Open"])
def test_an_unknown_state_is_an_error(text: str) -> None:
    with pytest.raises(MigrateError):
        parse_state(text)


@pytest.mark.parametrize(
    "address", ["mail.example.test", "1.2.3.4; reboot", "fe80::1%eth0", "", "10.0.0.0/8", "-j"]
)
@pytest.mark.parametrize("tool", TOOLS)
def test_only_addresses_get_into_rules(tool: Tool, address: str) -> None:
    with pytest.raises(MigrateError):
        close_script(tool, "demo", [address])


def test_addresses_are_canonical_and_stand_once() -> None:
    written = ["2001:DB8:0::20", "198.51.100.20", "::ffff:198.51.100.20", "2001:db8::20", "198.51.100.9"]
    assert checked_addresses(written) == ("198.51.100.9", "198.51.100.20", "2001:db8::20")


@given(st.lists(st.ip_addresses(), max_size=6))
def test_what_is_closed_is_read_back(addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> None:
    written = [str(address) for address in addresses if not getattr(address, "scope_id", None)]
    state = parse_state(closed_text(written))
    assert state.closed
    assert state.allowed == checked_addresses(written)


@given(st.text())
def test_any_name_is_safe_in_a_rule(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9_]{1,18}", rule_name(name))


def test_long_names_that_begin_alike_stay_apart() -> None:
    assert rule_name("example-mail-frankfurt-one") != rule_name("example-mail-frankfurt-two")
