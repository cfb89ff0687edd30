"""The queue is read whole, whatever a message holds."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.sendmail import queue
from migrator.sendmail.text_error import TextError

VERSION_8 = """\
V8
T1794873600
K1794877200
N3
P120345
I8/1/4242
MDeferred: Connection refused by [198.51.100.20]
Fbs
$_client.example [203.0.113.7]
$r
S<bounce@client.example>
MDeferred: local mailer said no
rRFC822; user1@Example.TEST
RPFD:<user1@Example.TEST>
RPFDA:web1_user
RPFD:<other@else.example>
H?P?Return-Path: <\x81g>
H??Received: from client.example
\tby old.example.test; Mon, 17 Nov 2026
H??Subject: R<forged@example.test>
.
R<behind@the.end>
"""


def test_a_current_control_file_is_read() -> None:
    message = queue.parse("qfxAH0G0123", VERSION_8)
    assert (message.id, message.kind, message.version) == ("xAH0G0123", "queued", 8)
    assert message.sender == "bounce@client.example"
    assert message.attempts == 3
    assert message.created == datetime(2026, 11, 17, 0, 0, tzinfo=UTC)
    assert message.last_attempt == datetime(2026, 11, 17, 1, 0, tzinfo=UTC)
    assert message.reason == "Deferred: Connection refused by [198.51.100.20]"
    assert message.complete


def test_recipients_carry_flags_and_the_reason_before_them() -> None:
    first, second, third = queue.parse("qfx", VERSION_8).recipients
    assert (first.address, first.flags, first.reason) == (
        "user1@Example.TEST",
        "PFD",
        "Deferred: local mailer said no",
    )
    assert (second.address, second.flags, second.reason) == ("web1_user", "PFDA", "")
    assert third.domain == "else.example"


def test_recipients_are_found_by_domain_in_any_case() -> None:
    message = queue.parse("qfx", VERSION_8)
    assert [recipient.address for recipient in message.recipients_in(["EXAMPLE.test"])] == [
        "user1@Example.TEST"
    ]
    assert [recipient.address for recipient in message.local_recipients] == ["web1_user"]


NAMED = """\
V8
T1700000000
Sa@outside.test
Ateam@old.example.test
Cuser01:2001:2001:team
rRFC822; alice@example.test
RFDA:"Alice A" <alice@example.test>
RFDA:bob@example.test (Bob B)
RFDA:Carol C <carol@example.test>
C
RPFD:"|exec prog dave@example.test"
H??Subject: to a list whose members have names
.
"""


def test_recipients_are_known_by_their_address_whatever_stands_around_it() -> None:
    message = queue.parse("qfA1", NAMED)
    found = message.recipients_in(["example.test"])
    assert [one.address for one in found] == ["alice@example.test", "bob@example.test", "carol@example.test"]
    assert found[0].text == '"Alice A" <alice@example.test>'
    assert [one.controlling for one in message.recipients] == ["user01", "user01", "user01", ""]
    (program,) = message.local_recipients
    assert (program.address, program.domain) == ('"|exec prog dave@example.test"', "")


def test_an_old_file_has_no_flags_and_no_end() -> None:
    message = queue.parse("QfAA123", "T1794873600\nDdfAA123\nS<>\nRuser@example.test\nHSubject: a: b\n")
    assert (message.kind, message.sender, message.complete) == ("lost", "", False)
    assert [recipient.address for recipient in message.recipients] == ["user@example.test"]
    assert message.last_attempt is None


def test_quarantined_files_belong_to_the_queue_and_bodies_do_not() -> None:
    assert queue.parse("hfx", VERSION_8).kind == "quarantined"
    for name in ("dfx", "xfx", "tfx", "Tfx", "qf", ""):
        with pytest.raises(TextError):
            queue.parse(name, VERSION_8)


def read(*directories: Path | str, wanted: str = "") -> str:
    shell = shutil.which("sh")
    assert shell
    command = queue.reader_command([str(directory) for directory in directories], wanted)
    done = subprocess.run([shell, *command[1:]], capture_output=True, check=True, timeout=20)
    return done.stdout.decode("utf-8", "surrogateescape")


def test_the_reader_gives_every_control_file_and_nothing_else(tmp_path: Path) -> None:
    for place in ("q1", "q2", "q2/qf", "other"):
        (tmp_path / place).mkdir()
    (tmp_path / "q1/qf1").write_bytes(VERSION_8.encode("latin-1"))
    (tmp_path / "q1/df1").write_text("body")
    (tmp_path / "q1/hf it's $(odd)\nname").write_bytes(b"V8\nS<a@b>\0\0\n.\n")
    (tmp_path / "q2/qf/qf3").write_text(VERSION_8)
    (tmp_path / "q2/qf4").write_text("")
    (tmp_path / "other/qf5").write_text(VERSION_8)
    messages = queue.parse_dump(read(tmp_path / "q*"))
    assert sorted(message.id for message in messages) == [" it's $(odd)\nname", "1", "3"]
    assert {message.sender for message in messages} == {"bounce@client.example", "a@b"}


def test_the_reader_leaves_out_what_is_not_asked_for(tmp_path: Path) -> None:
    for name, recipients in (
        ("ours", "RPFD:<a@else.example>\nRPFD:<b@EXAMPLE.test>\n"),
        ("forged", "RPFD:<a@else.example>\nH??To: R<b@example.test>\n"),
        ("like", "RPFD:<a@exampleXtest>\n"),
        ("local", "RPFD:<a@else.example>\nRPFDA:web1_user\n"),
    ):
        (tmp_path / f"qf{name}").write_text(f"V8\nS<s@else.example>\n{recipients}.\n")
    ours = queue.parse_dump(read(tmp_path, wanted=queue.in_domains(["other.test", "example.test"])))
    local = queue.parse_dump(read(tmp_path, wanted=queue.LOCAL))
    assert [message.id for message in ours] == ["ours"]
    assert [message.id for message in local] == ["local"]
    assert [recipient.address for recipient in ours[0].recipients] == ["a@else.example", "b@EXAMPLE.test"]


ELSEWHERE = {
    "ours": ("<a@example.test>",),
    "first": ("a@else.example", "b@else.example"),
    "bare": ("user01",),
    "named": ('"A" <a@else.example>',),
    "comment": ("a@old.example (c@else.example)",),
    "program": ('"|p a@else.example"',),
    "own": ("a@example.test", "\\user01"),
    "literal": ("a@[198.51.100.10]",),
}


@pytest.mark.parametrize("awk", ["awk", "mawk", "gawk", "busybox awk"])
def test_one_message_of_each_domain_tells_where_the_others_go(tmp_path: Path, awk: str) -> None:
    program, _, applet = awk.partition(" ")
    found = shutil.which(program)
    assert found, f"the tests need {program}: .ci/environment installs it"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/awk").write_text(f'#!/bin/sh\nexec {found} {applet} "$@"\n')
    (tmp_path / "bin/awk").chmod(0o755)
    folder = tmp_path / "mqueue/qf"
    folder.mkdir(parents=True)
    for name, recipients in ELSEWHERE.items():
        lines = "".join(f"RPFD:{one}\n" for one in recipients)
        (folder / f"qf{name}").write_text(f"V8\nS<s@x>\n{lines}H??R: x\n.\n")
    for number in range(300):
        (folder / f"hf{number}").write_text(f"V8\nS<s@x>\nRPFD:<u{number}@DEAD.example>\n.\n")
        (folder / f"qf6{number}").write_text(f"V8\nS<s@x>\nRPFD:<u{number}@[IPv6:2001:db8::9]>\n.\n")
    (folder / "Qfold").write_text("T1\nSs@x\nRuser01\nHSubject: of version 0\n")
    command = queue.elsewhere_command([str(tmp_path / "mqueue")], ["Example.test"])
    environment = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, check=True, timeout=60, env=environment)
    messages = queue.parse_dump(done.stdout.decode())
    told = {message.id for message in messages}
    assert {*ELSEWHERE, "old"} - {"ours"} == {one for one in told if not one.isdigit()}
    # One of the 300 of each dead host, none of ours, and the one of version 0.
    assert len(told) == len(ELSEWHERE) + 2
    assert done.stderr == b""


def test_messages_for_an_address_literal_are_found_and_no_others(tmp_path: Path) -> None:
    for name, address in (
        ("own", "a@[192.0.2.10]"),
        ("six", "a@[IPv6:2001:db8::1]"),
        ("other", "a@[192a0.2.10]"),
    ):
        (tmp_path / f"qf{name}").write_text(f"V8\nS<s@x>\nRPFD:<{address}>\n.\n")
    for literals, wanted in ((["[192.0.2.10]"], ["own"]), (["[ipv6:2001:db8::1]", "x.test"], ["six"])):
        found = queue.parse_dump(read(tmp_path, wanted=queue.in_domains(literals)))
        assert [message.id for message in found] == wanted


@pytest.mark.parametrize("domain", ["", "a|b", "a\\.b", "a b", ".*", "[", "[]", "[a|b]", "[1.2.3.4", "1.2]"])
def test_a_domain_is_no_expression(domain: str) -> None:
    with pytest.raises(TextError):
        queue.in_domains([domain])


def test_an_empty_or_missing_queue_has_no_messages(tmp_path: Path) -> None:
    assert queue.parse_dump(read(tmp_path, tmp_path / "missing")) == ()


def test_a_list_that_ends_early_is_refused(tmp_path: Path) -> None:
    (tmp_path / "qf1").write_text(VERSION_8)
    output = read(tmp_path)
    for length in range(len(output)):
        with pytest.raises(TextError):
            queue.parse_dump(output[:length])


@pytest.mark.parametrize("directory", ["", "-x", "relative", "/a\0b"])
def test_a_queue_directory_is_absolute(directory: str) -> None:
    with pytest.raises(TextError):
        queue.reader_command([directory], "")


@given(st.lists(st.sampled_from([*"VTKNPMSRH?:<>@.\n\t 19", "\0"]) | st.characters()).map("".join))
def test_any_content_is_read(content: str) -> None:
    message = queue.parse("qfx", content)
    assert len(message.recipients) <= content.count("R")


@given(st.text(alphabet=st.sampled_from("\0qf/.\n") | st.characters()))
def test_any_dump_is_read_or_refused(output: str) -> None:
    try:
        queue.parse_dump(output)
    except TextError:
        return
    assert output.endswith("\0")


@pytest.mark.parametrize("number", [1, 6000])
@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh"])
def test_any_number_of_domains_is_read_in_one_call(tmp_path: Path, shell: str, number: int) -> None:
    domains = [f"hosted-domain-number-{index}.example.test" for index in range(number)]
    last = domains[-1]
    mine = f"V8\nT1\nS<a@b.test>\nRPFD:<User@{last.upper()}>\nHFrom: <x@y.test>\n.\n"
    other = f"V8\nT1\nS<x@{last}>\nRPFD:<someone@elsewhere.test>\nHFrom: <x@{last}>\n.\n"
    (tmp_path / "qfMINE").write_text(mine)
    (tmp_path / "qfOTHER").write_text(other)
    script = queue.domains_script([str(tmp_path)], domains)
    done = subprocess.run(
        [*shell.split(), "-s"], input=script, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [message.id for message in queue.parse_dump(done.stdout)] == ["MINE"]


@pytest.mark.parametrize("number", [1, 6000])
@pytest.mark.parametrize("awk", ["mawk", "gawk", "busybox awk"])
def test_any_number_of_domains_is_left_out_where_the_others_are_read(
    tmp_path: Path, awk: str, number: int
) -> None:
    program, _, applet = awk.partition(" ")
    found = shutil.which(program)
    assert found, f"the tests need {program}: .ci/environment installs it"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/awk").write_text(f'#!/bin/sh\nexec {found} {applet} "$@"\n')
    (tmp_path / "bin/awk").chmod(0o755)
    domains = [f"Hosted-domain-number-{index}.example.test" for index in range(number)]
    (tmp_path / "qfMINE").write_text(f"V8\nS<s@x>\nRPFD:<User@{domains[-1].upper()}>\n.\n")
    (tmp_path / "qfOTHER").write_text("V8\nS<s@x>\nRPFD:<someone@elsewhere.test>\n.\n")
    script = queue.elsewhere_script([str(tmp_path)], domains)
    environment = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        ["sh", "-s"], input=script, capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [message.id for message in queue.parse_dump(done.stdout)] == ["OTHER"]
    assert [path.name for path in tmp_path.glob("tmp*")] == []
