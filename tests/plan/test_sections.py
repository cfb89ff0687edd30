"""What the tables of a plan say together."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from migrator.plan import SyncTree, WebmailPlan
from tests.plan.plans import fault, faults, read, vary

RFC2136 = '[dns]\nupdate = "rfc2136"\n[dns.rfc2136]\nserver = "198.51.100.53"\nkey_name = "lab."\n'


def sync(*trees: tuple[str, str]) -> str:
    return "".join(f'[[sync]]\nfrom = "{source}"\nto = "{target}"\n' for source, target in trees)


def test_the_address_defaults_to_an_ssh_host_that_is_one(tmp_path: Path) -> None:
    plan = read(tmp_path, old_ssh='"root@[2001:DB8::10]:2222"', old_address="")
    assert plan.old.addresses == ("2001:db8::10",)
    assert (plan.old.endpoint.user, plan.old.endpoint.host, plan.old.endpoint.port) == (
        "root",
        "2001:db8::10",
        2222,
    )


def test_an_alias_needs_its_address_since_nothing_is_looked_up(tmp_path: Path) -> None:
    found = fault(tmp_path, old_ssh='"oldmail"', old_address="")
    assert (found.key, found.line) == ("old.address", 5)
    assert "give the address" in found.reason


def test_one_address_of_each_family_is_allowed(tmp_path: Path) -> None:
    both = '["198.51.100.20", "2001:db8::20"]'
    assert read(tmp_path, new_address=both).new.addresses == ("198.51.100.20", "2001:db8::20")
    assert "more than one IPv4" in fault(tmp_path, new_address='["198.51.100.20", "198.51.100.21"]').reason


def test_old_and_new_are_two_hosts(tmp_path: Path) -> None:
    assert fault(tmp_path, new_ssh='"admin@198.51.100.10:22"').key == "new.ssh"
    assert fault(tmp_path, new_address='"198.51.100.10"').key == "new.address"


def test_the_spools_of_the_plan_are_the_default_tree(tmp_path: Path) -> None:
    plan = read(tmp_path, add='mail_spool = "/var/mail/"\n')
    assert plan.sync == (SyncTree("/var/spool/mail/", "/var/mail/"),)


@pytest.mark.parametrize(
    ("trees", "key", "word"),
    [
        ([("/a/", "/srv/a")], "sync[0].to", "ends with"),
        ([("/a/", "/srv/a/"), ("/b/", "/srv/a/b/")], "sync[1].to", "overlaps"),
        ([("/a/", "/srv/a/"), ("/b/", "/srv/a/")], "sync[1].to", "overlaps"),
        ([("/a/", "/")], "sync[0].to", "root folder"),
        ([("/a/", "/var/")], "sync[0].to", "new host's own"),
        ([("/a/", "/root/")], "sync[0].to", "new host's own"),
        ([("/a/", "/etc/mail/")], "sync[0].to", "new host's own"),
        ([("a/", "/srv/a/")], "sync[0].from", "absolute"),
        ([("/a/../etc/", "/srv/a/")], "sync[0].from", ".."),
        ([("/a//b/", "/srv/a/")], "sync[0].from", "empty"),
        ([("/a\\u0000/", "/srv/a/")], "sync[0].from", "control"),
        ([("/a\\nb/", "/srv/a/")], "sync[0].from", "control"),
    ],
)
def test_a_tree_that_could_cost_data_is_refused(
    tmp_path: Path, trees: list[tuple[str, str]], key: str, word: str
) -> None:
    found = fault(tmp_path, add=sync(*trees))
    assert found.key == key
    assert word in found.reason


def test_a_tree_is_told_of_every_earlier_one_that_it_overlaps_with(tmp_path: Path) -> None:
    targets = ["/srv/a/", "/srv/ab/", "/srv/c/d/", "/srv/a/b/c/", "/srv/c/e/", "/srv/c/", "/srv/a/"]
    trees = [(f"/t{number}/", target) for number, target in enumerate(targets)]
    found = [
        (each.key, each.reason.split()[2].rstrip(":")) for each in faults(tmp_path, vary(add=sync(*trees)))
    ]
    assert found == [
        ("sync[3].to", "/srv/a/"),
        ("sync[5].to", "/srv/c/d/"),
        ("sync[5].to", "/srv/c/e/"),
        ("sync[6].to", "/srv/a/"),
        ("sync[6].to", "/srv/a/b/c/"),
    ]


def test_two_thousand_trees_are_read_in_some_seconds(tmp_path: Path) -> None:
    trees = [(f"/var/www/web{number}/user/", f"/var/www/web{number}/user/") for number in range(2000)]
    began = time.process_time()
    assert len(read(tmp_path, add=sync(*trees)).sync) == len(trees)
    assert time.process_time() - began < 4


def test_trees_side_by_side_and_odd_names_are_fine(tmp_path: Path) -> None:
    plan = read(tmp_path, add=sync(("/a b/", "/srv/a b/"), ("/srv/ä'$(x)", "/srv/a")))
    assert [tree.target for tree in plan.sync] == ["/srv/a b/", "/srv/a"]


def test_excludes_are_patterns_and_no_rules_of_rsync(tmp_path: Path) -> None:
    tree = sync(("/a/", "/srv/a/"))
    assert read(tmp_path, add=tree + 'exclude = ["*/bak"]\n').sync[0].exclude == ("*/bak",)
    found = fault(tmp_path, add=tree + 'exclude = ["*/bak", "+ *"]\n')
    assert found.key == "sync[0].exclude"
    assert "element 2" in found.reason


@pytest.mark.parametrize("update", ["rfc2136", "lexicon", "command"])
def test_each_way_to_update_needs_what_it_needs(tmp_path: Path, update: str) -> None:
    found = fault(tmp_path, add=f'[dns]\nupdate = "{update}"\n')
    assert (found.key, found.line) == (f"dns.{update}", 11)


def test_the_key_of_updates_stands_in_one_place(tmp_path: Path) -> None:
    assert fault(tmp_path, add=RFC2136).key == "dns.rfc2136.key_file"
    assert fault(tmp_path, add=RFC2136 + 'key_file = "a"\nkey_env = "B"\n').key == "dns.rfc2136.key_file"
    table = read(tmp_path, add=RFC2136 + 'key_file = "tsig.key"\n').dns.rfc2136
    assert table is not None
    assert table.key_file == tmp_path / "tsig.key"
    assert (table.port, table.key_algorithm) == (53, "hmac-sha256")


def test_the_port_of_the_update_server_has_its_own_key(tmp_path: Path) -> None:
    text = RFC2136.replace("100.53", "100.53:5353") + 'key_env = "TSIG"\n'
    assert "port" in fault(tmp_path, add=text).reason


def test_a_command_is_a_path_and_its_arguments(tmp_path: Path) -> None:
    text = '[dns]\nupdate = "command"\ncommand = ["./move", "a b"]\n'
    assert read(tmp_path, add=text).dns.command == (str(tmp_path / "move"), "a b")
    assert fault(tmp_path, add=text.replace("./move", "move")).key == "dns.command"


def test_a_window_has_a_start_with_offset_and_a_length(tmp_path: Path) -> None:
    window = read(tmp_path, add='[cutover]\nwindow = "2026-11-29T02:00+01:00/04:30"\n').cutover.window
    assert window is not None
    assert window.start == datetime(2026, 11, 29, 1, 0, tzinfo=UTC)
    assert window.length == timedelta(hours=4, minutes=30)
    assert window.end == datetime(2026, 11, 29, 5, 30, tzinfo=UTC)
    assert str(window) == "2026-11-29T02:00+01:00/04:30"


@pytest.mark.parametrize("max_closed", ['"9s"', '"61m"', "120"])
def test_port_25_may_not_stay_closed_for_long(tmp_path: Path, max_closed: str) -> None:
    assert fault(tmp_path, add=f"[cutover]\nmax_closed = {max_closed}\n").key == "cutover.max_closed"


def test_late_mail_is_put_off_for_a_day_unless_the_plan_says_else(tmp_path: Path) -> None:
    assert read(tmp_path).cutover.late_mail == timedelta(days=1)
    assert read(tmp_path, add='[cutover]\nlate_mail = "0s"\n').cutover.late_mail == timedelta(0)
    assert fault(tmp_path, add='[cutover]\nlate_mail = "6d"\n').key == "cutover.late_mail"


def test_the_smoke_test_writes_to_a_mailbox_that_moves(tmp_path: Path) -> None:
    assert read(tmp_path, add='[smoke]\nrecipient = "a@EXAMPLE.test"\n').smoke.recipient == "a@example.test"
    assert "would not move" in fault(tmp_path, add='[smoke]\nrecipient = "a@other.test"\n').reason


def test_webmail_needs_both_addresses(tmp_path: Path) -> None:
    text = '[webmail]\nold_url = "http://w.example.test/"\n'
    assert fault(tmp_path, add=text).key == "webmail.new_url"
    new = 'new_url = "https://w2.example.test:8443/mail"\n'
    assert read(tmp_path, add=text + new).webmail == WebmailPlan(
        "http://w.example.test/", "https://w2.example.test:8443/mail"
    )
    assert "circles" in fault(tmp_path, add=text + 'new_url = "http://w.example.test/"\n').reason


def test_files_of_the_operator_are_relative_to_the_plan_or_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/operator")
    plan = read(tmp_path, add='identity_file = "keys/id"\nknown_hosts = "~/hosts"\n')
    assert plan.new.identity_file == tmp_path / "keys/id"
    assert plan.new.known_hosts == Path("/home/operator/hosts")


def test_a_domain_stands_there_once_also_in_another_spelling(tmp_path: Path) -> None:
    found = fault(tmp_path, migration_domains='["example.test", "Example.Test."]')
    assert "twice" in found.reason


def test_what_builds_on_a_fault_is_not_told_as_a_second_one(tmp_path: Path) -> None:
    text = vary(old_ssh='"a b"', old_address="", add='[dns]\nupdate = "command"\ncommand = [1]\n')
    assert [one.key for one in faults(tmp_path, text)] == ["old.ssh", "dns.command"]
