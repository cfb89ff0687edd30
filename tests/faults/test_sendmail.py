"""Sendmail, or what makes its configuration, is broken."""

from __future__ import annotations

import pytest

from tests.faults.mail_host import calm, configuration, expect_words, listener, refused
from tests.faults.outcome import Outcome
from tests.lab.driver import change_of, killed_at, running, start_of, succeed
from tests.lab.lab import Lab
from tests.lab.world import expect_moved

PROVIDER = "/etc/mail/m4/provider.m4"
"""A file that Debian's sendmail.mc includes; what it adds shows in sendmail.cf alone."""


@pytest.mark.fault("sendmail.mc includes what no daemon starts with")
def test_a_configuration_that_cannot_be_loaded_is_not_loaded(lab: Lab, outcome: Outcome) -> None:
    with calm(lab) as stage:
        for role, step in (("new", "exempt-old"), ("old", "relay")):
            lab.shell(role, f"cp -p {PROVIDER} /root/ && echo 'O NoSuchOption=1' >>{PROVIDER}")
            before = listener(lab, role), configuration(lab, role)
            told = refused(lab, 3, "--until", step)
            expect_words(told, f"{role} host", "is not what /etc/mail/sendmail.mc makes", "+O NoSuchOption=1")
            told = refused(lab, 1, "--until", step, "--force", "edited-cf")
            expect_words(told, step, f"{role} host", "cannot load the new sendmail.cf", "NoSuchOption")
            assert (listener(lab, role), configuration(lab, role)) == before
            outcome.hit(f"{step}: exit 1 names it, the files are as before and the daemon goes on")
            lab.shell(role, f"cp -p /root/provider.m4 {PROVIDER}")
            succeed(lab, "run", "--yes", "--until", "presync" if role == "new" else step)
            stage.readers.stop()
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault("Sendmail does not start on the new host after the copy")
def test_sendmail_does_not_start(lab: Lab, outcome: Outcome) -> None:
    with calm(lab) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        with running(lab) as run:
            run.wait_for(start_of("final-copy"))
            lab.shell(
                "new", "cp -p /etc/mail/sendmail.cf /root/ && echo 'O NoSuchOption=1' >>/etc/mail/sendmail.cf"
            )
            code = run.end()
        failure = run.seen[-1]
        assert (code, failure["step"]) == (1, "open-to-old"), failure
        expect_words(str(failure), "does not listen", "NoSuchOption", "'host': 'new'")
        outcome.hit("open-to-old: exit 1 says why, the old host queues, and the next run went on")
        lab.shell("new", "cp -p /root/sendmail.cf /etc/mail/sendmail.cf")
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault("m4 or makemap is missing on a host")
@pytest.mark.parametrize("program", ["m4", "makemap"])
def test_a_program_is_missing(lab: Lab, outcome: Outcome, program: str) -> None:
    path = lab.shell("old", f"command -v {program}").strip()
    away, back = f"mv {path} {path}.away", f"mv {path}.away {path}"
    with calm(lab) as stage:
        for role in ("old", "new"):
            lab.shell(role, away)
        expect_words(refused(lab, 3, command="check"), f"missing: {program}", "old", "new", "apt-get install")
        expect_words(refused(lab, 3, "--dry-run"), f"missing: {program}", "apt-get install")
        expect_words(refused(lab, 3), f"missing: {program}", "apt-get install")
        outcome.hit("before: check, rehearsal and run refuse with exit 3 and name the package", times=2)
        lab.shell("old", back)
        lab.shell("new", back)
        succeed(lab, "run", "--until", "backup")
        for role, step in (("new", "exempt-old"), ("old", "relay")):
            lab.shell(role, away)
            before = listener(lab, role), configuration(lab, role)
            told = refused(lab, 1)
            expect_words(told, step, f"{role} host", f"the program {program} is missing: install the package")
            assert (listener(lab, role), configuration(lab, role)) == before
            outcome.hit(f"{step}: exit 1 names it, the files are as before and the daemon goes on")
            lab.shell(role, back)
            if role == "new":
                succeed(lab, "run", "--until", "presync")
                stage.readers.stop()
        succeed(lab, "run", "--yes", "--wait")
        outcome.settle(stage)
    expect_moved(lab)


TREES = """
cd /etc/mail
sed -i -e "s|^FEATURE(.access_db.*|FEATURE(\\`access_db', \\`btree -T<TMPF> /etc/mail/access', \\`skip')dnl|" \\
    -e "/^FEATURE(.virtusertable/i FEATURE(\\`mailertable', \\`btree -o /etc/mail/mailertable.db')dnl" sendmail.mc
touch mailertable
make >/dev/null 2>&1; make >/dev/null 2>&1
for map in access mailertable; do rm -f $map.db; makemap btree $map <$map; chgrp smmsp $map.db; chmod 640 $map.db; done
service sendmail restart
"""
MAGIC = "for map in access mailertable; do od -An -tx4 -j12 -N4 /etc/mail/$map.db; done"
BTREE = "00053162"


@pytest.mark.fault("the maps are of another type than hash (btree)")
def test_maps_are_trees(lab: Lab, outcome: Outcome) -> None:
    for role in ("old", "new"):
        lab.shell(role, TREES)
        assert set(lab.shell(role, MAGIC).split()) == {BTREE}
    with calm(lab) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        succeed(lab, "run", "--yes", "--wait")
        assert set(lab.shell("old", MAGIC).split()) == {BTREE}
        outcome.hit("they are rebuilt as what sendmail.cf says they are")
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault("make is missing on both hosts")
def test_make_is_missing(lab: Lab, outcome: Outcome) -> None:
    for role in ("old", "new"):
        lab.shell(role, "mv /usr/bin/make /usr/bin/make.away")
    told = refused(lab, 0, command="check")
    expect_words(told, "make is missing", "install make")
    with calm(lab) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        succeed(lab, "run", "--yes", "--wait")
        outcome.hit("check warns; m4 and makemap do it alone")
        outcome.settle(stage)
    expect_moved(lab)


NOTE = "dnl a note of somebody else"


@pytest.mark.fault("somebody else edits sendmail.mc while the run is away")
def test_another_edits_the_source(lab: Lab, outcome: Outcome) -> None:
    with calm(lab) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        killed_at(lab, change_of("relay"))
        lab.shell("old", f"flock -w 60 /run/lock/migrate-lab true; sed -i '1i {NOTE}' /etc/mail/sendmail.mc")
        before = listener(lab, "old"), configuration(lab, "old")
        told = refused(lab, 1)
        expect_words(told, "relay", "old host", "/etc/mail/sendmail.mc was changed by somebody else")
        assert (listener(lab, "old"), configuration(lab, "old")) == before
        outcome.hit("exit 1 names the file and writes nothing; the next run keeps the edit", kills=1)
        succeed(lab, "run", "--yes", "--wait")
        assert NOTE in lab.shell("old", "cat /etc/mail/sendmail.mc")
        outcome.settle(stage)
    expect_moved(lab)
