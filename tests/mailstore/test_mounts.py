"""What lets the operator in is the same by whichever mount a tree reaches it."""

from __future__ import annotations

import pytest

from migrator.mailstore import mounts, spared
from migrator.mailstore.spared import Places
from tests.hosts.shell import SHELLS, run

TABLE = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 8:2 / /home rw,relatime shared:2 - ext4 /dev/sda2 rw
31 22 8:2 / /srv/homes rw,relatime shared:2 - ext4 /dev/sda2 rw
32 22 8:2 /admin /srv/of\040admin rw,relatime shared:2 - ext4 /dev/sda2 rw
33 22 8:2 /admin/.ssh/old /srv/old rw,relatime shared:2 - ext4 /dev/sda2 rw
34 22 8:2 / /covered rw,relatime shared:2 - ext4 /dev/sda2 rw
35 34 8:3 / /covered rw,relatime - ext4 /dev/sda3 rw
"""
KEYS = "/home/admin/.ssh"


def places(*roots: str, table: str = TABLE) -> Places:
    told = "".join(f"{path}\0\0" for path in (KEYS, *roots))
    return spared.parse_places(f"{told}{mounts.HEAD}{table}\0\0end\0", [KEYS], roots)


@pytest.mark.parametrize(
    ("root", "inside"),
    [
        ("/home", ("admin/.ssh",)),
        ("/srv/homes", ("admin/.ssh",)),
        ("/srv/of admin", (".ssh",)),
        ("/srv", ("homes/admin/.ssh", "of admin/.ssh")),
        ("/covered", ()),
        ("/var/spool/mail", ()),
    ],
)
def test_the_keys_are_spared_by_every_mount(root: str, inside: tuple[str, ...]) -> None:
    found = places(root)
    assert sorted(found.inside(0)) == sorted(inside)
    assert (found.links(0), found.around(0)) == ((), "")


@pytest.mark.parametrize("root", ["/srv/homes/admin/.ssh", "/srv/of admin/.ssh/x", "/srv/old", "/srv/old/x"])
def test_a_tree_that_lies_in_them_by_a_mount_is_told(root: str) -> None:
    assert places(root).around(0)


def test_a_host_that_tells_no_mounts_is_taken_by_its_paths() -> None:
    for table in ("", "no table\n"):
        assert places("/srv/homes", table=table).inside(0) == ()
    assert spared.parse_places(f"{KEYS}\0\0/home\0\0end\0", [KEYS], ["/home"]).inside(0) == ("admin/.ssh",)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_table_of_a_real_host_is_read(shell: str) -> None:
    text = run(shell, spared.places_script(["/root/.ssh"], ["/"])).stdout
    found = mounts.parse(text[text.index(mounts.HEAD) :].partition("\0")[0])
    assert "" in {mount.point for mount in found}
    assert spared.parse_places(text, ["/root/.ssh"], ["/"])
