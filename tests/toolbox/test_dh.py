"""Which Diffie-Hellman parameters are made, where they are named, and when nothing is done."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from migrator.change import Shell
from migrator.errors import Refused, UsageError, VerifyFailed
from migrator.net import ffdhe
from migrator.net.handshake import ServerAnswer
from migrator.net.starttls import Offer
from migrator.toolbox.dh import Dh
from tests.toolbox.configured import MC, Configured, uploads

WEAK = Offer(True, ServerAnswer(0x0303, 0x9F, (1 << 1023) + 1))
STRONG = Offer(True, ServerAnswer(0x0303, 0x9F, ffdhe.prime("ffdhe3072")))
PATH = "/etc/mail/tls/dhparams-ffdhe3072.pem"


class Line:
    """What a handshake shows, and how often it was asked."""

    def __init__(self, offer: Offer) -> None:
        self.offer = offer
        self.asked: list[str] = []

    def tool(self, *, bits: int = 2048, named: str = "") -> Dh:
        return Dh("new", bits=bits, named=named, offer=self._offer, protocols=self._protocols)

    def _offer(self, address: str) -> Offer:
        self.asked.append(address)
        return self.offer

    def _protocols(self, address: str) -> dict[str, bool]:
        self.asked.append(f"protocols {address}")
        return {"TLSv1": False, "TLSv1.2": True}


@pytest.fixture
def stand() -> Configured:
    return Configured()


def test_what_is_measured_is_what_a_client_meets(stand: Configured) -> None:
    line = Line(WEAK)
    tool = line.tool()
    found = stand.measured(tool)
    assert found["Diffie-Hellman"] == "1024 bits, a group of no list: too small (Logjam)"
    assert found["protocols"] == "TLSv1.2 (refused: TLSv1)"
    stand.measured(tool)
    assert line.asked.count("protocols 198.51.100.20") == 1, (
        "a stock Debian takes ten connections in ten minutes"
    )


def test_a_named_group_is_written_and_named_in_one_change(stand: Configured) -> None:
    (change,) = stand.perform(Line(WEAK).tool(named="ffdhe3072"))
    assert stand.text(PATH) == ffdhe.parameters("ffdhe3072")
    assert f"define(`confDH_PARAMETERS', `{PATH}')dnl" in stand.text(MC)
    do, _ = uploads(change)
    assert f"O DHParameters={PATH}" in do.then
    stand.undo([change])
    assert PATH not in stand.host.files
    assert "confDH_PARAMETERS" not in stand.text(MC)


def test_generated_parameters_are_made_on_the_host_first(stand: Configured) -> None:
    making, naming = stand.look(Line(WEAK).tool())
    assert isinstance(making.do, Shell)
    assert making.do.progress
    assert "openssl dhparam" in making.do.script
    assert isinstance(making.undo, Shell)
    assert [edit.path for edit in uploads(naming)[0].files] == [MC]


def test_openssl_that_is_slow_to_start_is_waited_for(stand: Configured, tmp_path: Path) -> None:
    (making, _) = stand.perform(Line(WEAK).tool())
    assert isinstance(making.do, Shell)
    programs = {
        "setsid": 'sleep 0.5; exec "$@"',
        "openssl": "printf '%s\\n' 'END DH PARAMETERS' >\"$3\"",
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    script = making.do.script.replace("/etc/mail/tls", str(tmp_path))
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "dhparams-2048.pem").read_text() == "END DH PARAMETERS\n"


def test_parameters_that_an_interrupted_run_left_are_used(stand: Configured) -> None:
    stand.host.files["/etc/mail/tls/dhparams-2048.pem"] = ffdhe.parameters("ffdhe2048").encode()
    assert [change.do.kind for change in stand.look(Line(WEAK).tool())] == ["upload"]


def test_a_definition_in_an_included_file_is_overruled_behind_it(stand: Configured) -> None:
    stand.host.files["/etc/mail/m4/dialup.m4"] = b"define(`confDH_PARAMETERS', `old.pem')dnl\n"
    stand.perform(Line(WEAK).tool(named="ffdhe3072"))
    text = stand.text(MC)
    assert text.index("dialup.m4") < text.index("confDH_PARAMETERS") < text.index("MAILER_DEFINITIONS")


@pytest.mark.parametrize(("bits", "named"), [(2048, ""), (3072, "ffdhe3072")])
def test_what_is_good_already_is_left_alone(stand: Configured, bits: int, named: str) -> None:
    assert stand.look(Line(STRONG).tool(bits=bits, named=named)) == []


def test_without_starttls_there_is_nothing_to_do(stand: Configured) -> None:
    with pytest.raises(Refused, match="STARTTLS is not offered"):
        Line(Offer(False)).tool().ready(stand.context())


def test_a_file_that_nobody_meets_is_a_failure(stand: Configured) -> None:
    with pytest.raises(VerifyFailed) as failed:
        Line(WEAK).tool().verify(stand.context())
    assert "1024 bits" in (failed.value.seen or "")


@pytest.mark.parametrize(("bits", "named"), [(1024, ""), (9000, ""), (2048, "ffdhe1024"), (2048, "$(id)")])
def test_what_is_no_size_and_no_group_is_refused(bits: int, named: str) -> None:
    with pytest.raises(UsageError):
        Dh("new", bits=bits, named=named)
