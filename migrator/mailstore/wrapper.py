"""The script that the run's key is forced to run on the old host: all that the key can do there."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from migrator.mailstore.access import HELLO, KNOCK, LOAD, LOOK, LOOK_ALL, SIZES, TREE, TREES
from migrator.mailstore.entering import ENTER
from migrator.mailstore.restraint import Restraint
from migrator.plan import SyncTree

SHORT_OPTIONS = "vlHogDtprzcnAXSWxIiqhuURdN"
"""The one-letter options that a reading rsync server may get; none follows links or removes what it sent."""

LONG_OPTIONS = (
    *(
        "--numeric-ids",
        "--checksum",
        "--append",
        "--inplace",
        "--partial",
        "--stats",
        "--delete",
        "--delete-after",
    ),
    *("--delete-delay", "--delete-during", "--delete-before", "--log-format=%i", "--log-format=%o", "--no-r"),
    # Names from a list stay inside the folder: a leading slash is taken away, and `..` ends there (rsync(1)).
    *("--files-from=-", "--from0", "--ignore-missing-args", "--delete-missing-args", "--force"),
    *("--no-implied-dirs", "--ignore-errors", "--open-noatime"),
)

NUMBERED_OPTIONS = ("--timeout", "--bwlimit", "--max-delete")
"""Those that are followed by `=` and a number."""

# Sizes of whole folders; what goes away meanwhile is no failure.
_SIZES = (
    'enter_tree "$tree" && { find . -mindepth 1 -maxdepth 1 -print0 | '
    "du -s -b -0 --files0-from=- 2>/dev/null || :; }"
)

# Below the load, which attributes of a file this rsync can carry.
_LOAD = (
    'read -r load _ </proc/loadavg && echo "$load $(getconf _NPROCESSORS_ONLN)" && '
    "rsync --version | tr , '\\n' | sed -n 's/^ *ACLs$/acls/p; s/^ *xattrs$/xattrs/p'"
)


def wrapper_script(
    name: str,
    trees: Sequence[SyncTree],
    *,
    sudo: bool,
    looks: Sequence[str] = (),
    restraint: Restraint | None = None,
    shared: str = "",
    together: str = "",
) -> str:
    """Return the sh script that the key is forced to run on the old host.

    It answers a knock, tells the load, and, in the folder of a planned tree, by the tree's number: runs a sending
    rsync server, tells the sizes of what is there, or runs the tree's text of `looks`, which defines the sh function
    `look`; the text `shared` comes after each of them. The sh text `together` is run with `shared` before it for a look
    at all trees at once. The script takes no path and no option that is not on its list, expands nothing, and refuses
    everything else.
    """
    gentle = restraint or Restraint()
    enter = 'enter_tree "$tree" && exec rsync --server --sender "$@" . .'
    run = f"tree=$1; shift\n{gentle.governor_script()}{enter}"
    once_more = (
        f'if [ "${{1-}}" = together ]; then\nshift\neval "$shared"\neval "$entering"\n{together}\n'
        f'{gentle.governor_script()}exec rsync --server --sender "$@" . .\nfi\n'
        if together
        else ""
    )
    start = "exec $gentle" if not sudo else "exec sudo -n sh -c 'exec \"$@\"' sh $gentle"
    return f"""#!/bin/sh
# Lets the key of the migration {name} read its trees, and do nothing else.
set -f
umask 077
LC_ALL=C; export LC_ALL
shared={shlex.quote(shared)}
entering={shlex.quote(ENTER)}
{once_more}refuse() {{ echo 'this key only reads the trees of the migration {name}' >&2; exit 1; }}
asked=${{SSH_ORIGINAL_COMMAND-}}
case $asked in
    {KNOCK}) echo '{HELLO.format(name=name)}'; exit 0 ;;
    {LOAD}) {_LOAD}; exit ;;
    ''|*[!A-Za-z0-9=.,%_\\ -]*) refuse ;;
esac
set -- $asked
look= numbers=
case $1 in
{_cases(trees, looks)}    {LOOK_ALL}) look={"together" if together else ""} ;;
    {TREES}*)
        numbers=${{1#{TREES}}}
        case $numbers in {"''|*[!0-9-]*" if together else "*"}) refuse ;; esac
        ;;
    *) refuse ;;
esac
{gentle.prefix_script()}case $1 in
    {LOOK}*)
        if [ $# -lt 2 ] || [ -z "$look" ]; then refuse; fi
        shift
        for word in "$@"; do
            case $word in *[!A-Za-z0-9-]*) refuse ;; esac
        done
        # What is said of all trees is longer than an argument may be, so this file is read once more.
        if [ "$look" = together ]; then {start} sh "$0" together "$@"; fi
        {start} sh -c "$look" sh "$tree" "$@"
        ;;
    {SIZES}*)
        if [ $# -ne 1 ]; then refuse; fi
        {start} sh -c "$entering"{shlex.quote("tree=$1; " + _SIZES)} sh "$tree"
        ;;
esac
{_OPTIONS}if [ -n "$numbers" ]; then {start} sh "$0" together send "$numbers" "$@"; fi
{start} sh -c "$entering"{shlex.quote(run)} sh "$tree" "$@"
"""


def _cases(trees: Sequence[SyncTree], looks: Sequence[str]) -> str:
    cases = ""
    for index, tree in enumerate(trees):
        look = ""
        if index < len(looks) and looks[index]:
            begin, end = shlex.quote(f"tree=$1; shift\n{looks[index]}\n"), '\nenter_tree "$tree" && look "$@"'
            look = f'        look={begin}"$shared$entering"{shlex.quote(end)}\n'
        cases += (
            f"    {TREE}{index}|{LOOK}{index}|{SIZES}{index})\n"
            f"        tree={shlex.quote(tree.source)}\n{look}        ;;\n"
        )
    return cases


_OPTIONS = f"""if [ $# -lt 5 ] || [ "$2" != --server ] || [ "$3" != --sender ]; then refuse; fi
shift 3
count=$#
for word in "$@"; do
    shift
    count=$((count - 1))
    case $count,$word in
        1,.|0,.) continue ;;
        1,*|0,*) refuse ;;
    esac
    case $word in
        {"|".join(map(shlex.quote, LONG_OPTIONS))}) ;;
        {"|".join(f"{option}=*" for option in NUMBERED_OPTIONS)})
            case ${{word#*=}} in ''|*[!0-9]*) refuse ;; esac ;;
        --*) refuse ;;
        -*) # letters, then what the client can do: e.LsfxCIvu
            letters=${{word#-}}
            case ${{letters%%e.*}} in *[!{SHORT_OPTIONS}]*) refuse ;; esac
            case $letters in *e.*) case ${{letters#*e.}} in *[!A-Za-z0-9.]*) refuse ;; esac ;; esac ;;
        *) refuse ;;
    esac
    set -- "$@" "$word"
done
"""
