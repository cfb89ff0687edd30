"""After the final pass both hosts hold the same: every name, content, owner, mode, time, link and attribute."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab.driver import succeed
from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

INSIDE = Path(__file__).parent / "inside"
TREES = ("/var/spool/mail/", "/var/www/web1/mail/", "/var/www/web1/user/")
HOMES = TREES[2]
EXCLUDED = ("bak", "web")
CHANGES = 150


def live(lab: Lab, seed: int, changes: int = CHANGES) -> None:
    """Let mailboxes of the old host change at random."""
    lab.python("old", INSIDE / "history.py", str(seed), str(changes), *TREES)


def tree(lab: Lab, role: str, folder: str) -> dict[str, list[object]]:
    """Return all that a copy of a tree must keep."""
    found: dict[str, list[object]] = json.loads(lab.python(role, INSIDE / "tree.py", folder, *EXCLUDED))
    return found


def expect_equal(lab: Lab) -> None:
    """Compare the trees of both hosts, name by name, without any help of the program."""
    for folder in TREES:
        old, new = (tree(lab, role, folder) for role in ("old", "new"))
        extra, lost = new.keys() - old.keys(), old.keys() - new.keys()
        assert (sorted(extra), sorted(lost)) == ([], [])
        assert {name: (old[name], new[name]) for name in old if old[name] != new[name]} == {}


def scopes(lab: Lab) -> list[str]:
    """Return of each pass over a tree whether it looked at everything or at what changed."""
    lines = lab.shell("new", "cat /var/lib/migrate/lab/passes").splitlines()
    return [dict(word.split("=") for word in line.split("\t"))["kind"] for line in lines]


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_to_mailboxes_between_the_passes_both_hosts_are_equal_in_the_end(
    lab: Lab, seed: int
) -> None:
    lab.shell("new", f"mkdir -p {HOMES}user11/bak && echo kept >{HOMES}user11/bak/of-the-new-host")
    live(lab, seed)
    succeed(lab, "run", "--until", "install-key")
    live(lab, seed + 10)
    succeed(lab, "run", "--until", "presync")
    live(lab, seed + 20)
    succeed(lab, "run", "--wait", "--until", "catch-up")
    live(lab, seed + 30)
    succeed(lab, "run", "--yes", "--until", "sweep", "--force", "max-delete")
    live(lab, seed + 40)
    before = len(scopes(lab))
    said = succeed(lab, "run", "--yes", "--until", "final-copy")
    assert scopes(lab)[before:] == ["changed"] * len(TREES), said
    expect_equal(lab)
    assert lab.shell("new", f"cat {HOMES}user11/bak/of-the-new-host") == "kept\n"


def test_large_mailboxes_that_grow_between_the_passes_stay_the_same_files_and_are_equal(lab: Lab) -> None:
    boxes = " ".join(f"{TREES[1]}large/box{number}" for number in range(5))
    lab.shell("old", f"mkdir -p {TREES[1]}large && yes 'a line of mail' | head -c 9000000 >/root/mail")
    first = "printf 'From a Mon Jan  1 00:00:09 2024\\n\\n'; cat /root/mail; echo"
    lab.shell("old", f"for box in {boxes}; do {{ {first}; }} >$box; done")
    succeed(lab, "run", "--yes", "--wait", "--until", "sweep")
    before = lab.shell("new", f"stat -c %i {boxes}")
    # One was compacted, and is longer for what came behind that.
    lab.shell(
        "old",
        f"for box in {boxes}; do printf 'From b Mon Jan  1 00:00:09 2024\\n\\nlate\\n\\n' >>$box; done && "
        f"cd {TREES[1]}large && sed -i '3,9d' box4 && cat /root/mail >>box4",
    )
    succeed(lab, "run", "--yes", "--until", "final-copy")
    expect_equal(lab)
    after = lab.shell("new", f"stat -c %i {boxes}")
    assert after.split("\n")[:4] == before.split("\n")[:4]
    assert "ends-" not in lab.shell("new", "ls /var/lib/migrate/lab")
