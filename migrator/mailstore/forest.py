"""Many trees as one: a folder holds a link to each of them, named by its number, and one look goes over them all.

A look, its comparison and its proof take some forty processes, and a session between the hosts each; an sshd serves ten
sessions of a connection (sshd_config(5), MaxSessions), and lets few strangers in at once (MaxStartups). So where a plan
has more trees than that bears, they are looked at together, and a few rsyncs at a time copy what the look names.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence

from migrator.mailstore import arrivals, look, rsync
from migrator.mailstore import spared as hosts_own
from migrator.mailstore.excludes import Excludes, Untranslatable, translate
from migrator.plan import SyncTree

MANY = 8
"""How many trees are passed over one by one: with more of them it is done together."""

AT_ONCE = 4
"""How many rsyncs copy at a time: they share one connection, and no more than that help on two processors."""

ALL = "all"
"""What stands in the names of files for the number of a tree."""


def _nothing(_index: int) -> tuple[str, ...]:
    return ()


def together(
    trees: Mapping[int, SyncTree], spool: str, *, spared: Callable[[int], Sequence[str]] = _nothing
) -> dict[int, SyncTree]:
    """Return those of the trees that are looked at together, given the old host's spool: none where there are few.

    A tree of which find cannot tell what stays behind is passed over alone, and so is one in which something belongs to
    the hosts themselves (`spared`, by a tree's number).
    """
    told = {index: tree for index, tree in trees.items() if _excludes(tree, spool) is not None}
    own = {i: t for i, t in told.items() if not spared(i) and not hosts_own.usual(t)}
    plain = {i: t for i, t in own.items() if not any(mark in t.source + t.target for mark in "\n\r\0")}
    return plain if len(plain) > MANY else {}


def prune(trees: Mapping[int, SyncTree], spool: str) -> str:
    """Return the words of find that leave out what stays behind of each tree, whose names begin with "./NUMBER"."""
    alike: dict[Excludes, list[int]] = {}
    for index, tree in trees.items():
        if (found := _excludes(tree, spool)) is not None:
            alike.setdefault(found, []).append(index)
    every: list[str] = []
    folders: list[str] = []
    for found, numbers in alike.items():
        known = "[0-9]+" if len(alike) == 1 else f"({_numbers(numbers)})"
        # Each expression begins with the dot of "./", which is a tree's own folder. The numbers of thousands of trees
        # stand once before all of them: what find is told is one argument, and a kernel bears 128 kB.
        every += [rf"\./{known}{_any([each[2:] for each in found.every])}"] if found.every else []
        folders += [rf"\./{known}{_any([each[2:] for each in found.folders])}"] if found.folders else []
    tests = [f"-regex {shlex.quote(_any(every))}"] if every else []
    tests += [f"-type d -regex {shlex.quote(_any(folders))}"] if folders else []
    if not tests:
        return ""
    either = " -o ".join(tests)
    return rf"-regextype posix-extended ! -regex '\./[0-9]+/?' \( {either} \) -prune -o"


def old_text(
    name: str,
    trees: Mapping[int, SyncTree],
    spool: str,
    state: str = arrivals.STATE,
    *,
    spared: Callable[[int], Sequence[str]] = _nothing,
) -> str:
    """Return the text by which the old host looks at all trees at once (see wrapper_script); "" where there are few.

    Told `send NUMBERS`, it does not end, in the folder of the links: from there the trees of these numbers may be read.
    """
    chosen = together(trees, spool, spared=spared)
    if not chosen:
        return ""
    folder = arrivals.folder(name, state)
    listed = listing({index: tree.source for index, tree in chosen.items()})
    head = look.old_head(f"{folder}/look-{ALL}", prune(chosen, spool), listed)
    return (
        f"{head}{FARM}farm {folder}/old-trees {len(chosen)} <<'EOF' || exit 1\n{listed}EOF\n"
        'if [ "$1" != send ]; then look "$@"; exit; fi\n'
        f'{ENTERED}entered "$2" <{folder}/old-trees.list || exit\nshift 2\n'
    )


def listing(folders: Mapping[int, str]) -> str:
    """Given the folder of each tree, return a line `NUMBER FOLDER` for each."""
    return "".join(f"{index} {folder.rstrip('/') or '/'}\n" for index, folder in folders.items())


def alike(trees: Mapping[int, SyncTree], spool: str) -> dict[tuple[str, ...], list[int]]:
    """Return the patterns of what stays behind, each with the trees that have them."""
    found: dict[tuple[str, ...], list[int]] = {}
    for index, tree in trees.items():
        found.setdefault(rsync.excluded(tree, spool), []).append(index)
    return found


def _excludes(tree: SyncTree, spool: str) -> Excludes | None:
    try:
        return translate(rsync.excluded(tree, spool))
    except Untranslatable:
        return None


def _any(expressions: list[str]) -> str:
    return f"({'|'.join(f'({each})' for each in dict.fromkeys(expressions))})"


def _numbers(numbers: Sequence[int]) -> str:
    """Return the expression of these numbers: those that differ in their last digit stand together."""
    tens: dict[str, str] = {}
    for number in map(str, numbers):
        tens[number[:-1]] = tens.get(number[:-1], "") + number[-1]
    return "|".join(f"{head}[{last}]" for head, last in tens.items())


# Given the numbers of trees, each with "-" behind it, and the list of all: no user's link leads to one that is meant.
ENTERED = r"""entered() {
    while IFS= read -r line; do
        case -$1 in *-"${line%% *}"-*) (enter_tree "${line#* }") || return ;; esac
    done
}
"""

# Given a folder, how many trees there are, and the list of them: makes the links anew where the list is another one,
# and changes into the folder. A tree that is not there must not pass for one that is empty.
FARM = r"""
farm() {
    (
        umask 077
        mkdir -p "$1" && exec 7>>"$1.lock" && flock 7 || exit 1
        cat >"$1.coming" || exit 1
        if cmp -s "$1.coming" "$1.list"; then exit 0; fi
        rm -rf "$1" "$1.list" && mkdir "$1" || exit 1
        while IFS= read -r line; do ln -s -- "${line#* }" "$1/${line%% *}" || exit 1; done <"$1.coming"
        mv "$1.coming" "$1.list"
    ) && cd -- "$1" || return 1
    there=$(find -L . -mindepth 1 -maxdepth 1 -type d -printf x | wc -c)
    if [ "$there" -ne "$2" ]; then
        echo "of $2 trees $there are there; missing:" >&2
        find -L . -mindepth 1 -maxdepth 1 ! -type d -printf '%l %p\n' | head -n 5 >&2
        return 1
    fi
}
"""
