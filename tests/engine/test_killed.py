"""Whatever line of the journal was the last one, the next run goes on, and a rollback restores every file."""

from __future__ import annotations

from contextlib import suppress

import pytest

from migrator.errors import (
    Refused,
)
from tests.engine.bench import (
    FILES,
    WHOLE_RUN,
    Bench,
    Killed,
    Names,
    Relay,
)


@pytest.mark.parametrize("lines", range(1, len(WHOLE_RUN) + 1))
class TestKilledAfterEveryLine:
    def test_the_next_run_ends_where_an_unbroken_one_does(self, bench: Bench, lines: int) -> None:
        with pytest.raises(Killed):
            bench.run(kill_after=lines)
        bench.run()
        assert bench.world.old.files == {
            **{path: text.encode() for path, text in FILES.items()},
            "/etc/mail/mailertable": Relay.text.encode(),
            "/etc/mail/local-host-names": Names.text.encode(),
        }
        assert bench.state.complete

    def test_a_rollback_restores_every_file(self, bench: Bench, lines: int) -> None:
        before = bench.world.files()
        with pytest.raises(Killed):
            bench.run(kill_after=lines)
        bench.rollback()
        assert bench.world.files() == before

    def test_resumed_and_rolled_back_every_file_is_as_at_first(self, bench: Bench, lines: int) -> None:
        before = bench.world.files()
        with pytest.raises(Killed):
            bench.run(kill_after=lines)
        bench.run()
        bench.rollback()
        assert bench.world.files() == before

    def test_a_killed_rollback_goes_on(self, bench: Bench, lines: int) -> None:
        before = bench.world.files()
        bench.run()
        with suppress(Killed):
            bench.rollback(kill_after=lines)
        if bench.state.rolled_back is None:
            with pytest.raises(Refused, match="rollback of this migration was begun"):
                bench.run()
            bench.rollback()
        assert bench.world.files() == before

    def test_a_kill_before_the_deed_is_told_loses_nothing(self, bench: Bench, lines: int) -> None:
        # Killed once more on the way, wherever the first resume comes to.
        with pytest.raises(Killed):
            bench.run(kill_after=lines)
        for _ in range(3):
            with suppress(Killed):
                bench.run(kill_after=4)
        bench.run()
        assert bench.state.complete
