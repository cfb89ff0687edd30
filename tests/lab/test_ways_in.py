"""A tree that holds the home of who logs in moves, and both hosts let the operator in and the run go back."""

from __future__ import annotations

import pytest

from tests.lab.driver import succeed
from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

KEYS = ".ssh/authorized_keys"
TREE = '[[sync]]\nfrom = "/home/"\nto = "/home/"\n\n'


def only_on_new(lab: Lab) -> None:
    """Let the new host be reached as a user that it alone has, and give both hosts lines of their own."""
    lab.shell(
        "new",
        "useradd --create-home --uid 2200 --shell /bin/bash mover; cp -r /home/admin/.ssh /home/mover\n"
        f"echo '# of the new host' | tee -a /home/mover/{KEYS} >>/home/admin/{KEYS}; chown -R mover: /home/mover\n"
        "echo 'mover ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/mover",
    )
    lab.shell(
        "old",
        f"echo '# of the old host' >>/home/admin/{KEYS}; echo mail >/home/admin/mbox; "
        "install -d -o user01 /home/user01/.ssh; echo key >/home/user01/.ssh/authorized_keys",
    )
    text = lab.plan_path.read_text()
    text = text.replace(f"admin@{lab.place.new}", f"mover@{lab.place.new}").replace(
        "[[sync]]", f"{TREE}[[sync]]", 1
    )
    lab.plan_path.write_text(text)


def test_a_tree_of_homes_shuts_nobody_out(sudo_lab: Lab) -> None:
    lab = sudo_lab
    only_on_new(lab)
    assert "/home/mover/.ssh" in succeed(lab, "check", "--json")
    succeed(lab, "run", "--until", "final-copy", "--yes", "--wait")
    assert lab.shell("new", "cat /home/admin/mbox /home/user01/.ssh/authorized_keys") == "mail\nkey\n"
    for user in ("mover", "admin"):
        own = "of the new host" if user == "mover" else "of the"
        assert own in lab.shell("new", f"cat /home/{user}/{KEYS}"), user
    assert "of the old host" not in lab.shell("new", f"cat /home/*/{KEYS}")
    assert lab.exec("new", "test", "-s", "/home/mover/.ssh/migrate-lab")[0] == 0
    assert "migrate:lab" in lab.shell("old", f"cat /home/admin/{KEYS}")
    succeed(lab, "rollback")
    assert lab.shell("new", f"cat /home/mover/{KEYS}").endswith("# of the new host\n")
    assert lab.shell("old", f"cat /home/admin/{KEYS}").endswith("# of the old host\n")
