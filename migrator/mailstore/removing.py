"""Removing names of a tree as root where users own the folders: no link of theirs is followed, old or new."""

from __future__ import annotations

import shlex

# Given the tree's own folder without a link in its path, a test of find, and names from there. Each folder is entered
# first, and only where it really is the one that was meant is something removed in it, by its last name alone: a folder
# that a user swaps for a link afterwards leads nowhere else any more.
_EACH = r"""
root=$1 test=$2 at= names= count=0
shift 2
newline='
'
enter() {
    cd -P -- "$root${1:+/}$1" 2>/dev/null && [ "$(pwd -P && echo .)" = "$root${1:+/}$1$newline." ]
}
quote() { # a name, for eval
    rest=$1 word=
    while :; do
        case $rest in
            *\'*) word=$word${rest%%\'*}"'\\''" rest=${rest#*\'} ;;
            *) break ;;
        esac
    done
    word=$word$rest
}
flush() {
    if [ $count -gt 0 ] && enter "$at"; then eval "find $names -maxdepth 0 $test -delete"; fi
    names= count=0
}
for path; do
    path=${path#./}
    case $path in */*) folder=${path%/*} ;; *) folder= ;; esac
    if [ "$folder" != "$at" ] || [ $count -ge 200 ]; then flush; fi
    at=$folder
    quote "${path##*/}"
    names="$names './$word'" count=$((count + 1))
done
flush
"""

FUNCTIONS = f"""removing={shlex.quote(_EACH)}
remove_each() {{ # a test of find: of the names on standard input, told from this folder, those that pass it go
    xargs -0 -r sh -c "$removing" sh "$(pwd -P)" "$1"
}}
"""
"""sh text that defines `remove_each TEST`, run in the tree's folder with NUL behind each name."""
