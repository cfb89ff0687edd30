"""The bridge over a reload: what it leads where, and that it leaves nothing behind. The lab runs it for real."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from migrator.hosts import daemon
from migrator.hosts.bridge import PREFIX, SWEEP, bridged
from migrator.hosts.daemon import reload_and_prove
from migrator.plan.shapes import Strategy
from migrator.steps.base import Step
from migrator.steps.close_new import CloseNew
from migrator.steps.close_old import CloseOld
from migrator.steps.open_old import OpenOld
from tests.fakes import make_facts
from tests.hosts.shell import each_shell
from tests.steps.stage import Stage, script


def run(folder: Path, *, sendmail: int = 1) -> tuple[int, list[str], str]:
    """Run a bridged reload with stand-ins for the programs; return its status, the calls made, and its complaints."""
    for name, status in (("sendmail", sendmail), ("iptables", 1)):
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >>"{folder}/calls"\nexit {status}\n')
        program.chmod(0o755)
    script = bridged(f'echo reload >>"{folder}/calls"\nexit 7\n')
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(folder)}
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=environment, timeout=60)
    return done.returncode, (folder / "calls").read_text().splitlines(), done.stderr


def test_the_reload_happens_and_counts_also_where_there_is_no_bridge(tmp_path: Path) -> None:
    status, calls, complaints = run(tmp_path)
    assert status == 7
    assert "reload" in calls
    assert "for some milliseconds they are refused" in complaints


def test_the_second_daemon_is_told_from_the_real_one_by_its_title(tmp_path: Path) -> None:
    _, calls, _ = run(tmp_path)
    assert calls[0].startswith("sendmail -bd -ODaemonPortOptions=Name=bridge,Port=1002")
    assert f"-OProcessTitlePrefix={PREFIX}" in calls[0]
    assert f"'sendmail: {PREFIX}: accepting '*) continue" in reload_and_prove(make_facts())


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    run(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calls", "iptables", "sendmail"]


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_it_is_a_script_that_shells_read(shell: str) -> None:
    assert subprocess.run([shell, "-n", "-c", bridged("true\n")], timeout=20).returncode == 0


IPTABLES = r"""#!/bin/sh
# Keeps the rules that it is given, one a line, in a file.
echo "iptables $*" >>"@FOLDER@/calls"
shift 2 # -w 10
table=filter
if [ "$1" = -t ]; then table=$2; shift 2; fi
what=$1; shift
case $what in
    -S) echo "-P INPUT ACCEPT"; sed -n "s/^$table /-A /p" "@FOLDER@/rules"; exit ;;
    -I) echo "$table $*" >>"@FOLDER@/rules"; exit ;;
esac
grep -qxF -- "$table $*" "@FOLDER@/rules" || exit 1
if [ "$what" = -D ]; then
    grep -vxF -- "$table $*" "@FOLDER@/rules" >"@FOLDER@/rest"; mv "@FOLDER@/rest" "@FOLDER@/rules"
fi
"""
LOCAL = "-p tcp -m addrtype --dst-type LOCAL --dport 25 --syn -j REDIRECT --to-ports"
OURS = [
    f"nat PREROUTING {LOCAL} 10026",
    "nat PREROUTING -p tcp --dport 25 --syn -j REDIRECT --to-ports 10026",
    "filter INPUT -p tcp --dport 10026 -m conntrack --ctstate DNAT -j ACCEPT",
]
OTHERS = [
    "nat PREROUTING -p tcp --dport 25 --syn -j REDIRECT --to-ports 10025",
    "filter INPUT -p tcp --dport 22 -j ACCEPT",
]


def with_rules(folder: Path, *rules: str) -> dict[str, str]:
    """Put a firewall of these rules into a folder; return the environment in which it is found."""
    (folder / "rules").write_text("".join(f"{rule}\n" for rule in rules))
    program = folder / "iptables"
    program.write_text(IPTABLES.replace("@FOLDER@", str(folder)))
    program.chmod(0o755)
    (folder / "sendmail").write_text("#!/bin/sh\nexit 1\n")
    (folder / "sendmail").chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(folder)}


@each_shell
def test_what_a_killed_reload_has_left_is_swept_and_nothing_of_others(tmp_path: Path, shell: str) -> None:
    environment = with_rules(tmp_path, *OURS, *OTHERS)
    title = "sendmail: migrate-bridge: accepting connections"
    with (
        subprocess.Popen([title, "60"], executable="/bin/sleep") as left,
        subprocess.Popen(["sendmail: MTA: accepting connections", "60"], executable="/bin/sleep") as real,
    ):
        done = subprocess.run(
            [shell, "-c", f"set -eu\n{SWEEP}echo swept\n"],
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
        )
        gone, kept = left.wait(10), real.poll()
        real.kill()
    assert (done.returncode, done.stdout, done.stderr) == (0, "swept\n", "")
    assert (gone, kept) == (-15, None)
    assert (tmp_path / "rules").read_text().splitlines() == OTHERS


@each_shell
def test_where_nothing_was_left_one_look_is_all(tmp_path: Path, shell: str) -> None:
    environment = with_rules(tmp_path, *OTHERS)
    subprocess.run([shell, "-c", SWEEP], env=environment, timeout=60, check=True)
    assert (tmp_path / "calls").read_text().splitlines() == ["iptables -w 10 -S INPUT"]


@each_shell
def test_a_bridge_is_not_swept_by_what_it_bridges(tmp_path: Path, shell: str) -> None:
    environment = with_rules(tmp_path, *OURS)
    subprocess.run([shell, "-c", f"bridge_port=10026\n{SWEEP}"], env=environment, timeout=60, check=True)
    assert (tmp_path / "rules").read_text().splitlines() == OURS


def _scripts(step: Step, strategy: Strategy) -> list[str]:
    """Return what a step does first."""
    stage = Stage(step, strategy)
    return [script(stage.look()[0])]


@pytest.mark.parametrize(
    "text",
    [
        daemon.start(make_facts()),
        daemon.stop(make_facts()),
        daemon.restart(make_facts()),
        reload_and_prove(make_facts()),
        daemon.reload_and_outlive(make_facts(), longest=1),
        *_scripts(CloseOld(), "firewall"),
        *_scripts(OpenOld(), "firewall"),
        *_scripts(CloseNew(), "hold"),
    ],
    ids=["start", "stop", "restart", "reload", "outlive", "close-old", "open-old", "close-new"],
)
def test_every_script_that_touches_port_or_daemon_sweeps_first(text: str) -> None:
    assert text.index(SWEEP) < text.index("mta_program=" if "mta_program=" in text else "nft")


def test_a_bridge_begins_with_the_sweep(tmp_path: Path) -> None:
    environment = with_rules(tmp_path, *OURS, *OTHERS)
    title = "sendmail: migrate-bridge: accepting connections"
    with subprocess.Popen([title, "60"], executable="/bin/sleep") as left:
        script = bridged(f'cat "{tmp_path}/rules"\n')
        done = subprocess.run(
            ["sh", "-c", script], capture_output=True, text=True, env=environment, timeout=60
        )
        gone = left.wait(10)
    assert (gone, done.stdout.splitlines()) == (-15, OTHERS)


def test_only_what_is_for_the_host_itself_is_led_to_the_bridge(tmp_path: Path) -> None:
    environment = with_rules(tmp_path)
    listening = tmp_path / "sendmail"
    listening.write_text("#!/bin/sh\nexit 0\n")
    script = bridged(f'cat "{tmp_path}/rules"\n').replace(
        'until grep -qi ":$(printf %04x "$bridge_port") .* 0A "', "until true "
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=environment, timeout=60)
    assert f"nat PREROUTING {LOCAL} 1002" in done.stdout
    assert (tmp_path / "rules").read_text() == ""
