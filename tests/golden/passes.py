"""The texts of passes, which simulated hosts are not told: those of a copy, of its proof, and of the old host's key."""

from __future__ import annotations

from collections.abc import Mapping

from migrator.mailstore import arrivals, forest, home, joining
from migrator.mailstore.arrivals import Target
from migrator.mailstore.copying import Pass, look_of, prune_of
from migrator.mailstore.forest_pass import ForestPass
from migrator.mailstore.look import old_functions, old_head
from migrator.mailstore.restraint import Restraint
from migrator.mailstore.together import together
from migrator.mailstore.way import Way
from migrator.mailstore.wrapper import wrapper_script
from migrator.plan import CopyPlan, SyncTree

NAME, SPOOL = "example-mail", "/var/spool/mail"
WAY = Way(NAME, "198.51.100.10", 22, "root")
TREES = (
    SyncTree("/var/spool/mail/", "/var/spool/mail/"),
    SyncTree("/srv/it's mail/", "/srv/mail/", ("bak", "/top/*.old")),
    SyncTree("/home/", "/home/", ("a//b",)),
)
MANY = {index: SyncTree(f"/home/u{index}/", f"/home/u{index}/") for index in range(forest.MANY + 1)}


def rendered() -> Mapping[str, str]:
    """Return the texts by name."""
    texts: dict[str, str] = {}
    for index, tree in enumerate(TREES):
        planned = Pass(
            NAME, index, tree, WAY, CopyPlan(), spool=SPOOL, trees=len(TREES), spared=("own/.ssh",)
        )
        last = Pass(
            NAME, index, tree, WAY, CopyPlan(bwlimit=1_000_000), spool=SPOOL, delete=True, max_delete=0.5
        )
        texts |= {
            f"whole-{index}.sh": planned.whole(),
            f"final-{index}.sh": last.opening + last.changed(),
            f"look-{index}.sh": look_of(NAME, index, tree, spool=SPOOL),
        }
    proofs = {
        index: Pass(NAME, index, tree, WAY, CopyPlan(), spool=SPOOL, delete=True)
        for index, tree in enumerate(TREES)
    }
    many = ForestPass(NAME, MANY, WAY, CopyPlan(), spool=SPOOL)
    targets = [
        Target(tree.target, spool=index == 0, excluded=tree.exclude) for index, tree in enumerate(TREES)
    ]
    boxes = ("user01", "it's/user02")
    return texts | {
        "proof.sh": together(
            proofs[0].opening, {index: proof.differences() for index, proof in proofs.items()}
        ),
        "many-whole.sh": many.whole(),
        "many-changed.sh": many.changed(),
        "many-proof.sh": many.differences(),
        "wrapper.sh": _wrapper(TREES, sudo=False),
        "wrapper-many.sh": _wrapper(tuple(MANY.values()), sudo=True),
        "guard.sh": arrivals.look_script(NAME, targets),
        "guard-interrupted.sh": arrivals.look_script(NAME, targets, interrupted=True),
        "begin.sh": arrivals.begin_script(NAME, None) + arrivals.begin_script(NAME, 1_700_000_000),
        "end.sh": arrivals.end_script(NAME),
        "forget.sh": arrivals.forget_script(NAME),
        "home-mailboxes.sh": home.mailboxes_script(TREES[1].target, boxes),
        "home-keys.sh": home.keys_script(TREES[1].source, ("M1", "it's")),
        "home-list.sh": home.list_script("/var/lib/migrate/home", boxes),
        "home-join.sh": joining.join_script(TREES[1].source, boxes, home="/var/lib/migrate/home", name=NAME),
        "way.sh": WAY.open_script() + WAY.knock_script() + WAY.close_script(),
    }


def _wrapper(trees: tuple[SyncTree, ...], *, sudo: bool) -> str:
    looks = []
    for index, tree in enumerate(trees):
        words = prune_of(tree, SPOOL)
        looks.append("" if words is None else old_head(f"{arrivals.folder(NAME)}/look-{index}", words))
    return wrapper_script(
        NAME,
        trees,
        sudo=sudo,
        looks=looks,
        shared=old_functions(),
        together=forest.old_text(NAME, dict(enumerate(trees)), SPOOL),
        restraint=Restraint(10, "idle", 0.0, own_limits=True),
    )
