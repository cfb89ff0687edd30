"""Entering the folder of a tree as root: through no link that a user could have put in its place.

The folder that a plan names may stand in a home, and then its owner can swap it for a link at any time. What root
copied, deleted or appended in it would happen where that leads. A link that root made, where root alone can put another
one (/var/mail, or a /home that stands on another disk), is part of the host.
"""

from __future__ import annotations

LINK = 4
"""The status where the way to a folder is one that a user can change."""

SAID = "a link that a user can make leads to"
"""What is said then, before the folder, and where it is known the link."""

ADVICE = "where the link is meant, name the folder that it leads to in the plan; else take it away there"
"""What to do about it."""

ENTER = r"""tree_user=$(id -u)
enter_tree() { # a folder, and `make` where it is to be made: into it; @LINK@ where a user's link is on the way
    tree_left=${1#/} tree_at= tree_links=0
    cd / || return 1
    while [ -n "$tree_left" ]; do
        tree_step=${tree_left%%/*}
        case $tree_left in */*) tree_left=${tree_left#*/} ;; *) tree_left= ;; esac
        case $tree_step in
            ''|.) continue ;;
            ..) cd -P .. || return 1; tree_at=${tree_at%/*}; continue ;;
        esac
        if [ -L "./$tree_step" ]; then
            tree_links=$((tree_links + 1))
            if [ "$(find . "./$tree_step" -maxdepth 0 \( -uid 0 -o -uid "$tree_user" \) \
                \( -type l -o ! -perm /022 -o -perm -1000 \) -printf x)" != xx ] || [ $tree_links -gt 40 ]; then
                echo "@SAID@ $1: $tree_at/$tree_step" >&2
                return @LINK@
            fi
            tree_link=$(readlink "./$tree_step"; echo .)
            tree_link=${tree_link%??}
            case $tree_link in /*) cd / || return 1; tree_at= ;; esac
            tree_left=$tree_link/$tree_left
            continue
        fi
        if [ "${2-}" = make ] && [ ! -e "./$tree_step" ]; then mkdir -- "./$tree_step" || return 1; fi
        cd -P -- "./$tree_step" || return
        tree_at=$tree_at/$tree_step
    done
    # One that was swapped meanwhile led elsewhere.
    if [ "$(pwd -P; echo .)" = "${tree_at:-/}
." ]; then return 0; fi
    echo "@SAID@ $1" >&2
    return @LINK@
}
""".replace("@LINK@", str(LINK)).replace("@SAID@", SAID)
"""sh text that defines `enter_tree FOLDER [make]`, for an absolute path; it says what it does not go through."""
