"""A host that relays goes on refusing whom it refused before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from migrator.plan.shapes import CutoverPlan
from migrator.sendmail import known as rules
from migrator.steps.common import late
from migrator.steps.farewell import Farewell
from migrator.steps.flush import Flush
from migrator.steps.relay import TOLD, Relay
from migrator.steps.verify_dns import VerifyDns
from tests.fakes import NOON
from tests.steps.stage import Stage, edits, summaries, undone

CF = b"Kvirtuser hash -o /etc/mail/virtusertable\nO AliasFile=/etc/aliases\n"


def refusing(*users: str):  # type: ignore[no-untyped-def] # the handler of a FakeHost
    """Return a `sendmail -bv` to which these users are unknown."""
    return lambda _host, text: "".join(
        f"{one}... User unknown\n"
        if one.partition("@")[0] in users
        else f"{one}... deliverable: mailer local, user x\n"
        for one in text.split()[2:]
    )


@pytest.fixture
def stage() -> Stage:
    stage = Stage(Relay())
    stage.old.files["/etc/mail/sendmail.cf"] += CF
    stage.facts("old", cf=stage.old.files["/etc/mail/sendmail.cf"].decode())
    stage.old.files["/etc/mail/virtusertable"] = b"info@example.test\tuser01\nx+*@example.test\tuser01\n"
    stage.old.files["/etc/aliases"] = b"postmaster: root\nonlyold: user01\n"
    stage.old.on("^sendmail -bv", refusing("migrate-no-such-user"))
    stage.new.on("^sendmail -bv", refusing("migrate-no-such-user", "onlyold"))
    return stage


def test_what_it_knows_is_listed_and_what_the_other_lacks_is_told(stage: Stage) -> None:
    changes = stage.look()
    texts = edits(changes[0])
    listed = texts[rules.PATH] or ""
    for line in (
        "@example.test\tNAMES",
        "info@example.test\tOK",
        "x+*@example.test\tOK",
        "postmaster\tOK",
        "onlyold\tLATER",
    ):
        assert line in listed.split("\n")
    assert "SMigrateKnown" in (texts["/etc/mail/sendmail.mc"] or "")
    stage.memory.update(changes[0].remember)
    told = stage.look()[-1]
    assert "does not know onlyold" in summaries([told])[0]
    assert told.remember == {TOLD: "yes"}


def test_a_host_that_takes_everyone_goes_on_doing_so(stage: Stage) -> None:
    stage.old.on("^sendmail -bv", refusing())
    assert rules.PATH not in edits(stage.look()[0])


def test_users_that_stand_in_no_file_cannot_be_listed(stage: Stage) -> None:
    stage.old.files["/etc/mail/sendmail.cf"] += b"O AliasFile=ldap:-k (x=%0)\n"
    assert rules.PATH not in edits(stage.look()[0])


def test_the_limit_of_the_new_host_is_the_old_ones(stage: Stage) -> None:
    stage.facts("new", cf="O MaxMessageSize=1000000\n")
    assert "define(`confMAX_MESSAGE_SIZE', `995904')" in (
        edits(stage.look()[0])["/etc/mail/sendmail.mc"] or ""
    )


def listed(stage: Stage, *domains: str) -> list[str]:
    """Return the lines of the list for these domains of the plan."""
    stage.plan(domains=domains)
    stage.old.files["/etc/mail/local-host-names"] = "".join(f"{one}\n" for one in domains).encode()
    return (edits(stage.look()[0])[rules.PATH] or "").split("\n")


def test_a_domain_that_refuses_by_its_catch_all_tells_nothing_of_names(stage: Stage) -> None:
    stage.old.files["/etc/mail/virtusertable"] = b"@virtual.test\terror:nouser 550 No such user\n"
    stage.new.on(
        "^sendmail -bv",
        lambda _host, text: "".join(
            f"{one}... {'No such user' if one.endswith('@virtual.test') else 'deliverable: mailer local, user x'}\n"
            for one in text.split()[2:]
        ),
    )
    found = listed(stage, "virtual.test", "example.test")
    assert "@virtual.test\tKEYS" in found
    assert "@example.test\tNAMES" in found
    assert "onlyold\tOK" in found
    assert not [line for line in found if line.endswith("LATER")]


def test_a_domain_that_is_another_by_its_catch_all_knows_whom_that_one_knows(stage: Stage) -> None:
    table = b"info@example.test\tuser01\nx+*@example.test\tuser01\n@other.test\t%1%3@example.test\n"
    stage.old.files["/etc/mail/virtusertable"] = table
    found = listed(stage, "example.test", "other.test")
    for line in ("@other.test\tNAMES", "info@other.test\tOK", "x+*@other.test\tOK", "postmaster\tOK"):
        assert line in found


def test_a_domain_whose_catch_all_makes_other_names_takes_everyone(stage: Stage) -> None:
    table = b"@other.test\t%1-other@example.test\n@third.test\t%1@fourth.test\n@fourth.test\tx-%1\n"
    stage.old.files["/etc/mail/virtusertable"] = table
    found = listed(stage, "example.test", "other.test", "third.test")
    assert "@example.test\tNAMES" in found
    assert not [line for line in found if "@other.test" in line or "@third.test" in line]


def test_a_name_that_nobody_can_ask_about_is_known_all_the_same(stage: Stage) -> None:
    stage.old.files["/etc/aliases"] = "postmaster: root\nmüller: user01\n".encode()
    found = listed(stage, "example.test")
    assert "müller\tOK" in found


def test_a_list_of_another_migration_gets_the_domains_of_this_one_too(stage: Stage) -> None:
    stage.old.files[rules.PATH] = b"@earlier.test\tNAMES\nbob\tOK\n"
    found = listed(stage, "example.test")
    for line in ("@earlier.test\tNAMES", "bob\tOK", "@example.test\tNAMES", "onlyold\tLATER"):
        assert line in found


def test_a_list_that_has_the_domains_stays_as_it_is(stage: Stage) -> None:
    stage.old.files[rules.PATH] = b"@example.test\tNAMES\nbob\tOK\n"
    assert rules.PATH not in edits(stage.look()[0])


def test_the_list_says_until_when_the_plan_lets_the_answer_be_450(stage: Stage) -> None:
    stage.plan(cutover=CutoverPlan(late_mail=timedelta(hours=4)))
    assert f"until:\t{int(NOON.timestamp()) + 4 * 3600}" in listed(stage, "example.test")
    stage.memory.update(stage.look()[0].remember)
    assert "with 450 from now on for 4 h" in summaries(stage.look())[-1]


def test_rules_of_an_earlier_version_are_not_defined_twice(stage: Stage) -> None:
    stage.old.files["/etc/mail/sendmail.mc"] += b"LOCAL_RULESETS\nSMigrateKnown\nR$*\t$: $1\n"
    assert (edits(stage.look()[0])["/etc/mail/sendmail.mc"] or "").count("SMigrateKnown") == 1


@pytest.fixture
def relaying(stage: Stage) -> Stage:
    """Return an old host that relays, and answers two whom the new one does not know for now."""
    stage.memory[late.LATER] = "onlyold, box+*@example.test"
    stage.old.files[rules.PATH] = (
        b"@keys.test\tKEYS\n@example.test\tNAMES\nonlyold\tLATER\nbox+*@example.test\tLATER\nuntil:\t1796000000\n"
    )
    return stage


@pytest.mark.parametrize("step", [Flush, VerifyDns, Farewell])
def test_whom_the_new_host_knows_by_now_is_taken_again(relaying: Stage, step: type) -> None:
    relaying.new.on("^sendmail -bv", refusing("box+migrate-detail"))
    relaying.step = step()
    change = next(one for one in relaying.look() if "take onlyold on the old host again" in one.summary)
    assert "onlyold\tOK" in (edits(change)[rules.PATH] or "")
    assert "box+*@example.test\tLATER" in (edits(change)[rules.PATH] or "")
    assert "onlyold\tLATER" in (undone(change)[rules.PATH] or "")
    assert change.remember[late.LATER] == "box+*@example.test"


def test_where_all_are_still_unknown_or_nobody_was_told_nothing_is_changed(relaying: Stage) -> None:
    relaying.new.on("^sendmail -bv", refusing("box+migrate-detail", "onlyold"))
    assert list(late.learned(relaying.context())) == []
    assert any("does not know onlyold, box" in line for line in summaries(Stage(Farewell()).look())) is False
    relaying.step = Farewell()
    assert "does not know onlyold, box+*@example.test" in summaries(relaying.look())[0]
    del relaying.memory[late.LATER]
    assert list(late.learned(relaying.context())) == []
