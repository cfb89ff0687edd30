"""A plan is read whole: its defaults, and all of its faults with key and line."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import PlanError
from migrator.plan import SyncTree, load
from tests.plan.plans import MINIMAL, fault, faults, read, vary, write

EXAMPLES = sorted((Path(__file__).parents[2] / "plans").glob("*.toml"))


def test_ten_lines_are_a_plan_and_the_rest_are_the_defaults_of_the_contract(tmp_path: Path) -> None:
    plan = read(tmp_path)

    assert (plan.name, plan.domains, plan.mail_host) == (
        "example-mail",
        ("example.test",),
        "mail.example.test",
    )
    assert plan.old.address == "198.51.100.10"
    assert plan.old.identity_file is None
    assert plan.old.known_hosts == Path("~/.ssh/known_hosts").expanduser()
    assert (plan.old.sudo, plan.old.mail_spool, plan.old.host_key) == (False, "/var/spool/mail", "")
    assert plan.dns.ttl == timedelta(minutes=15)
    assert plan.dns.lead == timedelta(hours=48)
    assert plan.dns.restore_ttl == timedelta(hours=1)
    assert (plan.dns.update, plan.dns.nameservers, plan.dns.resolvers) == ("manual", (), ())
    assert plan.sync == (SyncTree("/var/spool/mail/", "/var/spool/mail/"),)
    assert (plan.copying.passes, plan.copying.streams, plan.copying.via) == ("auto", "auto", "pull")
    assert (plan.copying.max_delete, plan.copying.max_load, plan.copying.bwlimit) == (0.5, 0.0, 0)
    assert (plan.copying.nice, plan.copying.ionice) == (0, "")
    assert (plan.cutover.strategy, plan.cutover.window) == ("hold", None)
    assert plan.cutover.max_closed == timedelta(minutes=2)
    assert (plan.cutover.budget, plan.cutover.overrun) == (timedelta(seconds=60), 3.0)
    assert (plan.smoke.recipient, plan.smoke.sender) == ("", "postmaster@example.test")
    assert plan.webmail is None


def test_the_state_lies_beside_the_plan_unless_it_is_moved(tmp_path: Path) -> None:
    assert read(tmp_path).state_dir == tmp_path / ".migrate" / "example-mail"
    moved = load(tmp_path / "plan.toml", state_root=tmp_path / "state")
    assert moved.state_dir == tmp_path / "state" / "example-mail"


def test_nothing_of_a_plan_can_be_changed(tmp_path: Path) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        read(tmp_path).name = "other"  # type: ignore[misc]


def test_every_fault_is_told_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    text = vary(
        migration_name='"Example Mail"',
        old_ssh='"-oProxyCommand=evil"',
        new_address="25",
        add='[cutover]\nstrategy = "hopeful"\nstratgey = "hold"\n',
    )

    assert [(one.key, one.line) for one in faults(tmp_path, text)] == [
        ("migration.name", 2),
        ("old.ssh", 6),
        ("new.address", 10),
        ("cutover.strategy", 12),
        ("cutover.stratgey", 13),
    ]


def test_an_empty_file_lacks_every_key_that_has_no_default(tmp_path: Path) -> None:
    assert {one.key for one in faults(tmp_path, "")} == {
        "migration.name",
        "migration.domains",
        "migration.mail_host",
        "old.ssh",
        "new.ssh",
    }


def test_a_missing_key_is_told_with_the_line_of_its_table(tmp_path: Path) -> None:
    found = fault(tmp_path, migration_mail_host="")
    assert (found.key, found.line, found.reason) == ("migration.mail_host", 1, "is missing")


def test_an_unknown_key_is_told_with_the_nearest_known_one(tmp_path: Path) -> None:
    assert "nearest: ttl" in fault(tmp_path, add='[dns]\ntt = "15m"\n').reason
    assert "nearest: rfc2136" in fault(tmp_path, add="[dns.rfc213]\n").reason
    assert "nearest: webmail" in fault(tmp_path, add="[webmial]\n").reason
    assert "known here: bwlimit" in fault(tmp_path, add="[presync]\nzzz = 1\n").reason


@pytest.mark.parametrize("name", ["secret", "password", "key", "api_token"])
def test_a_secret_in_the_plan_is_refused_and_not_repeated(tmp_path: Path, name: str) -> None:
    table = '[dns.rfc2136]\nserver = "198.51.100.53"\nkey_name = "lab."\nkey_env = "TSIG"\n'

    found = fault(tmp_path, add=f'{table}{name} = "c2VjcmV0"\n')

    assert "key_env or key_file" in found.reason
    assert "c2VjcmV0" not in found.reason


def test_what_is_not_toml_is_told_with_its_line(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, 'a = 1\nb = "open\n')
    assert found.line == 2
    (found,) = faults(tmp_path, "a = 1\n\nb = [1,\n")
    assert found.line == 3
    assert "not TOML" in found.reason


def test_what_is_no_text_or_no_file_is_a_fault_as_well(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_bytes(b'[migration]\nname = "\xff"\n')
    with pytest.raises(PlanError) as raised:
        load(path)
    assert raised.value.faults[0].line == 2

    with pytest.raises(PlanError) as raised:
        load(tmp_path / "absent.toml")
    assert "migrate init" in raised.value.faults[0].reason
    assert raised.value.exit_code == 2


def test_endless_nesting_is_a_fault_and_no_crash(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, "a = " + "[" * 100_000)
    assert "nested" in found.reason or "not TOML" in found.reason


def test_a_table_that_is_no_table_is_a_fault(tmp_path: Path) -> None:
    found = faults(tmp_path, f"sync = 3\ndns = 4\n{MINIMAL}")
    assert [(one.key, one.line) for one in found] == [("sync", 1), ("dns", 2)]


@given(st.text(max_size=200))
def test_any_text_is_a_plan_or_has_faults(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    faults(tmp_path_factory.mktemp("plan"), text)


@given(
    table=st.sampled_from(["migration", "old", "new", "dns", "dns.rfc2136", "cutover", "smoke", "webmail"]),
    key=st.sampled_from(
        [
            "name",
            "domains",
            "mail_host",
            "ssh",
            "address",
            "identity_file",
            "host_key",
            "mail_spool",
            "ttl",
            "nameservers",
            "command",
            "update",
            "server",
            "key_name",
            "key_file",
            "window",
            "max_closed",
            "recipient",
            "sender",
            "old_url",
            "new_url",
        ]
    ),
    value=st.one_of(
        st.text(st.characters(exclude_characters="\"\\\x7f'", exclude_categories=("Cc", "Cs"))).map(
            "'{}'".format
        ),
        st.sampled_from(["1", "-1", "true", "1.5", "1979-05-27", "[]", "{}", "[1, 'a']", "[[]]", "inf"]),
    ),
)
def test_any_value_of_a_known_key_is_taken_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory, table: str, key: str, value: str
) -> None:
    faults(tmp_path_factory.mktemp("plan"), f"[{table}]\n{key} = {value}\n")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_plan_that_is_shipped_is_right(path: Path) -> None:
    assert load(path).domains


def test_there_is_an_example_of_each_kind() -> None:
    plans = {path.stem: load(path) for path in EXAMPLES}
    assert {"example", "manual-dns", "several-domains", "firewall", "sudo"} <= set(plans)
    assert plans["firewall"].cutover.strategy == "firewall"
    assert plans["sudo"].old.sudo
    assert len(plans["several-domains"].sync) == 3
    assert plans["several-domains"].domains[2] == "xn--bcher-kva.test"
    assert plans["several-domains"].old.endpoint.host == "oldmail"


def test_line_ends_of_windows_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_bytes(MINIMAL.replace("\n", "\r\n").encode() + b"[dns]\r\nttl = 1\r\n")
    with pytest.raises(PlanError) as raised:
        load(path)
    assert [one.line for one in raised.value.faults] == [12]


def test_a_plan_with_a_relative_path_is_the_same_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, MINIMAL)
    monkeypatch.chdir(tmp_path)
    assert load(Path("plan.toml")) == load(tmp_path / "plan.toml")


def test_a_mark_before_the_text_changes_nothing(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_bytes(b"\xef\xbb\xbf" + MINIMAL.encode())
    assert load(plan).name == "example-mail"
    plan.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("domains", "domians").encode())
    with pytest.raises(PlanError) as failed:
        load(plan)
    line = MINIMAL[: MINIMAL.index("domains")].count("\n") + 1
    assert line in [fault.line for fault in failed.value.faults]


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
    ],
)
def test_another_encoding_is_told_by_its_name(tmp_path: Path, encoding: str, name: str) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_bytes(MINIMAL.encode(encoding))
    with pytest.raises(PlanError) as failed:
        load(plan)
    assert [fault.reason for fault in failed.value.faults] == [
        f"is {name} text, by its bytes: save it as UTF-8"
    ]


def test_the_mark_of_another_byte_order_is_known_as_well(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_bytes(("\ufeff" + MINIMAL).encode("utf-16-be"))
    with pytest.raises(PlanError) as failed:
        load(plan)
    assert failed.value.faults[0].reason == "is UTF-16 text, by its bytes: save it as UTF-8"


def test_a_number_without_end_is_a_fault_of_the_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(f"[sync]\nnice = {'9' * 5000}\n")
    with pytest.raises(PlanError) as faulty:
        load(path)
    assert "a number without end" in str(faulty.value.faults)
