"""A note of a tree, in sh and awk for hosts without Python: its folders, and its files that change in place.

Messages of a Maildir are not noted: whatever becomes of one changes its folder (https://cr.yp.to/proto/maildir.html),
so a folder whose note still holds has the messages it had. A note is text: `note 1 WORDS BEGUN`, where BEGUN is in
seconds since 1970; then a line `TYPE INODE DEVICE CTIME MTIME SIZE MODE LINKS|PATH` for each name, folders before
what is in them; then `end COUNT`, without which it is torn. In lines a newline travels as \\001. A name that holds
\\001 or \\002 itself cannot be told. PATH begins with "./" and is "." for the tree's own folder.
"""

from __future__ import annotations

import shlex
import zlib

ODD = 3
"""The exit status of a look that cannot tell what changed: only a pass over the whole tree can."""

SLACK = 2.0
"""Seconds before a look from which on a change may share its time with a later one that the look did not see."""

FINE_SLACK = 0.25
"""The same for a message, which no program writes anew in place, where its time has parts of a second: such a file
system's clock ticks each hundredth of one, or oftener."""

FAR_SLACK = 300.0
"""The same for a tree on another host's file system, where that host's clock gives the times."""


def functions(prune: str, slack: float = SLACK) -> str:
    """Return the sh functions that notes are made and read with, given the words of find that leave names out.

    They are run in the tree's folder with LC_ALL=C, `work` a folder of their own: `note_tree FILE` notes the tree
    and prints `total NAMES FOLDERS NOTED`, after `odd` where a name cannot be told, and then nothing can be compared
    with the note; with `note_margin` set it writes to WORK/young the messages that changed in so many seconds before.
    `note_stat NOTE FILE` writes what the noted names are now.

    Where `note_forest` is set the folder holds a link to each of several trees, named by its number: names
    begin with "./NUMBER", each of these is the root of a tree, and the folder's own name is noted no more.
    """
    return left_out(prune) + common(slack)


def left_out(prune: str, trees: str = "") -> str:
    """Return the part of functions that is about one tree; `trees` tells several of them from others."""
    words = f"{prune}\n{trees}" if trees else prune
    known = f"{zlib.crc32(words.encode(errors='surrogateescape')):08x}"
    forest = f"note_forest={'1' if trees else ''}\nexport note_forest\n"
    return f"note_prune={shlex.quote(prune)}\nnote_words={known}\n{forest}"


def common(slack: float = SLACK) -> str:
    """Return the part of functions that is the same for every tree."""
    return (
        f"note_slack={slack:g}\nnote_far={max(slack, FAR_SLACK) if slack >= SLACK else slack:g}\n"
        f"note_fine_slack={min(slack, FINE_SLACK):g}\nnote_margin=\n"
        f"note_awk={shlex.quote(LIBRARY)}\nnote_beside={shlex.quote(BESIDE)}\nnote_made={shlex.quote(_MADE)}\n{_SH}"
    )


# What every awk program begins with. After `cut` there are `facts` and `path`.
LIBRARY = r"""
function odd(why) { print why >"/dev/stderr"; failed = 1; exit 3 }
function cut(text, bar) {
    if (index(text, "\002")) odd("a name that cannot be told")
    bar = index(text, "|")
    facts = substr(text, 1, bar - 1)
    path = substr(text, bar + 1)
}
function root(name) { return name == "." || (ENVIRON["note_forest"] != "" && name ~ /^\.\/[0-9]+$/) }
function parent(name) { return match(name, "/[^/]*$") ? substr(name, 1, RSTART - 1) : "" }
function who(facts, word) { split(facts, word, " "); return word[1] " " word[2] " " word[3] }
function when(facts, word) { split(facts, word, " "); return word[4] + 0 }
function mail(folder, set, last, base) {
    last = substr(folder, length(folder) - 3)
    if (last != "/cur" && last != "/new") return 0
    base = substr(folder, 1, length(folder) - 3)
    return (base "cur") in set && (base "new") in set && (base "tmp") in set
}
function line(facts, path, word) {
    split(facts, word, " ")
    if (word[4] + 0 < limit) return facts "|" path
    return word[1] " " word[2] " " word[3] " -|" path
}
# A time without parts of a second may be that of a file system that has none.
function remember(facts, path, file, word) {
    split(facts, word, " ")
    if (word[4] + 0 < limit || (word[4] + 0 < fine && word[4] !~ /\.0*$/)) print facts "|" path >file
}
function done(status) {
    # find says 1, and xargs 123, where a name was gone; what it said of others is looked at besides.
    if (finished[stage]++ || status !~ /^(0|1|123)$/) odd("the look at " stage " failed: " status)
}
"""

# Reads the names as they are now, and beside it the note, which has them in the same order. Calls same(now),
# differs(path, was, now) and gone(path, was). Most names are as they were, so little is done for one.
BESIDE = r"""
function advance() {
    if ((getline noted <base) <= 0) odd("a torn note")
    if (noted !~ /^end /) number++
    else if (noted == "end " number) ended = 1
    else odd("a torn note")
}
stage != "beside" { next }
!started++ {
    if ((getline noted <base) <= 0 || split(noted, head, " ") < 4 || head[2] != 1 || head[3] != words)
        odd("another kind of note")
    advance()
}
/^done / {
    done($2)
    for (; !ended; advance()) { cut(noted); gone(path, facts) }
    next
}
{
    for (; noted != $0; advance()) {
        if (ended) odd("a name that was not asked for")
        cut(noted)
        was = facts
        told = path
        cut($0)
        if (path == told) { differs(path, was, facts); advance(); next }
        gone(told, was)
    }
    same($0)
    advance()
}
"""

# Folders named cur or new whose Maildir is not whole hold files like any other: these are listed in a file.
_MADE = r"""
/^done / { done($2); next }
$0 == "m" { names++; next }
$0 == "o" || index($0, "\002") { names++; untold++; next }
/^y / { names++; cut($0); remember(substr(facts, 3), path, young); next }
{ cut($0); names++; noted++; print line(facts, path) >>note }
/^d/ { folders++; if (path ~ /\/(cur|new|tmp)$/) set[path] }
END {
    if (failed) exit 3
    if (!finished[stage]) odd("the look was cut off")
    for (path in set) if (path !~ /tmp$/ && !mail(path, set)) print path >plain
    print names + 0, folders + 0, noted + 0, untold + 0
}
"""

_SH = r"""
note_facts='%y %i %D %C@ %T@ %s %m %n|%p\0'
note_odd=$(printf '\001\002')
# Left to itself, xargs starts a find for every 128 kB of names; a kernel before 2.6.23 bears no more.
case $(getconf ARG_MAX 2>/dev/null) in ???????*) note_much='-s 500000' ;; *) note_much= ;; esac
# A link to a tree leads there where a slash follows it, and find tells the slash again.
note_names() {
    if [ -n "$note_forest" ]; then sed 's/^\.\/[0-9][0-9]*$/&\//' | tr '\n\001' '\000\n'; else tr '\n\001' '\000\n'; fi
}
note_lines() {
    if [ -z "$note_forest" ]; then tr '\001\n\000' '\002\001\n'; return; fi
    tr '\001\n\000' '\002\001\n' | sed 's/^\([^|]*|\)\{0,1\}\(\.\/[0-9][0-9]*\)\/$/\1\2/'
}
note_roots() {
    if [ -n "$note_forest" ]; then find . -mindepth 1 -maxdepth 1 -type l -printf '%p\n'; else echo .; fi
}
note_kinds() { note_roots | sed 's/$/\//' | xargs stat -f -c %T | sort -u; }
# Given words of find, as sh text: the names on standard input are looked at by few processes.
note_find() {
    { note_names | note_rest=$1 xargs -0 -r $note_much sh -c 'eval "exec find \"\$@\" $note_rest"' sh 2>"$work/errors"
      printf 'done %s\0' $?; } | note_lines
}
# What find could not look at is fine where it is gone, and nowhere else.
note_fine() {
    ! grep -Eqv ': (No such file or directory|Not a directory)$' "$work/errors"
}
note_told() { ! grep -q "$(printf '\002')" "$1"; }
# Given a note, the names as they are now, and a program with same, differs and gone; then more words for awk.
note_compare() {
    note_base=$1 note_now=$2 note_do=$3
    shift 3
    awk -v words="$note_words" -v base="$note_base" "$note_awk$note_do$note_beside" "$@" stage=beside "$note_now"
}
note_limit() {
    note_less=$note_slack
    for kind in $(note_kinds) ''; do
        case $kind in
        ext2/ext3|xfs|btrfs|zfs|tmpfs|overlayfs|f2fs|jfs|reiserfs|'') ;;
        *) note_less=$note_far ;;
        esac
    done
    date +%s.%N | awk -v less=$note_less -v local=$note_slack -v fine=$note_fine_slack '{
        printf "%s %.3f %.3f\n", $1, $1 - less, $1 - (less > local ? less : fine)
    }'
}
note_tree() {
    set -- "$1" $(note_limit)
    : >"$work/plain" && : >"$work/young" && printf 'note 1 %s %s\n' "$note_words" "$2" >"$1" || return 1
    note_message="-printf 'm\\0'"
    if [ -n "$note_margin" ]; then
        note_since=$(awk -v begun="$2" -v margin="$note_margin" 'BEGIN { printf "%.3f", begun - margin }')
        note_message="-newerct @$note_since -printf 'y $note_facts' -o $note_message"
    fi
    note_roots | note_find "$note_prune -type d -printf '$note_facts' -o \
        \\( -path '*/cur/*' ! -path '*/cur/*/*' -o -path '*/new/*' ! -path '*/new/*/*' \
        -o -regextype posix-extended -regex '.*/(cur|new)/[^/]*' \\) \
        \\( -name '*[$note_odd]*' -printf 'o\\0' -o $note_message \\) -o -printf '$note_facts'" |
    awk -v stage=tree -v note="$1" -v plain="$work/plain" -v young="$work/young" -v limit="$3" -v fine="$4" \
        "$note_awk $note_made" >"$work/total" || return
    note_fine || return 3
    read -r names folders noted untold <"$work/total"
    if [ "$untold" -gt 0 ]; then
        printf 'note 1 odd %s\nend 0\n' "$2" >"$1" && echo odd && echo "total $names $folders $noted"
        return
    fi
    if [ -s "$work/plain" ]; then
        note_find "-mindepth 1 -maxdepth 1 $note_prune ! -type d -printf '$note_facts'" <"$work/plain" |
        awk -v stage=plain -v limit="$3" -v fine="$4" "$note_awk"'
            /^done / { done($2); next }
            { cut($0); print line(facts, path) }
            END { if (failed || !finished[stage]) exit 3 }' >"$work/more" || return
        note_fine || return 3
        cat "$work/more" >>"$1" || return 1
        noted=$((noted + $(wc -l <"$work/more")))
    fi
    echo "end $noted" >>"$1" && echo "total $names $folders $noted"
}
note_stat() {
    awk 'NR > 1 && !/^end / { print substr($0, index($0, "|") + 1) }' "$1" |
        note_find "-maxdepth 0 -printf '$note_facts'" >"$2" && note_fine || return 3
}
"""
