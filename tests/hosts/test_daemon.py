"""What listens is told by the start of a title, which no client can write."""

import subprocess

import pytest

from migrator.hosts import daemon
from tests.fakes import make_facts
from tests.hosts.shell import each_shell, run

TITLES = {
    "sendmail: accepting connections": "listener",
    "sendmail: MTA: accepting connections           ": "listener",
    "sendmail: MTA: rejecting connections on daemon MTA-v4: load average: 20": "listener",
    "sendmail: MTA: rejecting new messages: min free: 100": "listener",
    "sendmail: Queue runner@00:10:00 for /var/spool/mqueue": "runner",
    "sendmail: MTA: Queue runner@00:10:00 for /var/spool/mqueue": "runner",
    "sendmail: MTA: server mx.example.net [192.0.2.1] cmd read": "idle",
    "sendmail: MTA: server mx.example.net [192.0.2.1] startup  ": "idle",
    "sendmail: MTA: 4ATxyz mx.example.net [192.0.2.1]: DATA": "other",
    "sendmail: MTA: 4ATxyz mx.example.net [192.0.2.1]: accepting connections": "other",
    "sendmail: 4ATxyz [192.0.2.1]: MAIL accepting connections": "other",
    "sendmail: ./4ATxyz from queue": "queue",
    "sendmail: MTA: ./4ATxyz from queue": "queue",
    "sendmail: MTA: ./4ATxyz [192.0.2.1]: client greeting": "queue",
    "sendmail: MTA: running queue: /var/spool/mqueue": "queue",
    "sendmail: MTA: 4ATxyz a/b [192.0.2.1]: DATA": "other",
    "/usr/sbin/sendmail -bd -q10m": "other",
}


@each_shell
@pytest.mark.parametrize(("title", "kind"), TITLES.items())
def test_titles_are_told_apart(shell: str, title: str, kind: str) -> None:
    assert run(shell, f"{daemon._FUNCTIONS}kind_of '{title}'\necho $kind\n").stdout == f"{kind}\n"


@each_shell
def test_the_process_list_is_read_without_a_complaint(shell: str) -> None:
    script = f"set -u\n{daemon._FUNCTIONS}mta; listening; sockets >/dev/null; queue_runs || calm 1\n"
    result = run(shell, script)
    assert (result.returncode, result.stderr) == (0, "")


PROCESSES = "mta() {{ printf '%s\\n' '{kind} 7 100 7 {title}'; }}\n"


@each_shell
@pytest.mark.parametrize(
    ("kind", "title", "alive"),
    [
        ("listener", "sendmail: MTA: accepting connections", True),
        ("other", "/usr/sbin/sendmail -Am -bd -q10m", True),
        ("other", "sendmail: MTA: 4ATxyz mx.example.net [192.0.2.1]: DATA", False),
        ("runner", "sendmail: Queue runner@00:10:00 for /var/spool/mqueue", False),
    ],
)
def test_a_daemon_that_ended_is_not_waited_for(shell: str, kind: str, title: str, alive: bool) -> None:
    script = (
        f"{daemon._FUNCTIONS}{PROCESSES.format(kind=kind, title=title)}gone={daemon.GONE_WAIT * 5}\nalive"
    )
    assert run(shell, script).returncode == (0 if alive else 1)


@each_shell
@pytest.mark.parametrize(
    "script",
    [daemon.start, daemon.stop, daemon.restart, daemon.reload_and_prove],
    ids=lambda each: each.__name__,
)
@pytest.mark.parametrize(
    "facts",
    [
        make_facts(init="systemd", programs=frozenset({"systemctl"})),
        make_facts(init="other", programs=frozenset({"service"})),
        make_facts(init="other", programs=frozenset()),
    ],
    ids=["systemd", "service", "init.d"],
)
def test_every_script_is_valid_and_can_stand_in_the_middle(shell: str, script: object, facts: object) -> None:
    assert callable(script)
    text = f"set -e\n{script(facts)}echo after\n"
    checked = subprocess.run([shell, "-n"], input=text, text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_service_is_started_by_the_way_of_its_init_system() -> None:
    assert "systemctl start sendmail" in daemon.start(make_facts(programs=frozenset({"systemctl"})))
    assert "service sendmail start" in daemon.start(make_facts(init="other", programs=frozenset({"service"})))


@each_shell
@pytest.mark.parametrize(
    ("title", "options"),
    [
        ("sendmail: MTA: Queue runner@00:15:00 for /var/spool/mqueue", "-q0d00h15m00s"),
        ("sendmail: Queue runner@1+02:03:04 for /var/spool/mqueue", "-q1d02h03m04s"),
        ("sendmail: MTA: Queue control", "-qp"),
        ("sendmail: Queue runner@$(reboot) for x", ""),
    ],
)
def test_a_runner_that_ended_is_started_as_its_title_says(shell: str, title: str, options: str) -> None:
    script = f"{daemon._FUNCTIONS}mta_program=echo\nstart_runner '{title}' || :\n"
    assert run(shell, script).stdout.strip() == options


@each_shell
def test_what_reads_its_input_since_before_a_reload_is_outlived_too(shell: str) -> None:
    rows = [
        "listener 9 500 9 sendmail: MTA: accepting connections",
        "other 11 400 7 sendmail: MTA: 4ATxyz mx.example.net [192.0.2.1]: DATA",  # of the daemon before
        "other 12 400 12 /usr/sbin/sendmail-Am-t",  # started by a program, with its own session
        "queue 13 400 13 sendmail: ./4ATabc from queue",  # of a run of the queue by hand
        "other 14 400 14 /usr/sbin/sendmail-bt",
        "other 15 400 15 /usr/sbin/sendmail-bv user01@example.test",
        "other 16 400 16 /usr/bin/newaliases",
        "other 17 600 17 /usr/sbin/sendmail-Am-t",  # reads the new configuration
        "idle 18 600 9 sendmail: MTA: server mx.example.net [192.0.2.1] cmd read",
    ]
    fake = "mta() { cat <<'EOF'\n" + "".join(f"{row}\n" for row in rows) + "EOF\n}\n"
    result = run(shell, f"{daemon._FUNCTIONS}{fake}{daemon._REMAINING}earlier='7'\nremaining\n")
    assert (result.stdout, result.stderr) == ("other 11\nother 12\nqueue 13\n", "")


@each_shell
def test_the_undo_of_a_relay_waits_for_what_remains(shell: str) -> None:
    text = daemon.reload_and_outlive(make_facts(), longest=1)
    assert daemon._REMAINING in text
    assert subprocess.run([shell, "-n"], input=text, text=True, check=False).returncode == 0


REJECTING = "sendmail: MTA: rejecting connections on daemon MTA-v4: load average: 24"
NO_SOCKETS = "sockets() { :; }\nsleep() { :; }\n"


@each_shell
def test_a_daemon_that_closed_its_port_for_the_load_is_a_listener_to_come(shell: str) -> None:
    fake = PROCESSES.format(kind="listener", title=REJECTING) + NO_SOCKETS
    result = run(shell, f"{daemon._FUNCTIONS}{fake}wait_for_listener 90")
    assert result.returncode == 0
    assert result.stderr == f"Sendmail runs, and keeps its port closed until the load falls: {REJECTING}\n"


@each_shell
def test_a_client_cannot_say_that_the_load_closed_the_port(shell: str) -> None:
    title = "sendmail: 4ATxyz [192.0.2.1]: EHLO rejecting connections on daemon x"
    fake = PROCESSES.format(kind="other", title=title) + NO_SOCKETS
    result = run(shell, f"{daemon._FUNCTIONS}{fake}rejecting; wait_for_listener 1")
    assert (result.returncode, result.stdout) == (1, "")


@each_shell
def test_a_reload_into_a_load_that_closes_the_port_is_done_and_told(shell: str) -> None:
    fake = PROCESSES.format(kind="listener", title=REJECTING) + NO_SOCKETS
    script = f"{daemon._FUNCTIONS}{daemon._PROOF}{fake}old_listeners=6.50\nold_sockets=4711\nold_runners=\n"
    result = run(shell, f"{script}wait_until_renewed 15 90 && tell; echo late >&2; exit 1")
    assert result.returncode == 0
    assert (
        result.stderr == f"the new daemon runs, and keeps its port closed until the load falls: {REJECTING}\n"
    )


@each_shell
def test_a_reload_is_not_done_while_the_old_daemon_rejects(shell: str) -> None:
    fake = PROCESSES.format(kind="listener", title=REJECTING) + NO_SOCKETS
    script = f"{daemon._FUNCTIONS}{daemon._PROOF}{fake}old_listeners=7.100\nold_sockets=\n"
    assert run(shell, f"{script}wait_until_renewed 1 1").returncode == 1


@each_shell
def test_a_wait_ends_with_what_was_seen(shell: str) -> None:
    fake = PROCESSES.format(kind="other", title="/usr/sbin/sendmail -bd")
    assert run(shell, f"{daemon._FUNCTIONS}{fake}seen").stdout == "seen: 7 (/usr/sbin/sendmail -bd); \n"
    assert run(shell, f"{daemon._FUNCTIONS}mta() {{ :; }}\nseen").stdout == "seen: no Sendmail\n"
