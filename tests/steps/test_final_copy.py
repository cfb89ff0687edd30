"""The last pass is made on a closed new host, and is believed only when contents are equal."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from migrator.change import Rsync, Shell, Undo
from migrator.engine import Engine
from migrator.errors import Refused, StartOver, VerifyFailed
from migrator.journal import Journal
from migrator.plan.shapes import Strategy
from migrator.steps.final_copy import FinalCopy
from tests.fakes import FakeCopies
from tests.steps.stage import LISTENER, Stage, processes, summaries

DIFFERENT = (">fcst...... user01", "*deleting   user02/cur/1:2,S")


class Restless(FakeCopies):
    """Trees that differ until they were looked at `rounds` times."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self.rounds = rounds

    def differences(self, trees: Sequence[int], *, longest: float) -> tuple[tuple[str, ...], ...]:
        self.rounds -= 1
        return tuple(DIFFERENT if self.rounds >= 0 and tree == 0 else () for tree in trees)


def staged(strategy: Strategy = "hold") -> Stage:
    stage = Stage(FinalCopy(), strategy)
    stage.new.port, stage.new.listening = "closed", False
    stage.old.port = "closed" if strategy == "firewall" else "open"
    return stage


@pytest.fixture
def stage() -> Stage:
    return staged()


def run(stage: Stage, folder: Path) -> None:
    """Run the step as the engine does."""
    with closing(Journal(folder)) as journal:
        for _ in Engine((stage.step,), stage.executor, journal, stage.context()).run():
            pass


class TestPass:
    def test_every_tree_is_copied_with_its_deletions(self, stage: Stage) -> None:
        changes = stage.perform()
        assert stage.passes == [(0, True, "changed"), (1, True, "changed")]
        (summary,) = summaries(changes)[1:2]
        both = [
            f"{path} of the old host to {path} of the new one" for path in ("/var/spool/mail/", "/srv/mail/")
        ]
        assert summary == f"the final pass: {both[0]}, {both[1]}, deletions included"
        assert Undo.IMPOSSIBLE not in [change.undo for change in changes]
        stage.verify()

    def test_a_pass_that_was_made_is_not_made_again(self, stage: Stage) -> None:
        stage.perform()
        assert stage.look() == []

    def test_equal_trees_end_the_step(self, stage: Stage, tmp_path: Path) -> None:
        run(stage, tmp_path / "name")
        assert stage.passes == [(0, True, "changed"), (1, True, "changed")]

    def test_differences_lead_to_another_pass_and_then_to_one_over_everything(
        self, stage: Stage, tmp_path: Path
    ) -> None:
        stage.world.copies = Restless(2)
        run(stage, tmp_path / "name")
        once = [(0, True, "changed"), (1, True, "changed")]
        assert stage.passes == [*once, *once, (0, True, "whole"), (1, True, "whole")]

    def test_after_five_attempts_it_fails_and_names_the_files(self, stage: Stage, tmp_path: Path) -> None:
        stage.world.copies = Restless(1000)
        with pytest.raises(VerifyFailed, match="not yet equal") as failed:
            run(stage, tmp_path / "name")
        assert len(stage.passes) == 5 * 2
        assert failed.value.seen == ", ".join(DIFFERENT)
        assert "stop IMAP and POP there" in str(failed.value.advice)

    def test_of_many_differences_the_first_are_named(self, stage: Stage) -> None:
        stage.world.copies.lines[1] = tuple(f">f+++++++++ {number}" for number in range(12))
        with pytest.raises(VerifyFailed, match=r"^/srv/mail/ is not yet equal to /srv/mail/ of") as failed:
            stage.verify()
        assert str(failed.value.seen).endswith(">f+++++++++ 4 and 7 more")


class TestNewHost:
    @pytest.mark.parametrize("port", ["open", "partly closed", "closed except 198.51.100.10"])
    def test_an_open_port_is_closed_first(self, stage: Stage, port: str) -> None:
        stage.new.port = port
        for ask in (stage.ready, stage.verify):
            with pytest.raises(StartOver) as again:
                ask()
            assert (again.value.step, again.value.host) == ("close-new", "new")

    def test_so_is_one_whose_sendmail_runs(self, stage: Stage) -> None:
        processes(stage.new, LISTENER)
        with pytest.raises(StartOver) as again:
            stage.ready()
        assert again.value.step == "close-new"

    def test_one_that_is_open_and_has_mail_of_its_own_is_closed_before_anything_is_said_of_the_mail(
        self, stage: Stage
    ) -> None:
        stage.new.port = "open"
        stage.new.on(r"look\(\)", "1796000000\n/srv/mail/user01/new/1\n")
        with pytest.raises(StartOver):
            stage.ready()

    def test_mail_that_came_in_there_is_never_deleted(self, stage: Stage) -> None:
        stage.new.on(r"look\(\)", "1796000000\n/srv/mail/user01/new/1\n")
        for ask in (stage.ready, lambda: stage.look(attempt=2)):
            with pytest.raises(Refused, match="mail of its own") as refused:
                ask()
            assert refused.value.lifted_by == "overwrite-new"

    def test_the_first_attempt_leaves_the_look_to_the_pass_which_sees_by_itself_what_others_changed(
        self, stage: Stage
    ) -> None:
        stage.new.on(r"look\(\)", "1796000000\n/srv/mail/user01/new/1\n")
        begun, *passes, _ended = (change.do for change in stage.look())
        assert isinstance(begun, Shell)
        assert "cp -p" in begun.script
        assert all(isinstance(one, Rsync) and one.scope == "changed" for one in passes)


class TestFirewall:
    def test_both_ports_closed_it_may_begin(self) -> None:
        stage = staged("firewall")
        stage.ready()
        stage.perform()
        stage.verify()

    def test_an_old_port_that_opened_by_its_timer_is_closed_again_first(self) -> None:
        stage = staged("firewall")
        stage.old.port = "open"
        with pytest.raises(StartOver) as again:
            stage.ready()
        assert again.value.step == "close-old"

    def test_one_that_opened_during_the_pass_leaves_the_proof_to_settle(self) -> None:
        stage = staged("firewall")
        stage.perform()
        stage.old.port = "open"
        stage.world.copies = Restless(1000)
        stage.verify()

    def test_under_hold_the_open_port_is_no_excuse(self, stage: Stage) -> None:
        stage.world.copies = Restless(1000)
        with pytest.raises(VerifyFailed):
            stage.verify()
