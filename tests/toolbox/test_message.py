"""One message of a queue is shown as its files hold it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import UsageError
from migrator.hosts.base import Output
from migrator.sendmail.text_error import TextError
from migrator.toolbox import message
from tests.sendmail import queue_files
from tests.toolbox.stand import Stand, dump, waiting

QF, DF = "/var/spool/mqueue/q1/qfAA0001", "/var/spool/mqueue/q1/dfAA0001"


def stand() -> Stand:
    here = Stand()
    waiting(here, dump("/var/spool/mqueue/q1", AA0001=queue_files.VERSION_6))
    here.host.files |= {QF: queue_files.VERSION_6.encode(), DF: b"the body\n"}
    here.host.on(r"print0", f"{QF}\0{DF}\0")
    here.host.on(r"stat -c %s", "431\n9\n")
    return here


def test_it_has_recipients_files_headers_and_no_body_unless_asked_for() -> None:
    here = stand()
    shown = message.show(here.host, here.world.facts["new"], "AA0001")
    assert [one.address for one in shown.message.recipients] == ["friend@else.example"]
    assert shown.files == {QF: 431, DF: 9}
    assert shown.headers[0] == "Return-Path: <owner@example.test>"
    assert shown.headers[-1] == "\tby old.example.test"
    assert shown.body == ""
    assert message.show(here.host, here.world.facts["new"], "AA0001", body=True).body == "the body\n"


def test_a_number_that_no_queue_has_is_told() -> None:
    here = stand()
    with pytest.raises(UsageError, match="no queue"):
        message.show(here.host, here.world.facts["new"], "AA0002")
    with pytest.raises(TextError):
        message.show(here.host, here.world.facts["new"], "AA0001' -exec id")


def test_headers_are_read_with_flags_and_without() -> None:
    assert message.headers("H?P?A: b?c\nH??D: e\n\tf\nHG: ?h?\nRPF:x\n.\nHX: y\n") == (
        "A: b?c",
        "D: e",
        "\tf",
        "G: ?h?",
    )


@given(st.text(alphabet=st.sampled_from("H?: \t\n.a") | st.characters()))
def test_headers_of_any_control_file_are_read(control: str) -> None:
    assert len(message.headers(control)) <= control.count("\n") + 1


def test_the_files_of_a_message_are_found_in_every_folder_of_a_queue(tmp_path: Path) -> None:
    for place, name in (
        ("q1", "qfAA1"),
        ("q1", "qfAA12"),
        ("q2/df", "dfAA1"),
        ("q2/qf", "hfAA1"),
        ("other", "qfAA1"),
    ):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / name).write_text("x")
    here, listed = stand(), ""

    def find(_host: object, text: str) -> Output:
        nonlocal listed
        words = [word.replace("/var/spool/mqueue/q*", f"{tmp_path}/q*") for word in shlex.split(text)]
        shell = shutil.which("sh")
        assert shell
        done = subprocess.run([shell, *words[1:]], capture_output=True, text=True)
        listed = done.stdout.replace("AA1", "AA0001")
        return Output(0, listed, "")

    waiting(here, dump("/q", AA0001=queue_files.VERSION_6))
    here.host.on("print0", lambda host, text: find(host, text.replace("AA0001", "AA1")))
    message.show(here.host, here.world.facts["new"], "AA0001")
    assert sorted(path.removeprefix(str(tmp_path)) for path in listed.split("\0") if path) == [
        "/q1/qfAA0001",
        "/q2/df/dfAA0001",
        "/q2/qf/hfAA0001",
    ]
