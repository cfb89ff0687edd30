"""A new host that hides its port by rules of its own, which no look at the migration's sees: all goes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.errors import GoBack
from migrator.journal import read_state
from migrator.steps.common import holding
from tests.engine.bench import Killed
from tests.steps.simulation import SimulatedHost, simulated
from tests.steps.stage import queue, queued
from tests.steps.test_contract import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench("hold", tmp_path / "state" / "example-mail", simulated("hold"))


def texts(bench: Bench) -> list[str]:
    """Return the line of each change in the journal, in the order in which they were planned."""
    return [deed.summary for deed in read_state(bench.folder).deeds]


def hide_from(bench: Bench, step: str) -> object:
    """Do all before a step, and return what a cutover's way back has to bring back."""
    bench.run_to("close-new")
    before = bench.picture()
    bench.run_to(step)
    bench.hosts[1].hidden = True
    return before


def test_it_goes_back_and_a_later_run_moves_the_mail(bench: Bench) -> None:
    before = hide_from(bench, "open-to-old")
    with pytest.raises(GoBack, match="no mail was seen to reach the new host: 60 s") as gone:
        bench.run(until=None)
    assert str(gone.value.seen).startswith("198.51.100.20: Connection refused; Sendmail there: 77")
    assert bench.picture() == before
    bench.hosts[1].hidden = False
    bench.run(until=None)
    assert read_state(bench.folder).complete


def test_it_is_closed_first_and_what_it_took_is_brought_home(bench: Bench) -> None:
    hide_from(bench, "open-to-old")
    bench.world.copies.away[0] = ("user01: 1 message",)
    with pytest.raises(GoBack):
        bench.run(until=None)
    assert bench.world.copies.away == {}
    told = texts(bench)
    closed = told.index("close port 25 of the new host again")
    stopped = told.index("stop Sendmail on the new host again")
    brought = next(number for number, text in enumerate(told) if text.startswith("bring home what"))
    assert closed < stopped < brought
    journal = (bench.folder / "journal.jsonl").read_text()
    assert journal.index("bring home what") < journal.index("undone: relay")


def test_mail_that_waits_in_flush_leads_back_too(bench: Bench) -> None:
    before = hide_from(bench, "flush")
    queue(bench.hosts[0], queued("qf4AT1", "user01@example.test"))
    with pytest.raises(GoBack, match="in flush"):
        bench.run(until=None)
    assert bench.picture() == before


def test_what_was_kept_back_is_released_before_the_old_host_delivers_for_itself_again(bench: Bench) -> None:
    hide_from(bench, "flush")
    queue(bench.hosts[0], queued("qf4AT1", "user01@example.test"), queued("qf4AT2", "onlyold@example.test"))
    bench.hosts[0].on("RCPT TO", "refused onlyold@example.test 550 5.1.1 User unknown\n")
    with pytest.raises(GoBack, match="in flush"):
        bench.run(until=None)
    told = texts(bench)
    released = next(number for number, text in enumerate(told) if text.startswith("release "))
    assert told.index("stop Sendmail on the new host again") < released
    journal = (bench.folder / "journal.jsonl").read_text()
    assert journal.index("that were kept back in") < journal.index("undone: relay")
    # Remembered, it would keep a rollback from releasing what a later run keeps back: that one forgets nothing.
    remembered = [deed.data["remember"] for deed in read_state(bench.folder).deeds]
    assert [one for one in remembered if holding.HELD in one]
    assert not [one for one in remembered if f"{holding.HELD}.released" in one]


def test_killed_on_the_way_back_the_next_run_goes_on_with_it(bench: Bench, tmp_path: Path) -> None:
    for number in range(1, 100, 4):
        killed = Bench(bench.strategy, tmp_path / str(number) / "name", simulated(bench.strategy))
        before = hide_from(killed, "open-to-old")
        killed.world.copies.away[0] = ("user01: 1 message",)
        try:
            killed.run(until=None, kill_after=number)
        except GoBack:
            break
        except Killed:
            pass
        if read_state(killed.folder).going_back:
            with pytest.raises(GoBack):
                killed.run(until=None)
            assert killed.picture() == before
            assert killed.world.copies.away == {}
        killed.hosts[1].hidden = False
        killed.run(until=None)
        assert read_state(killed.folder).complete
    assert number > 12


def test_a_rollback_takes_it_over(bench: Bench) -> None:
    start = simulated(bench.strategy)
    assert isinstance(start.old, SimulatedHost)
    assert isinstance(start.new, SimulatedHost)
    hide_from(bench, "open-to-old")
    with pytest.raises(Killed):
        bench.run(until=None, kill_after=14)
    bench.rollback()
    assert [host.picture() for host in bench.hosts] == [start.old.picture(), start.new.picture()]
