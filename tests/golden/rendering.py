"""Renders every text of a migration between simulated hosts, under both strategies, and the texts of its passes."""

from __future__ import annotations

import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from migrator.engine import Engine, Rehearsal
from migrator.event import Event, Kind
from migrator.journal import Journal, State, read_state, summary
from migrator.plan.shapes import Strategy
from migrator.report.json_lines import as_json
from migrator.steps import ordered
from migrator.steps.homeward import homeward, turning
from tests.fakes import FakeDryRun, FakeHost, World
from tests.golden import passes
from tests.steps.simulation import SimulatedExecutor, simulated

FILES = Path(__file__).with_name("files")
STRATEGIES: tuple[Strategy, ...] = ("hold", "firewall")
RANDOM = re.compile(r"(?<![0-9a-f])(?:[0-9a-f]{32}|[0-9a-f]{16})(?![0-9a-f])")
"""What is drawn by chance: the marks of answers, and the number of a run."""
LONG = 300
"""Characters from which on a text of the journal is told by its length: whole it stands with its step."""


@dataclass
class Recorder:
    """Notes what each host was asked, in which step. A text that was noted before is told by where it stands."""

    place: str = ""
    texts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    known: dict[str, str] = field(default_factory=dict)

    def follow(self, host: FakeHost, strategy: str) -> None:
        """Note what this host is asked from now on."""
        answer = host._answer

        def noting(text: str, *, looking: bool) -> Any:
            name = f"{strategy}/{self.place}-{host.name}.txt"
            plain = _plain(text)
            what = f"as {self.known[plain]}\n" if plain in self.known else plain
            if len(plain) > LONG:
                self.known.setdefault(plain, f"{name}, {len(self.texts[name]) + 1}")
            self.texts[name].append(f"{'look' if looking else 'do'}\n{what}")
            return answer(text, looking=looking)

        host._answer = noting  # type: ignore[method-assign]


def rendered() -> Mapping[str, str]:
    """Return every text by the path of its file."""
    texts: dict[str, str] = {}
    known: dict[str, str] = {}
    for strategy in STRATEGIES:
        texts |= migration(strategy, known)
    texts |= {f"passes/{name}": text for name, text in passes.rendered().items()}
    return {name: _plain(text) for name, text in texts.items()}


def migration(strategy: Strategy, known: dict[str, str]) -> dict[str, str]:
    """Return what a whole run and its rollback tell hosts, the journal, and whoever reads JSON or a dry run.

    `known` tells where texts stand that need not be told again.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(mock.patch("platform.node", return_value="desk"))
        # One after the other, for the order is compared.
        stack.enter_context(mock.patch("migrator.steps.common.at_once.MOST", 1))
        return _migration(strategy, Path(folder) / "state" / "example-mail", Recorder(known=known))


def _migration(strategy: Strategy, folder: Path, recorder: Recorder) -> dict[str, str]:
    world = simulated(strategy)
    dry = Rehearsal(ordered(strategy), FakeDryRun(), State(), world.context())
    texts = {f"{strategy}/dry-run.jsonl": _lines(dry.run())}
    for host in (world.old, world.new):
        recorder.follow(host, strategy)
    places = {step.name: f"{number:02d}-{step.name}" for number, step in enumerate(ordered(strategy))}
    with _engine(world, strategy, folder) as engine:
        texts[f"{strategy}/run.jsonl"] = _lines(_placed(engine.run(), recorder, places))
    texts[f"{strategy}/status.json"] = _pretty(summary(read_state(folder)))
    recorder.place = "rollback"
    with _engine(world, strategy, folder) as engine:
        texts[f"{strategy}/rollback.jsonl"] = _lines(engine.rollback())
    texts[f"{strategy}/status-rolled-back.json"] = _pretty(summary(read_state(folder)))
    journal = (folder / "journal.jsonl").read_text().splitlines()
    texts[f"{strategy}/journal.jsonl"] = "".join(
        f"{json.dumps(_short(json.loads(line)))}\n" for line in journal
    )
    for name, asked in recorder.texts.items():
        texts[name] = "".join(f"===== {number}: {text.rstrip()}\n" for number, text in enumerate(asked, 1))
    return texts


@contextmanager
def _engine(world: World, strategy: Strategy, folder: Path) -> Iterator[Engine]:
    with closing(Journal(folder)) as journal:
        executor = SimulatedExecutor(world)
        yield Engine(
            ordered(strategy),
            executor,
            journal,
            world.context(memory=read_state(folder).memory),
            homeward=homeward(),
            turning=turning(),
            wait=True,
        )


def _placed(events: Iterator[Event], recorder: Recorder, places: Mapping[str, str]) -> Iterator[Event]:
    for event in events:
        if event.kind is Kind.STEP_STARTED and event.step:
            recorder.place = places[event.step]
        yield event


def _lines(events: Iterator[Event]) -> str:
    return "".join(f"{json.dumps(_short(as_json(event)))}\n" for event in events)


def _pretty(told: Any) -> str:
    return json.dumps(told, indent=1) + "\n"


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _short(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_short(each) for each in value]
    if isinstance(value, str) and len(value) > LONG:
        return f"{len(value)} characters"
    return value


def _plain(text: str) -> str:
    return RANDOM.sub(lambda found: "0" * len(found[0]), text)
