"""What keeps a domain at home, whatever fills the class, is refused before anything is changed."""

from __future__ import annotations

import pytest

from migrator.errors import Refused, VerifyFailed
from migrator.steps.common import locality
from migrator.steps.common.configure import CF, read
from migrator.steps.common.relaying import expect_route
from migrator.steps.relay import Relay
from migrator.steps.rules import routes
from migrator.steps.rules.finding import look_at_both
from tests.steps.sound import MARK, brief
from tests.steps.stage import Stage

# `VIRTUSER_DOMAIN` in the .mc makes such a line (cf/README, "virtusertable").
BY_THE_MC = b"C{VirtHost}example.test shop.example.test\n"


@pytest.fixture
def stage() -> Stage:
    return Stage(Relay())


def configured(stage: Stage, lines: bytes, host: str = "old") -> None:
    one = stage.old if host == "old" else stage.new
    one.files[CF] += lines
    stage.facts(host, cf=one.files[CF].decode())


def in_class(stage: Stage, name: str, *members: str) -> None:
    """Let Sendmail say that a class has these members, and class w those of its file."""

    def answer(_host: object, text: str) -> str:
        said = {f"{{{name}}}" if len(name) > 1 else name: members}
        said.setdefault("w", ("localhost", "example.test"))
        asked = [line[2:] for line in text.splitlines() if line.startswith("$=")]
        return f"{MARK}\n" + "".join(
            "".join(f"{one}\n" for one in said.get(word, ())) + f"{MARK}\n" for word in asked
        )

    stage.old.on(r"^sendmail -bt .*VirtHost", answer)


class TestRefused:
    def test_a_domain_of_virtuser_domain_cannot_leave(self, stage: Stage) -> None:
        configured(stage, BY_THE_MC)
        with pytest.raises(Refused, match=r"cannot stop delivering example\.test to itself") as refused:
            stage.look()
        assert "C{VirtHost} lines name example.test, shop.example.test" in str(refused.value.seen)
        assert "VIRTUSER_DOMAIN" in str(refused.value.advice)
        assert stage.old.performed == []

    @pytest.mark.parametrize(
        "line", [b"F{VirtHost}|/etc/mail/hosted\n", b"F{VirtHost}@ldap:-k (x) -v y\n"], ids=["program", "map"]
    )
    def test_a_class_that_no_file_fills_is_asked_of_sendmail(self, stage: Stage, line: bytes) -> None:
        configured(stage, line)
        in_class(stage, "VirtHost", "Example.Test")
        with pytest.raises(Refused, match=r"cannot stop delivering example\.test") as refused:
            stage.look()
        assert "class {VirtHost} holds example.test, and no file that fills it" in str(refused.value.seen)

    def test_so_is_class_w(self, stage: Stage) -> None:
        in_class(stage, "w", "localhost", "example.test")
        stage.old.files["/etc/mail/local-host-names"] = b"localhost\n"
        with pytest.raises(Refused, match="cannot stop delivering") as refused:
            stage.look()
        assert "class w holds example.test" in str(refused.value.seen)

    def test_ldap_routing_comes_before_mailertable(self, stage: Stage) -> None:
        configured(stage, b"C{LDAPRoute}example.test\n")
        with pytest.raises(Refused, match="cannot stop delivering"):
            stage.look()

    def test_a_parent_counts_where_the_whole_domain_is_mapped(self, stage: Stage) -> None:
        stage.plan(domains=("shop.example.org",))
        configured(stage, b"C{VirtHost}example.org\n")
        assert stage.look()
        configured(stage, b"R<!> $+ < @ $* $={VirtHost} . >\t$: < $(virtuser $1 @ $2 $3 $) > $1\n")
        with pytest.raises(Refused, match=r"cannot stop delivering shop\.example\.org"):
            stage.look()

    def test_a_file_of_the_class_is_cleared(self, stage: Stage) -> None:
        configured(stage, b"F{VirtHost}/etc/mail/hosted\n")
        stage.old.files["/etc/mail/hosted"] = b"example.test\n"
        in_class(stage, "VirtHost", "example.test")
        assert stage.look()


class TestCheck:
    def test_the_old_host_fails_and_the_new_one_is_told(self, stage: Stage) -> None:
        configured(stage, BY_THE_MC)
        configured(stage, BY_THE_MC, "new")
        found = list(routes.movable(look_at_both(stage.context())))
        assert brief(found) == ["fail local-domains old", "warn local-domains new"]
        assert "C{VirtHost} lines name" in found[0].text

    def test_the_own_name_counts_too(self, stage: Stage) -> None:
        stage.plan(domains=("mail.example.test",))
        found = list(routes.movable(look_at_both(stage.context())))
        assert brief(found)[0] == "fail local-domains old"
        assert "its own name is mail.example.test" in found[0].text

    def test_domains_of_files_pass(self, stage: Stage) -> None:
        found = list(routes.movable(look_at_both(stage.context())))
        assert brief(found) == ["pass local-domains old", "pass local-domains new"]


class TestAsked:
    def test_keys_aliases_and_accounts_are_asked_for(self, stage: Stage) -> None:
        configured(stage, b"Kvirtuser hash -o /etc/mail/virtusertable\nO AliasFile=/etc/aliases\n")
        stage.old.files["/etc/mail/virtusertable"] = b"info@example.test\tuser03\n"
        asked = locality.addresses(stage.context(), "old", read(stage.context(), "old"))
        assert {f"{user}@example.test" for user in (locality.PROBE, "info", "postmaster", "user01")} <= set(
            asked
        )

    def test_of_thousands_of_domains_each_is_asked_for_once_and_the_first_for_nobody_too(
        self, stage: Stage
    ) -> None:
        domains = tuple(f"d{number}.example.test" for number in range(6000))
        stage.plan(domains=domains)
        configured(stage, b"Kvirtuser hash -o /etc/mail/virtusertable\nO AliasFile=/etc/aliases\n")
        # In the last domain virtusertable names everybody whom another table names.
        keys = "".join(f"{name}@{domains[-1]}\tuser03\n" for name in ("root", "user01", "postmaster"))
        stage.old.files["/etc/mail/virtusertable"] = keys.encode()
        asked = locality.addresses(stage.context(), "old", read(stage.context(), "old"))
        assert {one.partition("@")[2] for one in asked} == set(domains)
        nobody = [one.partition("@")[2] for one in asked if one.startswith(f"{locality.PROBE}@")]
        assert nobody == [*domains[: locality.FEW], domains[-1]]

    def test_while_mail_waits_some_stand_for_all(self, stage: Stage) -> None:
        every = tuple(f"user{number}@example.test" for number in range(12_345))
        chosen = locality.some_of(every)
        assert len(chosen) <= locality.FEW
        assert chosen[0] == every[0]
        assert every.index(chosen[-1]) > 12_000
        assert locality.some_of(every[:7]) == every[:7]
        assert locality.some_of(()) == ()

    def test_one_address_that_stays_fails_though_the_probe_passes(self, stage: Stage) -> None:
        stage.perform()
        configured(stage, b"Kvirtuser hash -o /etc/mail/virtusertable\n")
        stage.old.files["/etc/mail/virtusertable"] = b"info@example.test\tuser03\n"

        def answer(_host: object, text: str) -> str:
            return "".join(
                f"{one}... deliverable: mailer local, user user03\n"
                if one.startswith("info@")
                else f"{one}... deliverable: mailer esmtp, host [198.51.100.20], user {one}\n"
                for one in text.split()[2:]
            )

        stage.old.on("^sendmail -bv", answer)
        with pytest.raises(VerifyFailed, match=r"does not relay info@example\.test"):
            expect_route(stage.context(), "old")

    def test_before_the_daemon_loads_them_the_files_are_asked_about_all(self, stage: Stage) -> None:
        switch = stage.perform()[1]
        assert "user01@example.test\n" in switch.do.then  # type: ignore[union-attr]
        assert "xargs -0" in switch.do.then  # type: ignore[union-attr]
