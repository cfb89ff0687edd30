"""Records are changed by the way of the plan, and the secret shows nowhere."""

import sys
from pathlib import Path
from typing import Any

import pytest

from migrator.change import AddressSet, DnsUpdate
from migrator.errors import CommandFailed, DnsError
from migrator.executor import updates
from migrator.net.nameserver import Server
from migrator.net.resolver import Resolver
from migrator.plan import DnsPlan, LexiconPlan, Rfc2136Plan
from tests.fakes import make_plan

MOVE = DnsUpdate("mail.example.test", (AddressSet("A", ("198.51.100.20",), 900), AddressSet("AAAA", (), 900)))
SECRET = "c2VjcmV0IG9mIHRoZSBsYWI="


class Sent:
    """What went to the name server."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[Any, ...]] = []
        monkeypatch.setattr(updates, "update", lambda *words: self.calls.append(words))
        monkeypatch.setattr(Resolver, "zone", lambda _self, _name: _Zone())
        monkeypatch.setattr(
            Resolver,
            "authoritative",
            lambda _self, _name: (Server("ns.example.test", "198.51.100.53"),),
        )


class _Zone:
    def to_text(self) -> str:
        return "example.test."


def test_a_signed_message_goes_to_the_server_of_the_plan(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sent = Sent(monkeypatch)
    key = tmp_path / "tsig.key"
    key.write_text(SECRET)
    key.chmod(0o600)
    for settings, environment in (
        (Rfc2136Plan("198.51.100.53", "lab.", port=5353, key_file=key), {}),
        (Rfc2136Plan("ns.example.test", "lab.", key_env="SECRET"), {"SECRET": SECRET}),
    ):
        plan = make_plan(dns=DnsPlan(update="rfc2136", rfc2136=settings))
        updates.DnsUpdater(plan, environment).perform(MOVE)
    (first, zone, name, sets, tsig), (second, *_rest) = sent.calls
    assert (first.address, first.port, zone, name, sets) == (
        *("198.51.100.53", 5353, "example.test.", "mail.example.test"),
        MOVE.sets,
    )
    assert second.name == "ns.example.test"
    assert (tsig.name, tsig.secret.reveal()) == ("lab.", SECRET)
    assert SECRET not in repr(tsig)


def test_a_missing_secret_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Sent(monkeypatch)
    plan = make_plan(
        dns=DnsPlan(update="rfc2136", rfc2136=Rfc2136Plan("198.51.100.53", "lab.", key_env="SECRET"))
    )
    with pytest.raises(DnsError, match="SECRET is not set"):
        updates.DnsUpdater(plan, {}).perform(MOVE)


def test_the_operators_program_gets_the_records_as_arguments(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"import sys; open({str(tmp_path / 'seen')!r}, 'w').write(repr(sys.argv[1:]))")
    plan = make_plan(dns=DnsPlan(update="command", command=(sys.executable, str(program), "own")))
    updates.DnsUpdater(plan).perform(MOVE)
    wanted = ["own", "mail.example.test", "A", "900", "198.51.100.20", "AAAA", "900", "-"]
    assert (tmp_path / "seen").read_text() == repr(wanted)


def test_a_program_that_fails_or_is_missing_says_so() -> None:
    failing = (sys.executable, "-c", "import sys; sys.exit('no such zone')")
    with pytest.raises(CommandFailed) as caught:
        updates.DnsUpdater(make_plan(dns=DnsPlan(update="command", command=failing))).perform(MOVE)
    assert (caught.value.seen, caught.value.host) == ("no such zone", "operator")
    with pytest.raises(DnsError, match="could not change"):
        updates.DnsUpdater(make_plan(dns=DnsPlan(update="command", command=("/none/program",)))).perform(MOVE)


def test_what_a_program_says_is_told_without_the_secrets_of_its_environment() -> None:
    failing = (
        *(sys.executable, "-c"),
        "import os, sys; sys.exit('no access with ' + os.environ['PROVIDER_TOKEN'])",
    )
    plan = make_plan(dns=DnsPlan(update="command", command=failing))
    with pytest.raises(CommandFailed) as caught:
        updates.DnsUpdater(plan, {"PROVIDER_TOKEN": SECRET}).perform(MOVE)
    assert caught.value.seen == "no access with ********"


def test_lexicon_is_told_the_zone_and_each_record() -> None:
    plan = make_plan(dns=DnsPlan(update="lexicon", lexicon=LexiconPlan("cloudflare")))
    shown = updates.DnsUpdater(plan).words(MOVE)
    assert (
        "lexicon cloudflare update example.test A --name=mail.example.test --ttl=900 --content=198.51.100.20"
        in shown
    )
    assert "lexicon cloudflare delete example.test AAAA --name=mail.example.test" in shown
