"""Mailboxes that a rollback could not bring home are told before anything moves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from migrator.errors import Refused
from migrator.hosts.base import Output
from migrator.plan import SyncTree
from migrator.steps.rules.formats import formats
from migrator.steps.survey import Survey
from tests.fakes import FakeHost, World
from tests.steps.sound import both, brief, sound_world

MESSAGE = f"Return-Path: <a@b.test>\nReceived: {'x' * 80}\n\nmail\n"


def world(tree: Path, *exclude: str) -> World:
    def run(_host: FakeHost, script: str) -> Output:
        done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return Output(done.returncode, done.stdout, done.stderr)

    found = sound_world(sync=(SyncTree(f"{tree}/", "/srv/a/", exclude),))
    found.old.on("dbox-Mails", run)
    return found


def put(tree: Path, path: str, text: str = MESSAGE) -> None:
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text(text)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("u/mdbox/storage/m.1", "mdbox of Dovecot: ./u/mdbox/storage"),
        ("u/sdbox/mailboxes/INBOX/dbox-Mails/u.7", "sdbox of Dovecot"),
        ("it's\nu/Mail/inbox/17", "MH: ./it's\nu/Mail/inbox"),
        ("u/Mail/inbox/.mh_sequences", "MH"),
        ("u/inbox.mbx", "mbx of UW IMAP"),
        ("user/alice/cyrus.header", "Cyrus IMAP"),
    ],
)
def test_what_could_not_come_home_fails_and_may_be_given_up(tmp_path: Path, path: str, told: str) -> None:
    put(tmp_path, path)
    hosts = world(tmp_path)
    (refused,) = formats(both(hosts))
    assert brief([refused]) == ["fail mailbox-formats old"]
    assert told in refused.text
    with pytest.raises(Refused, match="mailbox-formats"):
        Survey().ready(hosts.context())
    Survey().ready(hosts.context(force=frozenset({"mailbox-formats"})))


def test_maildir_mbox_and_other_files_pass(tmp_path: Path) -> None:
    for path in ("u/Maildir/cur/17", "u/Maildir/new/17", "u/mbox", "u/web/2026", "u/storage/map"):
        put(tmp_path, path, MESSAGE if "Maildir" in path else "something else\n" * 20)
    assert brief(list(formats(both(world(tmp_path))))) == ["pass mailbox-formats old"]


def test_what_the_plan_leaves_behind_need_not_come_home(tmp_path: Path) -> None:
    put(tmp_path, "u/Mail/inbox/17")
    assert brief(list(formats(both(world(tmp_path, "Mail"))))) == ["pass mailbox-formats old"]
