"""What the mail itself must be before anything is touched."""

from __future__ import annotations

import pytest

from migrator.errors import CommandFailed
from migrator.hosts.base import Output
from migrator.hosts.facts import Account
from migrator.plan import SyncTree
from migrator.steps.rules import mail
from tests.fakes import FakeHost, make_facts
from tests.steps.sound import CF, LOOK, MARK, both, brief, local, sound_world

ACCOUNTS = make_facts().accounts


def test_a_domain_that_the_new_host_would_not_take_fails() -> None:
    world = sound_world(domains=("example.test", "example2.test"))

    new, old = mail.domains(both(world))

    assert brief([new, old]) == ["fail domains new", "warn domains old"]
    assert "example2.test" in new.text
    assert "example.test," not in new.text


def test_thousands_of_domains_are_asked_for_at_once() -> None:
    names = tuple(f"d{number}.example.test" for number in range(3000))
    world = sound_world(domains=names)
    asked: list[str] = []

    def answer(host: FakeHost, _text: str) -> str:
        asked.append(host.name)
        return local(*names)

    for host in (world.old, world.new):
        host.on("^sendmail -bt", answer)
    assert brief(list(mail.domains(both(world)))) == ["pass domains new"]
    assert sorted(asked) == ["new", "old"]


def test_a_domain_of_virtusertable_alone_is_local_too() -> None:
    world = sound_world()
    world.new.on("^sendmail -bt", f"{MARK}\nlocalhost\n{MARK}\nexample.test\n{MARK}\n")
    assert brief(list(mail.domains(both(world)))) == ["pass domains new"]


def test_a_relaying_old_host_is_right_once_the_run_is_under_way() -> None:
    world = sound_world()
    world.old.on("^sendmail -bt", local("localhost"))
    assert brief(list(mail.domains(both(world, memory={"a": "b"})))) == ["pass domains new"]


def test_sendmail_that_does_not_answer_is_an_error_and_no_failure_of_a_domain() -> None:
    world = sound_world()
    world.new.on("^sendmail -bt", Output(78, "", "No local mailer defined"))
    with pytest.raises(CommandFailed) as raised:
        list(mail.domains(both(world)))
    assert raised.value.seen == "No local mailer defined"
    assert raised.value.host == "new"


def test_every_owner_of_mail_needs_an_account_on_the_new_host() -> None:
    world = sound_world()
    alice = {"alice": Account("alice", 1002, 1002, "/home/alice", "/bin/sh")}
    bob = {"bob": Account("bob", 1003, 1003, "/home/bob", "/bin/sh")}
    world.facts["old"] = make_facts(accounts={**ACCOUNTS, **alice, **bob}, spool=("alice", ".alice.lock"))
    world.old.on("find .*%U", "1003\n4711\n")

    (found,) = mail.accounts(both(world))

    assert brief([found]) == ["fail accounts new"]
    assert "alice, bob" in found.text


def test_a_user_number_that_differs_is_worth_a_warning() -> None:
    world = sound_world()
    moved = {**ACCOUNTS, "user01": Account("user01", 2001, 2001, "/home/user01", "/bin/sh")}
    world.facts["new"] = make_facts(accounts=moved)

    passed, warned = mail.accounts(both(world))

    assert brief([passed, warned]) == ["pass accounts new", "warn user-numbers new"]
    assert "user01 (1001 there, 2001 here)" in warned.text


def test_a_mailbox_of_nobody_and_mail_on_the_new_host_are_told() -> None:
    world = sound_world()
    world.facts["old"] = make_facts(cf=CF, spool=("root", "gone", "root.lock", ".root.cache", "BOGUS.root.x"))
    world.new.on(LOOK, "1764417600\n/var/spool/mail/root\n/var/spool/mail/odd\x01name\n")

    old, new = mail.mailboxes(both(world))

    assert brief([old, new]) == ["warn mailboxes old", "fail overwrite-new new"]
    assert old.text.endswith(": gone")
    assert "/var/spool/mail/root" in new.text


def test_other_files_that_the_last_pass_would_delete_are_told() -> None:
    world = sound_world()
    world.new.on("^(?!.*newercm).*-size", "/var/www/web1/user/index.html\0")
    (new,) = mail.mailboxes(both(world))
    assert brief([new]) == ["warn mailboxes new"]
    assert "index.html" in new.text


def test_mail_that_the_run_has_brought_is_nothing_to_warn_of() -> None:
    world = sound_world()
    world.new.on("^(?!.*newercm).*-size", "/var/spool/mail/root\0")
    assert list(mail.mailboxes(both(world, memory={"presync": "done"}))) == []


def test_room_is_counted_by_file_system_less_what_is_there() -> None:
    trees = (SyncTree("/a/", "/srv/a/"), SyncTree("/b/", "/srv/b/"), SyncTree("/c/", "/data/c/"))
    world = sound_world(sync=trees)
    world.old.on("du -skH", "600\n600\n5000\n")
    rooms = ["size 200\n/dev/sda1 9 9 999 1% /srv", "size 0\n/dev/sda1 9 9 999 1% /srv"]
    world.new.on("df -Pk", "\n".join([*rooms, "size 0\n//nas/a b 9 9 5400 - /data x"]))

    srv, data = mail.space(both(world))

    assert brief([srv, data]) == ["fail space new", "warn space new"]
    assert srv.text == "/srv has 999 kB left, and 1000 kB are to come"
    assert data.text == "/data x has 5 MB left, and 5 MB are to come"


def test_a_tree_that_is_not_there_fails() -> None:
    world = sound_world()
    world.old.on("du -skH", "absent\n")
    assert brief(list(mail.space(both(world)))) == ["fail trees old", "pass space new"]


def test_sizes_that_cannot_be_had_are_a_warning() -> None:
    world = sound_world()
    world.old.on("du -skH", "\n")
    assert brief(list(mail.space(both(world)))) == ["warn space new"]


def test_sound_hosts_pass_every_rule() -> None:
    world = sound_world()
    for rule in (mail.domains, mail.accounts, mail.mailboxes, mail.space):
        assert {finding.level for finding in rule(both(world))} == {"pass"}
    assert [text for text in world.new.unanswered if "-size" not in text] == []
