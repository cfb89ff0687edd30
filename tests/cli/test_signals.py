"""A signal stops a run where it is safe, and only there."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from migrator.cli.signals import SIGNALS, Shield
from migrator.errors import Interrupted


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_what_is_not_shielded(number: signal.Signals) -> None:
    with Shield().listening(), pytest.raises(Interrupted, match=number.name):
        signal.raise_signal(number)


def test_a_shielded_line_is_finished_first() -> None:
    shield, done = Shield(), []
    with shield.listening(), pytest.raises(Interrupted), shield:
        signal.raise_signal(signal.SIGTERM)
        done.append("line")
    assert done == ["line"]


def test_an_inner_shield_does_not_end_the_outer_one() -> None:
    shield, done = Shield(), []
    with shield.listening(), pytest.raises(Interrupted), shield:
        with shield:
            signal.raise_signal(signal.SIGTERM)
        done.append("outer")
    assert done == ["outer"]


def test_who_swallows_it_hears_it_again_at_the_next_line() -> None:
    shield = Shield()
    with shield.listening():
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted), shield:
            pass


def test_an_error_in_a_shielded_line_is_not_hidden() -> None:
    shield = Shield()
    with shield.listening(), pytest.raises(OSError, match="disk"), shield:
        signal.raise_signal(signal.SIGINT)
        raise OSError("disk")


def test_the_handlers_of_before_come_back() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Shield().listening():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_closing_terminal_may_say_so_several_times() -> None:
    shield = Shield()
    with shield.listening(), pytest.raises(Interrupted, match="SIGHUP"), shield:
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)


def test_the_second_ctrl_c_ends_the_process_at_once() -> None:
    code = (
        "import signal\n"
        "from migrator.cli.signals import Shield\n"
        "shield = Shield()\n"
        "with shield.listening(), shield:\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    print('went on')\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (130, "")
