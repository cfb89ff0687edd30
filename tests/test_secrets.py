"""A whole migration with a marked secret leaves it nowhere: not in the journal, on the screen, or in an error."""

from __future__ import annotations

import io
import json
import os
import pickle
import traceback
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import dns.name
import dns.tsig
import pytest
from rich.console import Console

from migrator.change import DnsUpdate
from migrator.cli.outcome import Call, _as_json, _block
from migrator.engine import Engine, Rehearsal
from migrator.errors import DnsError, MigrateError
from migrator.event import Event
from migrator.executor import DryRunExecutor, copies
from migrator.executor.updates import DnsUpdater
from migrator.hosts.base import Output
from migrator.journal import Journal, Lock, read_state, summary
from migrator.plan import DnsPlan, Rfc2136Plan
from migrator.report.json_lines import JsonLines
from migrator.report.terminal import Terminal
from migrator.steps import ordered
from tests.fakes import World
from tests.net.dns_server import SOA, DnsServer, Zone
from tests.steps.simulation import SimulatedExecutor, simulated

SECRET = "bWFya2VkLW1hcmtlZC1tYXJrZWQtbWFya2Vk"
VARIABLE = "MIGRATE_TEST_TSIG"
FORMS = (SECRET, "marked-marked", "6d61726b65642d6d61726b6564")
"""The secret as it is given, as it is, and in hexadecimal."""


class SigningExecutor(SimulatedExecutor):
    """Performs on simulated hosts, and sends real updates to a real name server, by the plan."""

    def execute(self, command: object) -> bool:
        if isinstance(command, DnsUpdate):
            DnsUpdater(self.world.plan).perform(command)
        return super().execute(command)


@pytest.fixture(params=["key_env", "key_file"])
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = simulated("hold")
    zone = Zone().put("example.test.", "SOA", 3600, SOA).put("example.test.", "NS", 3600, "ns1.example.test.")
    zone.put("mail.example.test.", "A", 3600, "198.51.100.10").put("ns1.example.test.", "A", 60, "127.0.0.1")
    name = dns.name.from_text("lab.")
    zone.keys[name] = dns.tsig.Key(name, SECRET, dns.tsig.HMAC_SHA256)
    file = tmp_path / "tsig.key"
    file.touch(mode=0o600)
    if request.param == "key_file":
        file.write_text(SECRET)
    else:
        monkeypatch.setenv(VARIABLE, SECRET)
    with DnsServer(zone) as server:
        key = {"key_file": file} if request.param == "key_file" else {"key_env": VARIABLE}
        settings = Rfc2136Plan("127.0.0.1", "lab.", port=server.port, **key)
        plan = world.plan
        dns_plan = DnsPlan(update="rfc2136", rfc2136=settings, lead=plan.dns.lead, ttl=plan.dns.ttl)
        world.plan = replace(plan, dns=dns_plan)
        yield world


class Written:
    """Everything that is written while a command runs: both reports, and the state's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._screen, self._lines = io.StringIO(), io.StringIO()
        self._reports = (
            Terminal(Console(file=self._screen, width=500, highlight=False)),
            JsonLines(self._lines),
        )
        self.texts: list[str] = []

    def show(self, event: Event) -> None:
        for report in self._reports:
            report.show(event)
        self.texts.append(repr(event))

    def end(self, error: MigrateError) -> None:
        """Note what the program says of an error, `--debug` and `--json` included."""
        call = Call("run", Path("plan.toml"), debug=True)
        self.texts += [_block(error, call), json.dumps(_as_json(error, call)), repr(vars(error))]
        self.texts.append("".join(traceback.format_exception(error)))

    def expect_hidden(self) -> None:
        state = [path for path in self.folder.rglob("*") if path.is_file()]
        told = [self._screen.getvalue(), self._lines.getvalue(), *self.texts]
        told += [path.read_text() for path in state]
        told.append(json.dumps(summary(read_state(self.folder))))
        assert any("mail.example.test" in text for text in told), "there is nothing to look at"
        assert [form for form in FORMS for text in told if form in text] == []


def run(world: World, written: Written) -> None:
    with Lock(written.folder), closing(Journal(written.folder)) as journal:
        engine = Engine(ordered("hold"), SigningExecutor(world), journal, world.context(), wait=True)
        for event in engine.run(until=None):
            written.show(event)


def test_a_whole_run_and_its_rehearsal_tell_nobody(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "rehearse", lambda *_words, **_names: Output(0, "", ""))
    written = Written(tmp_path / "state" / "example-mail")
    hosts = {"old": world.old, "new": world.new}
    dry = DryRunExecutor(world.plan, hosts, notify=written.show)  # type: ignore[arg-type]
    for event in Rehearsal(ordered("hold"), dry, read_state(written.folder), world.context()).run():
        written.show(event)
    run(world, written)
    assert read_state(written.folder).complete
    assert world.names.sets["A"].addresses == ("198.51.100.20",)
    written.expect_hidden()
    assert SECRET not in repr(world.plan)
    assert SECRET.encode() not in pickle.dumps(world.plan)


@pytest.mark.parametrize("fault", ["another key", "no server", "no base64"])
def test_a_run_that_fails_for_it_tells_nobody(
    world: World, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = world.plan.dns.rfc2136
    assert settings is not None
    if fault == "another key":
        settings = replace(settings, key_name="other.")
    elif fault == "no server":
        settings = replace(settings, port=1)
    elif settings.key_file is not None:
        settings.key_file.write_text(f"{SECRET}!")
    else:
        monkeypatch.setenv(VARIABLE, f"{SECRET}!")
    world.plan = replace(world.plan, dns=replace(world.plan.dns, rfc2136=settings))
    written = Written(tmp_path / "state" / "example-mail")
    with pytest.raises(DnsError) as raised:
        run(world, written)
    written.end(raised.value)
    written.expect_hidden()


def test_what_is_written_is_its_owners_alone_under_any_umask(world: World, tmp_path: Path) -> None:
    written = Written(tmp_path / "state" / "example-mail")
    before = os.umask(0)
    try:
        run(world, written)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (written.folder, *written.folder.rglob("*"))}
    assert modes == {"example-mail": 0o700, "journal.jsonl": 0o600, "lock": 0o600}
