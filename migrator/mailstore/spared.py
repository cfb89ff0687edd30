"""What lies in a tree and belongs to the host that it stands on: the ways in, and what a run keeps there.

sshd lets a user in by what stands in that user's home folder, or where AuthorizedKeysFile says (sshd_config(5)). A copy
over the folder with the keys of the user that ssh logs in as, or a deletion in it, would shut the run out of the host,
and the rollback with it. So these places are neither copied nor deleted nor compared, whichever host they stand on.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from migrator.errors import Refused
from migrator.mailstore import mounts
from migrator.mailstore.arrivals import STATE
from migrator.plan import SyncTree

BACKUPS = "/var/backups/migrate"
"""The folder on each host in which a run keeps what it edits."""

WAYS_IN = (".ssh", ".ssh2", ".k5login", ".k5users", ".rhosts", ".shosts", ".google_authenticator")
"""What of a home folder decides whether its owner may log in (sshd(8), FILES; .k5login(5))."""

USUAL = (STATE, BACKUPS, "/root/.ssh")
"""What is kept on every host, whoever logs in."""

_LINKS = 40  # as many as Linux follows (path_resolution(7))


@dataclass(frozen=True, slots=True)
class Places:
    """Where on one host things are, without symbolic links in the paths.

    `kept` has for each thing the links that lead to it, then its own place; `roots` the folder of each tree.
    """

    kept: tuple[tuple[str, ...], ...] = ()
    roots: tuple[str, ...] = ()

    def inside(self, index: int) -> tuple[str, ...]:
        """Return the paths, relative to the tree's folder, of what is kept inside of it and of the links to that."""
        return _topmost(below(path, self._root(index)) for paths in self.kept for path in paths)

    def links(self, index: int) -> tuple[str, ...]:
        """Return those of them that are links on the way to what is kept, and hold more than that."""
        ways = (below(path, self._root(index)) for paths in self.kept for path in paths[:-1])
        return tuple(path for path in _topmost(ways) if path.rpartition("/")[2] not in WAYS_IN)

    def beside(self, path: str, index: int) -> str:
        """Return a path of the host relative to the tree's folder; "" where it does not lie below that."""
        return below(path, self._root(index))

    def around(self, index: int) -> str:
        """Return what is kept that the tree is, or lies in; "" where it does not."""
        root = self._root(index)
        return next((paths[-1] for paths in self.kept if paths[-1] == root or below(root, paths[-1])), "")

    def _root(self, index: int) -> str:
        return self.roots[index] if index < len(self.roots) else ""


@dataclass(frozen=True, slots=True)
class Spared:
    """What both hosts keep for themselves, told by the trees of a plan."""

    old: Places = Places()
    new: Places = Places()

    def of(self, index: int) -> tuple[str, ...]:
        """Return the paths in a tree that passes leave alone. Raises Refused where the tree itself is such a place."""
        if around := self.around(index):
            raise Refused(
                "a tree of the plan is, or lies in, what a host keeps for itself",
                expected="trees of mail, and of what belongs to it",
                seen=f"tree {index + 1} of the plan is or lies in {around}",
                advice="take this tree out of the plan's [[sync]]",
            )
        return self.inside(index)

    def inside(self, index: int) -> tuple[str, ...]:
        """Return the paths in a tree that either host keeps for itself."""
        return _topmost((*self.old.inside(index), *self.new.inside(index)))

    def around(self, index: int) -> str:
        """Return what of either host the tree is or lies in; "" where it does not."""
        return self.old.around(index) or self.new.around(index)


def kept_paths(homes: Sequence[str], authorized: Sequence[str] = ()) -> tuple[str, ...]:
    """Given the home folders of who logs in, and where sshd looks for their keys, return what a host keeps."""
    ways = (f"{home.rstrip('/')}/{name}" for home in homes if home.startswith("/") for name in WAYS_IN)
    return tuple(dict.fromkeys((*USUAL, *ways, *(path for path in authorized if path.startswith("/")))))


def lexical(kept: Sequence[str], roots: Sequence[str]) -> Places:
    """Return the places as the paths say it, where no host was asked about links."""
    return Places(tuple((path.rstrip("/"),) for path in kept), tuple(root.rstrip("/") for root in roots))


def places_script(kept: Sequence[str], roots: Sequence[str]) -> str:
    """Return the inspecting script that prints, for each path, the links on the way and where it leads."""
    walks = "".join(f"walk {shlex.quote(path)}\n" for path in (*kept, *roots))
    return f"LC_ALL=C; export LC_ALL\n{_WALK}{walks}{mounts.READ}printf 'end\\000'\n"


def parse_places(text: str, kept: Sequence[str], roots: Sequence[str]) -> Places:
    """Given what the script printed, return the places. Raises ValueError where it is not whole."""
    found = list(_groups(text.removesuffix("end\0").split("\0")[:-1]))
    table = (
        mounts.parse(found.pop()[0])
        if found and found[-1][:1] and found[-1][0].startswith(mounts.HEAD)
        else ()
    )
    if not text.endswith("\0end\0") or len(found) != len(kept) + len(roots) or not all(found):
        raise ValueError("the places are not told to their end")
    places = Places(tuple(found[: len(kept)]), tuple(paths[-1] for paths in found[len(kept) :]))
    return replace(places, kept=tuple(dict.fromkeys((*places.kept, *_mounted(places, table)))))


def _mounted(places: Places, table: Sequence[mounts.Mount]) -> Iterator[tuple[str, ...]]:
    """Yield what is kept by the other paths that bind mounts make for it, and the roots that lie in it by one."""
    own = tuple(dict.fromkeys(paths[-1] for paths in places.kept))
    for path in own:
        yield from ((other,) for other in mounts.others(path, table))
    for root in places.roots:
        if any(other == path or below(other, path) for other in mounts.others(root, table) for path in own):
            yield (root,)


def usual(tree: SyncTree) -> tuple[str, ...]:
    """Return the paths in a tree of what every host keeps, as the plan's paths alone tell it."""
    return _topmost(below(path, root) for root in (tree.source, tree.target) for path in USUAL)


def pattern(path: str) -> str:
    """Return the exclude pattern of rsync for a path of the tree (rsync(1), INCLUDE/EXCLUDE PATTERN RULES)."""
    if any(letter in path for letter in "*?["):
        path = "".join(f"\\{letter}" if letter in "*?[\\" else letter for letter in path)
    return f"/{path}"


def below(path: str, root: str) -> str:
    """Return a path relative to a folder above it; "" where it does not lie below that."""
    above = root.rstrip("/") + "/"
    return path[len(above) :] if root and path.startswith(above) else ""


def _topmost(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the paths without those that lie below another one of them, and without ""."""
    found = tuple(dict.fromkeys(path for path in paths if path))
    return tuple(path for path in found if not any(below(path, other) for other in found))


def _groups(records: Sequence[str]) -> Iterator[tuple[str, ...]]:
    group: list[str] = []
    for record in records:
        if record:
            group.append(record)
        else:
            yield tuple(group)
            group = []


# Names travel with NUL behind each, for a link's text may hold newlines; an empty one ends a path.
_WALK = r"""walk() {
    rest=$1 at= links=0
    while [ -n "$rest" ]; do
        step=${rest%%/*}
        case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
        case $step in
            ''|.) continue ;;
            ..) at=${at%/*}; continue ;;
        esac
        if [ -L "$at/$step" ] && [ $links -lt @LINKS@ ]; then
            printf '%s\000' "$at/$step"
            links=$((links + 1))
            link=$(readlink "$at/$step"; echo .)
            link=${link%??}
            case $link in /*) at= ;; esac
            rest=$link/$rest
        else
            at=$at/$step
        fi
    done
    printf '%s\000\000' "${at:-/}"
}
""".replace("@LINKS@", str(_LINKS))
