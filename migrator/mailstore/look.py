"""The old host's look: what of a tree changed since a note of it, told without reading what did not.

The stream that `look changed` prints has a line for each name. `F path`: to be fetched, whatever the new host has.
`D path`: a folder that changed or came; then its children by their names alone: `f` to be fetched, `e` a file that is
present, `p` a folder that was noted, `n` one that came and has its own D. Then `total FOLDERS NOTED`, and `end`,
without which it was cut off. Paths begin with "./"; a newline travels as \\001.
"""

from __future__ import annotations

import shlex

from migrator.mailstore import notes

MARGIN = 300.0
"""Seconds before a note from which on a message in a folder that changed is fetched, whatever clocks were set to."""


def old_script(folder: str, prune: str, *, margin: float = MARGIN, slack: float = notes.SLACK) -> str:
    """Return sh text that defines `look WORD…`, run as root in the tree's folder on the old host.

    Given the folder there that keeps this tree's notes, and the words of find that leave names out (see excludes).
    `mark` notes the tree as `next` and prints `total NAMES FOLDERS NOTED`; the first one is where `recent` begins.
    `changed BASE TOKEN` prints what changed since the note BASE, seen or exact, and notes that as `next`. `recent`
    prints `F path` for every file whose change time is not older than the first mark, then `end`. `keep BASES TOKEN`
    makes `next` the note `seen`, or with `both` also `exact`, under a token that `changed exact` must give ("-": any
    note). The status is 0, or notes.ODD where only a pass over the whole tree can tell; any other is a failure.
    """
    return (
        f"look_folder={shlex.quote(folder)}\nlook_margin={margin:g}\nlook_changes={shlex.quote(_CHANGED)}\n"
        f"look_linked={shlex.quote(_LINKED)}\nlook_came={shlex.quote(_CAME)}\n"
        f"look_listed={shlex.quote(_LISTED)}\n{notes.functions(prune, slack)}{_SH}"
    )


_LISTED = r"""
END {
    if (failed || !finished["stat"]) exit 3
    for (number = 1; number <= count; number++) if (order[number] in changed) print order[number]
}
"""

# Prints the folders that came in folders that changed.
_CAME = r"""
stage == "inside" && /^done / { done($2); next }
stage == "inside" && /^1 d/ { cut(); if (!(path in known)) print path }
END { if (failed || !finished[stage]) exit 3 }
"""

# Reads the note and the names as they are now, the folders that came, then what is in each that changed or came.
_CHANGED = r"""
stage == "came" && /^done / { done($2); next }
stage == "came" { if (index($0, "\002")) odd("a name that cannot be told"); came[$0]; next }
stage == "inside" && !placed++ { place() }
/^done / { done($2); next }
{ cut(); depth = substr(facts, 1, 1); facts = substr(facts, 3) }
depth == 0 {
    if (facts !~ /^d/) next
    inbox = mail(path, set)
    wasbox = path in known && mail(path, base)
    skip = length(path) + 2
    print "D " path
    if (!(path in known)) { folders++; keep(facts) }
    next
}
facts ~ /^d/ { print (path in known ? "p " : "n ") substr(path, skip); next }
path in kept { print "e " substr(path, skip); next }
{
    if (!inbox) keep(facts)
    if (wasbox && when(facts) < begun - margin) print "e " substr(path, skip)
    else fetch(facts, "f " substr(path, skip))
}
END {
    if (failed || !finished["below"]) exit 3
    print "end " noted + 0 >note
    print "total", folders + 0, noted + 0 >total
}
function place(number) {
    for (path in known) set[path]
    for (path in came) set[path]
    for (number = 1; number <= count; number++) {
        path = order[number]
        if (path in fresh) fetch(now[path], "F " path)
        if (path in known) folders++
        else if (!(path in kept) || mail(parent(path), set)) continue
        keep(now[path])
    }
}
function keep(facts) { noted++; print line(facts, path, limit) >note }
function fetch(facts, said, word) {
    print said
    split(facts, word, " ")
    if (word[8] > 1) print facts "|" path >linked
}
"""

# Of a file with several names every name is fetched, or the new host would keep the others apart from it.
_LINKED = r"""
stage == "linked" { cut(); split(facts, word, " "); links[who(facts)] = word[8]; next }
/^done / { done($2); next }
{ cut(); if (who(facts) in links) { found[who(facts)]++; print "F " path } }
END {
    if (failed || !finished[stage]) exit 3
    for (id in links) if (found[id] < links[id]) exit 4
}
"""

_SH = r"""
look() (
    LC_ALL=C; export LC_ALL
    umask 077
    work=$look_folder
    mkdir -p "$work" || exit 1
    case $*,$# in
    mark,1) look_mark ;;
    'changed seen -,3'|'changed exact '[A-Za-z0-9]*,3) look_changed "$2" "$3" ;;
    recent,1) look_recent ;;
    'keep seen -,3'|'keep both '[A-Za-z0-9]*,3) look_keep "$2" "$3" ;;
    *) echo "no such look: $*" >&2; exit 2 ;;
    esac
)
look_mark() {
    rm -f "$work/next"
    if [ ! -e "$work/first" ]; then
        set -- $(note_limit)
        touch -d "@$2" "$work/starting" && mv "$work/starting" "$work/first" || return 1
    fi
    note_tree "$work/made" >"$work/said" || return
    mv "$work/made" "$work/next" && cat "$work/said"
}
look_changed() {
    read -r note_head <"$work/$1" || return 3
    case $note_head in *" $2") ;; *) [ "$2" = - ] || return 3 ;; esac
    rm -f "$work/next" "$work/linked"
    set -- "$work/$1" $(note_limit)
    note_stat "$1" "$work/now" || return 3
    look_awk "$1" "$look_listed" >"$work/changed" || return
    look_list <"$work/changed" >"$work/inside" && note_fine || return 3
    look_awk "$1" "$look_came" stage=inside "$work/inside" >"$work/roots" || return
    note_find "$note_prune -type d -printf '%p\\0'" <"$work/roots" >"$work/came" && note_fine || return 3
    grep -v '^done ' "$work/came" | look_list >"$work/below" && note_fine || return 3
    printf 'note 1 %s %s\n' "$note_words" "$2" >"$work/head" || return 1
    look_awk "$1" "$look_changes" limit="$3" stage=came "$work/came" \
        stage=inside "$work/inside" stage=below "$work/below" >"$work/stream" || return
    if [ -s "$work/linked" ]; then look_links || return; fi
    cat "$work/head" "$work/made" >"$work/whole" && mv "$work/whole" "$work/next" &&
    cat "$work/stream" "$work/total" && echo end
}
# Given a note and what to do with it and with the names as they are now, and what to read after them.
look_awk() {
    note_base=$1 note_do=$2
    shift 2
    awk -v words="$note_words" -v margin="$look_margin" -v note="$work/made" -v linked="$work/linked" \
        -v total="$work/total" "$note_awk$note_do" stage=note "$note_base" stage=stat "$work/now" "$@"
}
look_list() { note_find "-maxdepth 1 $note_prune -printf '%d $note_facts'"; }
look_links() {
    sed 's/^[^|]*|\(\.\/[^/]*\).*/\1/' "$work/linked" | sort -u | look_partners
    case $? in
    0) ;;
    4) echo . | look_partners; case $? in 0|4) ;; *) return 3 ;; esac ;;
    *) return 3 ;;
    esac
    cat "$work/partners" >>"$work/stream"
}
look_partners() {
    note_find "$note_prune ! -type d -links +1 -printf '$note_facts'" >"$work/several" && note_fine || return 3
    awk "$note_awk$look_linked" stage=linked "$work/linked" stage=several "$work/several" >"$work/partners"
}
look_recent() {
    [ -e "$work/first" ] || return 3
    note_first=$work/first
    export note_first
    echo . | note_find "$note_prune ! -type d -newercm \"\$note_first\" -printf '%p\\0'" |
    awk 'index($0, "\002") { exit 3 } /^done / { fine = $2 == 0 || $2 == 123; next } { print "F " $0 }
        END { if (!fine) exit 3; print "end" }' && note_fine || return 3
}
look_keep() {
    [ -s "$work/next" ] || return 3
    if [ "$1" = both ]; then
        awk -v token="$2" 'NR == 1 { $0 = $1 " " $2 " " $3 " " $4 " " token } 1' "$work/next" >"$work/keeping" || return 1
    fi
    mv "$work/next" "$work/seen" && { [ "$1" = seen ] || mv "$work/keeping" "$work/exact"; }
}
"""
