"""What Sendmail's processes are doing, from the titles that Sendmail itself gives them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.sendmail import processes
from migrator.sendmail.processes import Activity, Process
from migrator.sendmail.text_error import TextError
from tests.hosts.shell import each_shell

STAT = "4242 (sendmail-mta) S 1 4242 4242 0 -1 4194624 1024 0 0 0 5 3 0 0 20 0 1 0 987654 33554432 2048"


@pytest.mark.parametrize(
    ("title", "activity"),
    [
        ("sendmail: MTA: accepting connections", Activity.LISTENER),
        ("sendmail: accepting connections", Activity.LISTENER),
        ("sendmail: MTA: rejecting connections on daemon MTA-v4: load average: 14", Activity.LISTENER),
        ("sendmail: MTA: deferring connections on daemon MTA: 15 per second", Activity.LISTENER),
        ("sendmail: MTA: rejecting new messages: min free: 100", Activity.LISTENER),
        ("sendmail: Queue runner@00:10:00 for /var/spool/mqueue", Activity.QUEUE_DAEMON),
        ("sendmail: MSP: Queue control", Activity.QUEUE_DAEMON),
        ("sendmail: MTA: startup with [203.0.113.7]", Activity.IDLE_SESSION),
        ("sendmail: MTA: server client.example [203.0.113.7] startup", Activity.IDLE_SESSION),
        ("sendmail: MTA: server [203.0.113.7] cmd read", Activity.IDLE_SESSION),
        ("sendmail: MTA: 4AN0x01 client.example [203.0.113.7]: DATA", Activity.BUSY_SESSION),
        (
            "sendmail: MTA: ./4AN0x01 c.example [203.0.113.7] (may be forged): RCPT TO:<a@b>",
            Activity.BUSY_SESSION,
        ),
        ("sendmail: MTA: [203.0.113.7]: EHLO x", Activity.BUSY_SESSION),
        ("sendmail: localhost [127.0.0.1]: QUIT", Activity.BUSY_SESSION),
        ("sendmail: MTA: ./4AN0x01 from queue", Activity.DELIVERING),
        ("sendmail: MTA: running queue: /var/spool/mqueue", Activity.DELIVERING),
        ("sendmail: MTA: ./4AN0x01 [198.51.100.20]: client MAIL", Activity.DELIVERING),
        ("sendmail: 4AN0x01 mx.example.: user open", Activity.DELIVERING),
        ("sendmail: MTA: mx.example.: client QUIT", Activity.DELIVERING),
        ("/usr/sbin/sendmail -t -i", Activity.OTHER),
        ("", Activity.OTHER),
    ],
)
def test_a_title_tells_what_its_process_does(title: str, activity: Activity) -> None:
    assert processes.classify(title) is activity


def test_a_client_cannot_look_like_a_listener() -> None:
    named = "sendmail: MTA: accepting connections.evil.example [203.0.113.7]: x"
    assert processes.classify(named) is not Activity.LISTENER
    title = "sendmail: MTA: 4AN0x01 evil.example [203.0.113.7]: MTA: accepting connections"
    assert processes.classify(title) is Activity.BUSY_SESSION


def test_a_process_has_its_parent_start_and_user() -> None:
    output = f"0\0{STAT}\0sendmail: MTA: accepting connections      \0\0"
    assert processes.parse(output) == (
        Process(4242, 1, 4242, 987654, 0, "sendmail: MTA: accepting connections"),
    )
    assert processes.parse(output)[0].activity is Activity.LISTENER


def test_a_letter_behind_the_user_tells_what_else_a_process_is() -> None:
    output = f"101c\0{STAT}\0sendmail -t\0" + f"1001p\0{STAT}\0sendmail: MTA: accepting connections\0\0"
    client, program = processes.parse(output)
    assert (client.user, client.of_client_queue, client.program) == (101, True, False)
    assert (program.user, program.of_client_queue, program.activity) == (1001, False, Activity.DELIVERING)


def test_no_process_is_no_error_and_a_broken_list_is_one() -> None:
    assert processes.parse("\0") == ()
    output = f"0\0{STAT}\0sendmail: x\0\0"
    for length in range(len(output)):
        with pytest.raises(TextError):
            processes.parse(output[:length])


def test_a_name_with_parentheses_does_not_shift_the_fields() -> None:
    stat = STAT.replace("(sendmail-mta)", "(sendmail ) S 1 (x)")
    assert processes.parse(f"5\0{stat}\0t\0\0")[0].parent == 1


def test_the_reader_finds_a_running_process_by_the_name_of_its_program(tmp_path: Path) -> None:
    program = tmp_path / "sendmail-test"
    shutil.copy(Path(sys.executable).resolve(), program)
    environment = {**os.environ, "PYTHONHOME": sys.base_prefix}
    command = [str(program), "-c", "import sys; print(flush=True); sys.stdin.read()", "an\nodd 'title"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        child.stdout.readline()
        done = subprocess.run(["sh", "-c", processes.READER], capture_output=True, check=True, timeout=30)
        child.communicate()
    found = {
        process.pid: process for process in processes.parse(done.stdout.decode("utf-8", "surrogateescape"))
    }
    assert found[child.pid].parent == os.getpid()
    assert found[child.pid].user == os.getuid()
    assert found[child.pid].started > 0
    assert found[child.pid].title.endswith("an\nodd 'title")


@each_shell
def test_the_reader_finds_sendmail_by_any_name_the_client_queue_and_what_sendmail_started(
    tmp_path: Path, shell: str
) -> None:
    program = tmp_path / "sendmail"
    shutil.copy("/bin/sleep", program)
    (tmp_path / "otherwise").symlink_to(program)
    folder = tmp_path / "clientqueue"
    folder.mkdir()
    reader = processes.READER.replace("/var/spool/client*queue", str(folder))
    started = [
        subprocess.Popen(["mailer", "60"], executable=tmp_path / "otherwise"),
        subprocess.Popen(["sendmail", "60"], executable=program, cwd=folder),
        subprocess.Popen(["procmail", "60"], executable="/bin/sleep", env={"AGENT": "sendmail"}),
        subprocess.Popen(["other", "60"], executable="/bin/sleep", env={"AGENT": "other"}),
    ]
    try:
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        argv = [shell, "-c", reader]
        done = subprocess.run(argv, capture_output=True, check=True, timeout=60, env=environment)
    finally:
        for one in started:
            one.kill()
            one.wait()
    found = {one.pid: one for one in processes.parse(done.stdout.decode("utf-8", "surrogateescape"))}
    other, client, procmail = (found[one.pid] for one in started[:3])
    assert (other.title, other.client, other.program) == ("mailer 60", False, False)
    assert (client.client, client.program) == (True, False)
    assert (procmail.title, procmail.client, procmail.program) == ("procmail 60", False, True)
    assert started[3].pid not in found
    assert done.stderr == b""


@given(st.lists(st.sampled_from(["\0", "0", STAT, "(", ") ", "x"]) | st.text(max_size=3)).map("".join))
def test_any_output_is_read_or_refused(output: str) -> None:
    try:
        found = processes.parse(output)
    except TextError:
        return
    assert all(process.activity in Activity for process in found)
