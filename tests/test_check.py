"""`check` tells everything it can, and ends early for nothing."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from migrator.check import Finding, Level, check
from migrator.errors import DnsError, HostKeyError
from migrator.hosts.base import Output
from migrator.hosts.facts import HostFacts
from migrator.net.question import Answer
from migrator.steps.base import Context
from migrator.steps.rules import RULES, hosts
from migrator.steps.survey import Survey
from tests.fakes import FakeNames, World
from tests.steps.sound import brief, sound_world


def exchangers(domain: str, nameservers: Sequence[str]) -> Sequence[str]:
    return ("mail.example.test",)


def findings(world: World, context: Context | None = None) -> list[Finding]:
    return list(check(context or world.context(), exchangers))


def test_hosts_that_may_be_moved_as_they_are_pass_everything() -> None:
    world = sound_world()
    found = findings(world)
    assert {one.level for one in found} == {Level.PASS}
    assert brief(found)[:2] == ["pass reachable old", "pass reachable new"]
    assert world.old.performed == world.new.performed == []


def test_a_host_that_cannot_be_reached_keeps_nothing_else_from_being_told() -> None:
    world = sound_world()

    def facts(name: str) -> HostFacts:
        if name == "new":
            raise HostKeyError("the host key is unknown", host="new", seen="SHA256:x", advice="ssh-keyscan")
        return world.facts[name]

    found = findings(world, world.context(facts=facts))

    assert brief(found)[:2] == ["pass reachable old", "fail reachable new"]
    assert found[1].text == "the host key is unknown: SHA256:x"
    assert found[1].advice == "ssh-keyscan"
    assert "pass ttl operator" in brief(found)
    assert "pass mx operator" in brief(found)
    assert not any(one.name == "system" for one in found)


def test_a_rule_that_cannot_look_is_a_failure_of_its_own() -> None:
    world = sound_world()
    world.new.on("^sendmail -bt", Output(78, "", "no local mailer"))

    class Silent(FakeNames):
        def authoritative(self, name: str) -> tuple[Answer, ...]:
            raise DnsError("no zone is found")

    world.names = Silent()
    found = brief(findings(world))

    assert "fail domains new" in found
    assert "fail records operator" in found
    assert "pass space new" in found


def test_mail_for_a_domain_that_goes_elsewhere_is_a_warning() -> None:
    world = sound_world()

    def elsewhere(domain: str, nameservers: Sequence[str]) -> Sequence[str]:
        return ("filter.example.net",)

    def silent(domain: str, nameservers: Sequence[str]) -> Sequence[str]:
        raise DnsError("no name server tells the MX")

    for mail_exchangers in (elsewhere, silent, lambda domain, nameservers: ()):
        last = list(check(world.context(), mail_exchangers))[-1]
        assert (last.name, last.level) == ("mx", Level.WARN)


def test_the_name_servers_are_asked_for_several_domains_at_a_time_and_told_of_in_their_order() -> None:
    world = sound_world()
    domains = tuple(f"d{number}.example.test" for number in range(16))
    world.plan = replace(world.plan, domains=domains)
    together = threading.Barrier(8)

    def asked(domain: str, nameservers: Sequence[str]) -> Sequence[str]:
        together.wait(10)
        if domain == domains[3]:
            raise DnsError("no name server tells the MX of d3")
        return (world.plan.mail_host,)

    found = [one for one in check(world.context(), asked) if one.name == "mx"]
    assert len(found) == len(domains)
    assert [one.text.split()[2] for number, one in enumerate(found) if number != 3] == [
        domain for number, domain in enumerate(domains) if number != 3
    ]
    assert (found[3].level, found[3].text) == (Level.WARN, "no name server tells the MX of d3")


def test_a_run_begins_with_the_same_rules() -> None:
    world = sound_world()
    found = [finding for rule in RULES for finding in rule(world.context())]
    assert set(brief(found)) == set(brief(findings(world))) - {
        *("pass reachable old", "pass reachable new", "pass mx operator")
    }
    assert RULES[0] is hosts
    Survey().ready(world.context())
