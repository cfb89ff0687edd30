"""The rule about trees and what a host keeps for itself: the keys of who logs in, the run's state, the system."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from migrator.hosts.base import Reader
from migrator.mailstore import entering
from migrator.mailstore.spared import BACKUPS, USUAL, Places, Spared
from migrator.plan import SyncTree, places
from migrator.steps.common import sparing
from migrator.steps.rules.finding import Both, Finding, Look, some

_NAME = "ways-in"
_MODE = re.compile(r"([0-7]{1,4}) (.*)")
_OTHERS_WRITE = 0o022


def ways_in(both: Both) -> Iterator[Finding]:
    """Fail where a tree is, or lies in, what a host keeps for itself; tell what of the others is left alone."""
    context = both.context
    spared = context.spared() if context.spared else sparing.look(context.plan, _readers(both), context.facts)
    found = [*_trees(both, spared), *_links(both, spared), *_targets(both, spared.new), *_modes(both, spared)]
    found += [*_swappable(both)]
    if found:
        yield from found
        return
    kept = [
        f"{tree.target.rstrip('/')}/{path}"
        for index, tree in enumerate(context.plan.sync)
        for path in spared.inside(index)
    ]
    text = (
        f"left as it is on each host: {some(kept)}" if kept else "no tree holds what a host needs for itself"
    )
    yield both.new.passed(_NAME, text)


def _readers(both: Both) -> dict[str, Reader]:
    return {"old": both.old.reader, "new": both.new.reader}


def _trees(both: Both, spared: Spared) -> Iterator[Finding]:
    for look, own in ((both.old, spared.old), (both.new, spared.new)):
        for index, tree in enumerate(both.context.plan.sync):
            if around := own.around(index):
                path = _path(look, tree)
                yield look.failed(
                    _NAME,
                    f"{path} is, or lies in, {around}: what this host keeps for itself",
                    f"take {tree.source} out of the plan's [[sync]]",
                )


def _links(both: Both, spared: Spared) -> Iterator[Finding]:
    """Fail where a link leads to the keys: it stays, so what stands there on the other host would not be copied."""
    for look, own in ((both.old, spared.old), (both.new, spared.new)):
        for index, tree in enumerate(both.context.plan.sync):
            links = [path for path in own.links(index) if not _excluded(tree, path)]
            if links:
                yield look.failed(
                    _NAME,
                    f"who logs in here is let in by way of a link in {_path(look, tree)}: {some(links)}",
                    f"exclude {some([f'/{path}' for path in links])} there and give what they lead to a tree of its "
                    "own, or log in as another user",
                )


def _swappable(both: Both) -> Iterator[Finding]:
    """Fail where a tree is reached through a link that a user can make lead elsewhere: no pass goes through one."""
    for look in (both.old, both.new):
        paths = [_path(look, tree) for tree in both.context.plan.sync]
        asked = "".join(
            f"(enter_tree {shlex.quote(path)}) >/dev/null 2>&1; [ $? -ne {entering.LINK} ] || echo {index}\n"
            for index, path in enumerate(paths)
        )
        told = look.reader.inspect(f"{entering.ENTER}{asked}").stdout.split("\n")
        for index, path in enumerate(paths):
            if str(index) in told:
                yield look.failed(_NAME, f"{entering.SAID} {path}", entering.ADVICE)


def _targets(both: Both, own: Places) -> Iterator[Finding]:
    """Fail where a link leads a tree into what the system keeps, or into another tree of the plan."""
    trees = both.context.plan.sync
    for index, (tree, root) in enumerate(zip(trees, own.roots, strict=True)):
        if root == tree.target.rstrip("/"):
            continue
        try:
            places.target(root)
        except ValueError as error:
            yield both.new.failed(
                _NAME, f"{tree.target} leads to {root}: {error}", "correct `to` in the plan"
            )
        for number, (other, beside) in enumerate(zip(trees, own.roots, strict=True)):
            # Of two links, the later one tells; a folder itself tells nothing, wherever it stands in the plan.
            plain = beside == other.target.rstrip("/")
            if (number < index or (plain and number > index)) and places.overlaps(root, beside):
                text = (
                    f"{tree.target} leads into {other.target}: each would delete what the other one brought"
                )
                yield both.new.failed(_NAME, text, "correct `to` in the plan")


def _modes(both: Both, spared: Spared) -> Iterator[Finding]:
    """Fail where folders above the new host's keys would become what its sshd refuses (sshd_config(5), StrictModes)."""
    above: dict[str, str] = {}
    for index, tree in enumerate(both.context.plan.sync):
        for paths in spared.new.kept:
            path = spared.new.beside(paths[-1], index)
            if path and paths[0] not in (USUAL[0], BACKUPS) and not _excluded(tree, path):
                folder = path
                while folder:
                    folder = folder.rpartition("/")[0]
                    above[f"{tree.source.rstrip('/')}/{folder}".rstrip("/")] = tree.target
    if not above:
        return
    script = "".join(f"stat -c '%a %U' {shlex.quote(path)} 2>/dev/null || echo\n" for path in above)
    told = both.old.reader.inspect(script).stdout.split("\n")
    for path, line in zip(above, told, strict=False):
        found = _MODE.fullmatch(line)
        if found is None:
            continue
        if int(found[1], 8) & _OTHERS_WRITE or found[2] not in ("root", both.new.facts.login):
            yield both.old.failed(
                _NAME,
                f"{path} is {found[2]}'s with mode {found[1]}: copied, it would keep the new host's sshd from "
                f"letting {both.new.facts.login} in",
                f"take the right to write from others there (chmod go-w {path}), see that it is "
                f"{both.new.facts.login}'s or root's, or exclude it",
            )


def _excluded(tree: SyncTree, path: str) -> bool:
    """Return whether the plan itself leaves out a path of a tree, or a folder above it, by its name."""
    names = {pattern.strip("/") for pattern in tree.exclude}
    parts = path.split("/")
    return any("/".join(parts[: count + 1]) in names for count in range(len(parts)))


def _path(look: Look, tree: SyncTree) -> str:
    return tree.source if look.host == "old" else tree.target
