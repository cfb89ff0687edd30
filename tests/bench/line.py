"""A line of so many milliseconds between the operator and the hosts, and between the hosts."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.inside.delay import MARK
from tests.lab.lab import Lab

DELAY = Path(__file__).with_name("inside") / "delay.py"
INSIDE_PORT = 2022
PORTS = "22,25"
"""What travels over the line from the operator: ssh and SMTP; between the hosts it is ssh alone."""


@contextmanager
def line(lab: Lab, seconds: float) -> Iterator[None]:
    """Delay ssh and SMTP of this machine to the lab's hosts, and ssh between them, by so many seconds a round trip.

    The firewall of this machine redirects connections to this lab's two addresses alone, and is as before at the end.
    """
    if not seconds:
        yield
        return
    with ExitStack() as stack:
        _between_hosts(lab, seconds / 2)
        port = _free_port()
        argv = [sys.executable, str(DELAY), str(port), str(seconds / 2)]
        relay = stack.enter_context(subprocess.Popen(argv))
        stack.callback(relay.kill)
        for address in (lab.place.old, lab.place.new):
            rule = _rule(f"-d {address}", PORTS, port)
            subprocess.run(["iptables", "-w", "-t", "nat", "-I", *rule], check=True)
            stack.callback(subprocess.run, ["iptables", "-w", "-t", "nat", "-D", *rule], check=True)
        _wait_for("127.0.0.1", port)
        yield


def _between_hosts(lab: Lab, delay: float) -> None:
    lab.start_python("new", DELAY, str(INSIDE_PORT), str(delay))
    rule = _rule(f"-d {lab.place.old}", "22", INSIDE_PORT)
    lab.shell("new", f"iptables -w -t nat -I {' '.join(rule)}")


def _rule(target: str, ports: str, port: int) -> list[str]:
    rule = f"OUTPUT -p tcp {target} -m multiport --dports {ports} -m mark ! --mark {MARK} -j REDIRECT --to-ports {port}"
    return rule.split()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str, port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            with socket.create_connection((address, port), timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
