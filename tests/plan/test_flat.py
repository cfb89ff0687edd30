"""What a plan means, flattened: the same for the same meaning, another for another."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest

from migrator.plan import load
from migrator.plan.flat import duration_text
from tests.plan.plans import MINIMAL, read, write

CONTRACT = frozenset(
    f"{table}.{key}"
    for table, keys in {
        "migration": "name domains mail_host",
        "old": "ssh address identity_file known_hosts host_key sudo mail_spool",
        "new": "ssh address",
        "new.sendmail": "dh harden blocklists",
        "new.sendmail.rewrite": "domains table",
        "sync[0]": "from to exclude",
        "dns": "ttl lead nameservers resolvers update restore_ttl command",
        "dns.rfc2136": "server port key_name key_algorithm key_file key_env",
        "sync": "passes max_delete max_load bwlimit nice ionice via streams",
        "cutover": "strategy window max_closed budget overrun late_mail",
        "smoke": "recipient sender",
        "webmail": "old_url new_url",
    }.items()
    for key in keys.split()
)


def test_every_key_of_the_contract_is_in_the_flattened_plan() -> None:
    flat = load(Path(__file__).parents[2] / "plans" / "several-domains.toml").flatten()
    assert set(flat) >= CONTRACT
    assert flat["dns.ttl"] == "15m"
    assert flat["sync[2].exclude"] == '["*/bak", "*/web"]'
    assert flat["cutover.window"] == "2026-11-29T02:00+01:00/04:00"


def test_a_default_that_is_written_out_changes_nothing(tmp_path: Path) -> None:
    plain = read(tmp_path)
    written = read(tmp_path, add='[dns]\nttl = "900s"\nupdate = "manual"\n[presync]\npasses = "auto"\n')
    assert plain.fingerprint() == written.fingerprint()


@pytest.mark.parametrize(
    "add", ['mail_spool = "/var/mail"\n', '[dns]\nttl = "5m"\n', '[cutover]\nstrategy = "firewall"\n']
)
def test_another_value_is_another_plan(tmp_path: Path, add: str) -> None:
    before, after = read(tmp_path), read(tmp_path, add=add)
    assert before.fingerprint() != after.fingerprint()
    assert len(set(before.flatten().items()) ^ set(after.flatten().items())) in (2, 4)


def test_a_plan_that_was_moved_with_its_files_is_the_same(tmp_path: Path) -> None:
    text = MINIMAL + 'identity_file = "keys/id"\n'
    (tmp_path / "elsewhere").mkdir()
    one, other = load(write(tmp_path, text)), load(write(tmp_path / "elsewhere", text))
    assert one.fingerprint() == other.fingerprint()
    assert one.flatten()["new.identity_file"] == "keys/id"


def test_where_the_state_lies_is_not_part_of_it(tmp_path: Path) -> None:
    plan = read(tmp_path)
    assert dataclasses.replace(plan, state_root=tmp_path / "x").fingerprint() == plan.fingerprint()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (90, "90s"), (900, "15m"), (5400, "90m"), (172800, "2d")]
)
def test_durations_are_written_as_in_a_plan(seconds: int, text: str) -> None:
    assert duration_text(timedelta(seconds=seconds)) == text
