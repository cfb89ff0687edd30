"""A plan of many trees, on an sshd as it comes (MaxSessions 10, MaxStartups 10:30:100): few sessions serve them all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab.driver import succeed
from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

COUNT = 30
INSIDE = Path(__file__).parent / "inside"
ROOT = "/srv/customers/"

FILL = f"""i=0
while [ $i -lt COUNT ]; do
    box={ROOT}c$i/mail/Maildir
    mkdir -p $box/cur $box/new $box/tmp
    for n in 1 2 3 4; do echo "mail $n of $i" >$box/cur/170000000$n.$i.host:2,S; done
    printf 'From a@example.test Mon Nov 30 10:00:00 2026\\n\\nmail\\n' >{ROOT}c$i/mail/mbox
    i=$((i + 1))
done
"""

# Of every third tree a message comes, one is read, one goes, and a mailbox grows.
CHANGE = f"""i=0
while [ $i -lt COUNT ]; do
    box={ROOT}c$i/mail/Maildir
    echo new >$box/new/NAME.$i.host
    mv $box/cur/1700000001.$i.host:2,* $box/cur/1700000001.$i.host:2,NAME
    rm -f $box/cur/1700000002.$i.host:2,S
    echo more >>{ROOT}c$i/mail/mbox
    i=$((i + 3))
done
"""


def with_trees(lab: Lab, count: int) -> None:
    """Give the old host many trees, and the plan of the lab with them."""
    lab.shell("old", FILL.replace("COUNT", str(count)))
    plan = lab.folder / "plan.toml"
    text = plan.read_text()
    added = "".join(
        f'[[sync]]\nfrom = "{ROOT}c{number}/mail/"\nto = "{ROOT}c{number}/mail/"\nexclude = ["*.lock"]\n\n'
        for number in range(count)
    )
    plan.write_text(text.replace("[cutover]", f"{added}[cutover]", 1))


def change(lab: Lab, count: int, name: str) -> None:
    """Let mail of the trees change."""
    lab.shell("old", CHANGE.replace("COUNT", str(count)).replace("NAME", name))


def test_many_trees_are_copied_and_proved_over_few_sessions(lab: Lab) -> None:
    assert "MaxSessions" not in lab.shell("old", "cat /etc/ssh/sshd_config.d/*")
    with_trees(lab, COUNT)
    succeed(lab, "run", "--wait", "--until", "catch-up")
    change(lab, COUNT, "R")
    succeed(lab, "run", "--yes", "--until", "sweep")
    change(lab, COUNT, "F")
    said = succeed(lab, "run", "--yes", "--until", "final-copy")
    assert "everything is looked at" not in said
    old, new = (json.loads(lab.python(role, INSIDE / "tree.py", ROOT)) for role in ("old", "new"))
    inside = {name for name in old if "/mail" in name}
    assert len(inside) > COUNT * 8
    assert {name: (old[name], new.get(name)) for name in inside if old[name] != new.get(name)} == {}
    assert {name for name in new if "/mail" in name} - inside == set()
    assert len(lab.shell("old", "cat /root/.ssh/migrate-lab.sh")) < 100_000
