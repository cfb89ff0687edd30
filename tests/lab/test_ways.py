"""Hosts that do not reach each other are copied all the same: through the operator, or by a port of the new one."""

from __future__ import annotations

import pytest

from tests.lab.driver import succeed
from tests.lab.lab import Lab
from tests.lab.world import expect_no_trace

pytestmark = pytest.mark.lab

LISTING = (
    "cd /var && find spool/mail/user* www/web1/user -name bak -prune -o -name web -prune -o "
    "-type f -printf '%p %s %U %m\\n' | LC_ALL=C sort"
)


def refuse(lab: Lab, host: str, source: str) -> None:
    """Let one host not reach the other's ssh port."""
    lab.shell(host, f"iptables -I INPUT -p tcp --dport 22 -s {source} -j REJECT")


def choose(lab: Lab, via: str) -> None:
    lab.write_plan()
    with lab.plan_path.open("a") as plan:
        plan.write(f'\n[presync]\nvia = "{via}"\n')


def expect_copied(lab: Lab) -> None:
    copied = lab.shell("new", LISTING).splitlines()
    assert copied == lab.shell("old", LISTING).splitlines()
    assert len(copied) > 100
    # Nothing that a pass needs stays open after it.
    for host, word in (("old", "[s]sh -M"), ("new", "[s]shd: root@notty")):
        assert lab.shell(host, f"ps ax | grep -c '{word}' || true").strip() in {"0", "1"}


@pytest.mark.parametrize("via", ["operator", "push"])
def test_the_new_host_cannot_reach_the_old_one(lab: Lab, via: str) -> None:
    refuse(lab, "old", lab.place.new)
    if via == "operator":
        refuse(lab, "new", lab.place.old)
    choose(lab, via)
    succeed(lab, "run", "--until", "presync")
    expect_copied(lab)
    succeed(lab, "run", "--until", "catch-up", "--wait", "--yes")
    succeed(lab, "rollback", "--yes")
    for role in ("old", "new"):
        expect_no_trace(lab, role)


def test_a_large_tree_is_copied_in_parts_as_it_would_be_in_one(lab: Lab) -> None:
    lab.shell(
        "old",
        "cd /var/www/web1/user && for name in big1 'big [2]' big3 'big*'; do mkdir \"$name\" && cd \"$name\" && "
        "head -c 1000000 /dev/urandom >mbox && truncate -s 80M mbox && ln mbox again && cd ..; done",
    )
    succeed(lab, "run", "--until", "presync")
    expect_copied(lab)
    # Each part has an rsync of its own, which the log tells by its number.
    log = lab.shell("new", "cat /var/lib/migrate/*/copied-2.log")
    copied = [line.split() for line in log.splitlines() if line.endswith("/mbox") and "|>f" in line]
    assert len({words[2] for words in copied}) > 1
    kept = lab.shell("new", "cd /var/www/web1/user && find big* -name mbox -printf '%n %k\\n'").split()
    assert kept[::2] == ["2"] * 4
    assert all(int(blocks) < 10_000 for blocks in kept[1::2])
