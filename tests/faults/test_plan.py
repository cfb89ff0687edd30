"""The plan, the run and the hosts are not those that the journal knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from docker.client import DockerClient

from tests.faults.outcome import Outcome
from tests.lab.containers import image_tag, labels
from tests.lab.driver import change_of, running, succeed
from tests.lab.lab import Lab
from tests.lab.scene import scene
from tests.lab.world import expect_moved

RATE = 8.0
ALL = "run", "--yes", "--wait"
OTHER_KEY = """cd /etc/ssh && mkdir -p aside && mv ssh_host_ed25519_key* aside/
ssh-keygen -q -t ed25519 -N '' -f ssh_host_ed25519_key
pkill -x sshd; while pgrep -x sshd >/dev/null; do sleep 0.1; done; /usr/sbin/sshd"""
OWN_KEY = """cd /etc/ssh && mv -f aside/* . && rmdir aside
pkill -x sshd; while pgrep -x sshd >/dev/null; do sleep 0.1; done; /usr/sbin/sshd"""
KEPT = "/lab-state/of-old"
KEEP = f"mkdir {KEPT} && cp -p /etc/ssh/ssh_host_ed25519_key* /root/.ssh/authorized_keys {KEPT}/"
CLONE = f"""cp -p {KEPT}/ssh_host_* /etc/ssh/ && mkdir -p -m 700 /root/.ssh /run/sshd
cp {KEPT}/authorized_keys /root/.ssh/ && exec /usr/sbin/sshd -D"""


def edit(lab: Lab, old: str, new: str) -> None:
    """Change the plan as its operator would. Raise AssertionError where the text is not there."""
    text = lab.plan_path.read_text()
    assert old in text
    lab.plan_path.write_text(text.replace(old, new, 1))


def refused(lab: Lab, code: int, *words: str, options: tuple[str, ...] = ()) -> str:
    """Start a run, and return what it says. Raise AssertionError where it does not end so, or lacks a word."""
    done = lab.migrate(*ALL, *options)
    told = " ".join(done.stderr.split())
    assert done.returncode == code, done.stdout + done.stderr
    for word in words:
        assert word in told
    return told


@contextmanager
def another_machine(lab: Lab) -> Iterator[None]:
    """Put another machine in the place of the old host: its address, its host key, its users' keys."""
    lab.shell("old", KEEP)
    client = DockerClient.from_env()
    original = client.containers.get(lab.container_id("old"))
    networks = original.attrs["NetworkSettings"]["Networks"]
    (network,) = networks
    original.stop(timeout=1)
    clone = client.containers.create(
        image_tag(), entrypoint="bash", command=["-c", CLONE], hostname="mail.example.test",
        volumes=[f"{lab.folder}:/lab-state"], labels=labels(lab.identity), network="none", init=True,
    )  # fmt: skip
    try:
        client.networks.get("none").disconnect(clone)
        client.networks.get(network).connect(clone, ipv4_address=lab.place.old)
        clone.start()
        yield
    finally:
        clone.remove(force=True, v=True)
        original.start()
        lab.wait_until_ready()
        client.close()


@pytest.mark.fault("two runs of one plan at once, and one of the same plan with a journal elsewhere")
def test_two_runs(lab: Lab, outcome: Outcome) -> None:
    elsewhere = ("--state-dir", str(lab.folder / "elsewhere"))
    with scene(lab, rate=RATE) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        with running(lab) as run:
            run.wait_for(change_of("final-copy"))
            refused(lab, 4, "Another run of this plan holds its lock", "process", "since")
            outcome.hit("the same journal: exit 4, naming the process that holds it")
            refused(lab, 3, "another migration of the name lab is under way", ".migrate", options=elsewhere)
            outcome.hit("another journal: exit 3, naming the machine and the folder of the first")
            assert run.end() == 0
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault("a plan edited between two runs")
def test_an_edited_plan(lab: Lab, outcome: Outcome) -> None:
    accept = ("--accept-plan-change",)
    with scene(lab, rate=RATE) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        edit(lab, 'to = "/var/www/web1/mail/"', 'to = "/var/www/web2/mail/"')
        for options in ((), accept):
            refused(lab, 2, "/var/www/web1/mail/ → /var/www/web2/mail/", "install-key", options=options)
        outcome.hit(
            "another tree: exit 2 with what changed and which finished step it concerns, also if accepted"
        )
        edit(lab, 'to = "/var/www/web2/mail/"', 'to = "/var/www/web1/mail/"')
        succeed(lab, "run", "--yes", "--wait", "--until", "close-new")
        edit(lab, f'address = "{lab.place.new}"', f'address = "{lab.place.dns}"')
        refused(
            lab, 2, f'"{lab.place.new}"] → ["{lab.place.dns}"]', "survey, which is finished", options=accept
        )
        outcome.hit("another address after the cutover began: exit 2")
        edit(lab, f'address = "{lab.place.dns}"', f'address = "{lab.place.new}"')
        edit(lab, "user01@example.test", "user12@example.test")
        refused(lab, 2, "user01@example.test → user12@example.test", "--accept-plan-change")
        succeed(lab, *ALL, *accept)
        outcome.hit("another recipient of the test message: exit 2, and accepted with --accept-plan-change")
        outcome.settle(stage)
    expect_moved(lab)


@pytest.mark.fault("another machine behind the address of the old host")
def test_another_machine(lab: Lab, outcome: Outcome) -> None:
    with scene(lab, rate=RATE) as stage:
        succeed(lab, "run", "--until", "presync")
        stage.readers.stop()
        lab.shell("old", OTHER_KEY)
        refused(lab, 1, "key", lab.place.old)
        outcome.hit("with another host key: exit 1 before anything is sent")
        lab.shell("old", OWN_KEY)
        with another_machine(lab):
            refused(lab, 3, "the old host is another machine than the one", "cloned", "--force same-host")
            assert lab.migrate("rollback").returncode == 3
        outcome.hit("with the same host key: exit 3, also for a rollback")
        succeed(lab, *ALL)
        outcome.settle(stage)
    expect_moved(lab)
