"""The old host's look: what of a tree changed since a note of it, told without reading what did not.

The stream that `look changed` prints has a line for each name. `F path`: to be fetched, whatever the new host has.
`D path`: a folder that changed or came; then its children by their names alone: `f` to be fetched, `e` a file that is
present, `p` a folder that was noted, `n` one that came and has its own D. Then `total FOLDERS NOTED`, for the tree's
own folder `root MTIME MODE OWNER:GROUP`, and `end`, without which it was cut off. Paths begin with "./"; a newline
travels as \\001.
"""

from __future__ import annotations

import shlex

from migrator.mailstore import notes, young

FEW = 20_000
"""In a tree of fewer names messages that were written anew in place are looked for too: it takes some hundredths of a
second. In a larger one that is left to the passes before the final one."""

PATIENCE = 120
"""Seconds that a look waits for another one at the same tree to end."""

MARGIN = 300.0
"""Seconds before a note from which on a name tells nothing of a message, whatever clocks were set to: it is fetched
where its folder changed, unless it is just as it was when an earlier pass brought it."""


def old_script(folder: str, prune: str, *, margin: float = MARGIN, slack: float = notes.SLACK) -> str:
    """Return sh text that defines `look WORD…`, run as root in the tree's folder on the old host.

    Given the folder there that keeps this tree's notes, and the words of find that leave names out (see excludes).
    `mark` notes the tree as `next` and prints `total NAMES FOLDERS NOTED`; the first one is where `recent` begins. It
    prints `odd` before where a name cannot be told: then neither `changed` nor `recent` can tell anything.
    `changed BASE TOKEN` prints what changed since the note BASE, seen or exact, and notes that as `next`. `recent`
    prints `F path` for every file whose change time is not older than the first mark, then `end`. `keep BASES TOKEN`
    makes `next` the note `seen`, or with `both` also `exact`, under a token that `changed exact` must give ("-": any
    note). The status is 0, or notes.ODD where only a pass over the whole tree can tell; any other is a failure.
    """
    return old_head(folder, prune) + old_functions(margin=margin, slack=slack)


def old_head(folder: str, prune: str, trees: str = "") -> str:
    """Return the part of old_script that is about one tree, or about several, of which `trees` tells which they are."""
    return f"look_folder={shlex.quote(folder)}\n{notes.left_out(prune, trees)}"


def old_functions(*, margin: float = MARGIN, slack: float = notes.SLACK) -> str:
    """Return the part of old_script that is the same for every tree."""
    return (
        f"look_margin={margin:g}\nlook_changes={shlex.quote(_CHANGED)}\n"
        f"look_linked={shlex.quote(_LINKED)}\nlook_known={shlex.quote(_KNOWN)}\n"
        f"look_sifted={shlex.quote(_SIFTED)}\n{notes.common(slack)}{young.functions()}{_SH}"
    )


# Prints the folders that changed. Writes what is still there as the draft of a note, and the files that changed.
# A path below a folder that is gone may lead elsewhere now, so it is gone with it.
_SIFTED = r"""
function same(text) {
    if (losses) { cut(text); if (lost_above(path, facts)) return }
    print text >draft
}
function differs(path, was, now) {
    if (lost_above(path, was)) return
    if (was ~ /^d/ && who(was) != who(now)) lose(path)
    else if (was !~ /^d/ && now ~ /^d/) changed[parent(path)]
    else {
        print line(now, path) >draft
        if (was ~ /^d/) changed[path]
        else print now "|" path >fresh
    }
}
function gone(path, was) {
    if (lost_above(path, was)) return
    if (was ~ /^d/) lose(path)
    else changed[parent(path)]
}
function lost_above(path, was) {
    if (!losses || !(parent(path) in lost)) return 0
    if (was ~ /^d/) lost[path]
    return 1
}
function lose(path, base) {
    if (root(path)) odd("the folder of the tree is another one")
    losses = 1
    lost[path]
    print path >missing
    changed[parent(path)]
    # What was a Maildir may be none any more, and then its files were never noted.
    if (path ~ /\/(cur|new|tmp)$/) {
        base = substr(path, 1, length(path) - 3)
        turned[base "cur"]
        turned[base "new"]
    }
}
END {
    if (failed || !finished["beside"]) exit 3
    for (path in turned) { print path >turning; delete changed[path] }
    for (path in changed) print path
}
"""

# Prints, of the folders in a list, those that are in the draft; of what is in folders, the folders that are not.
_KNOWN = r"""
stage == "draft" { if (/^d/) { cut($0); known[path] } next }
stage == "turning" { if ($0 in known) print; next }
/^1 d/ { cut($0); if (!(path in known)) print path }
END { if (failed) exit 3 }
"""

# Reads what is gone, what came, the draft and the files that changed; then what is in each folder that did.
_CHANGED = r"""
stage == "brought" { brought[$0]; next }
stage == "missing" { base[$0]; next }
stage == "came" && /^done / { done($2); next }
stage == "came" { if (index($0, "\002")) odd("a name that cannot be told"); set[$0]; next }
stage == "draft" {
    cut($0)
    if (/^d/) { folders++; known[path]; base[path]; set[path] }
    else { kept[path]; if (path ~ "/(cur|new)/[^/]*$") { held[path] = $0; next } }
    keep($0)
    next
}
stage == "fresh" { cut($0); fetch(facts, "F " path); next }
stage == "inside" && !placed++ { for (path in held) if (!mail(parent(path), set)) keep(held[path]) }
/^e / && messages { print; next }
/^done / { done($2); next }
/^e / { if (!((folder "/" substr($0, 3)) in kept)) odd("a file that was not noted"); print; next }
{ cut($0); depth = substr(facts, 1, 1); facts = substr(facts, 3) }
depth == 0 {
    if (facts !~ /^d/) next
    folder = path
    skip = length(path) + 2
    inbox = mail(path, set)
    messages = inbox && path in known && mail(path, base)
    print "D " path
    if (!(path in known)) { folders++; keep(line(facts, path)) }
    next
}
facts ~ /^d/ { print (path in known ? "p " : "n ") substr(path, skip); next }
path in kept { print "e " substr(path, skip); next }
{
    if (!inbox) keep(line(facts, path))
    else if (when(facts) >= since) remember(facts, path, young)
    if (messages && (when(facts) < since || (facts "|" path) in brought)) print "e " substr(path, skip)
    else fetch(facts, "f " substr(path, skip))
}
END {
    if (failed || !finished["below"]) exit 3
    print "end " noted + 0 >note
    print "total", folders + 0, noted + 0 >total
}
function keep(text) { noted++; print text >note }
function fetch(facts, said, word) {
    print said
    split(facts, word, " ")
    if (word[8] > 1) print facts "|" path >linked
}
"""

# Of a file with several names every name is fetched, or the new host would keep the others apart from it.
_LINKED = r"""
stage == "linked" { cut($0); split(facts, word, " "); links[who(facts)] = word[8]; next }
/^done / { done($2); next }
{ cut($0); if (who(facts) in links) { found[who(facts)]++; print "F " path } }
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
    # One whose connection was lost may still run, and would write into the same files.
    exec 8>>"$work/lock" && flock -w @PATIENCE@ 8 || { echo 'another look at this tree still runs' >&2; exit 1; }
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
    note_margin=$look_margin
    if [ ! -e "$work/first" ]; then
        set -- $(note_limit)
        touch -d "@$2" "$work/starting" && mv "$work/starting" "$work/first" || return 1
    fi
    note_tree "$work/made" >"$work/said" || return
    sed -n 's/^total \([0-9]*\) .*/\1/p' "$work/said" >"$work/names" && mv "$work/young" "$work/coming" &&
        mv "$work/made" "$work/next" && cat "$work/said"
}
look_changed() {
    read -r _ _ _ note_begun note_token <"$work/$1" || return 3
    if [ "$2" != - ] && [ "$2" != "$note_token" ]; then return 3; fi
    rm -f "$work/next"
    for name in draft fresh missing turning linked; do : >"$work/$name" || return 1; done
    look_since=$(awk -v begun="$note_begun" -v margin="$look_margin" 'BEGIN { printf "%.3f", begun - margin }')
    look_base=$1
    set -- "$work/$1" $(note_limit)
    note_stat "$1" "$work/now" || return 3
    note_compare "$1" "$work/now" "$look_sifted" limit="$3" fine="$4" draft="$work/draft" fresh="$work/fresh" \
        missing="$work/missing" turning="$work/turning" >"$work/changed" || return
    # Of a message that did not change for long the name is all that matters, and there are many.
    look_list "! -type d ! -newerct @$look_since \\( -path '*/cur/*' -o -path '*/new/*' \\) -printf 'e %f\\0' -o" \
        <"$work/changed" >"$work/inside" && note_fine && note_told "$work/inside" || return 3
    look_turned && look_came && look_brought || return
    printf 'note 1 %s %s\n' "$note_words" "$2" >"$work/head" || return 1
    awk -v since="$look_since" -v limit="$3" -v fine="$4" -v note="$work/made" -v linked="$work/linked" \
        -v total="$work/total" -v young="$work/young" "$note_awk$look_changes" stage=brought "$work/brought" \
        stage=missing "$work/missing" stage=came "$work/came" stage=draft "$work/draft" \
        stage=fresh "$work/fresh" stage=inside "$work/inside" stage=turned "$work/turned" \
        stage=below "$work/below" >"$work/stream" || return
    if [ -s "$work/linked" ]; then look_links || return; fi
    look_rewritten "$note_begun" && look_aged "$look_base" "$2" || return
    cat "$work/head" "$work/made" >"$work/whole" && mv "$work/whole" "$work/next" &&
    cat "$work/stream" "$work/total" && look_roots && echo end
}
# A message is never written anew in place; where that is soon looked at, it is not taken for granted.
look_rewritten() { # since
    if [ "$(cat "$work/names" 2>/dev/null || echo @FEW@)" -ge @FEW@ ]; then return; fi
    note_since=$(awk -v begun="$1" -v slack="$note_slack" 'BEGIN { printf "%.3f", begun - slack }')
    export note_since
    note_roots | note_find "$note_prune ! -type d \\( -path '*/cur/*' -o -path '*/new/*' \\) \
        -newerct \"@\$note_since\" -printf '$note_facts'" >"$work/rewritten" &&
        note_fine && note_told "$work/rewritten" || return 3
    : >>"$work/brought-young" || return 1
    awk "$note_awk$look_anew" stage=told "$work/stream" stage=rewritten "$work/rewritten" \
        stage=young "$work/brought-young" >"$work/more" &&
        cat "$work/more" >>"$work/stream"
}
look_turned() {
    echo 'done 0' >"$work/turned" || return 1
    if [ ! -s "$work/turning" ]; then return; fi
    awk "$note_awk$look_known" stage=draft "$work/draft" stage=turning "$work/turning" >"$work/roots" || return
    look_list '' <"$work/roots" >"$work/turned" && note_fine || return 3
}
# Folders that came bring folders with them, and everything in them is looked at.
look_came() {
    echo 'done 0' >"$work/came" && echo 'done 0' >"$work/below" || return 1
    if ! grep -q '^1 d' "$work/inside" "$work/turned"; then return; fi
    awk "$note_awk$look_known" stage=draft "$work/draft" stage=inside "$work/inside" "$work/turned" >"$work/roots" ||
        return
    note_find "$note_prune -type d -printf '%p\\0'" <"$work/roots" >"$work/came" && note_fine || return 3
    grep -v '^done ' "$work/came" | look_list '' >"$work/below" && note_fine || return 3
}
look_roots() {
    if [ -z "$note_forest" ]; then find . -maxdepth 0 -printf 'root %T@ %m %u:%g\n'; return; fi
    note_roots | sed 's/$/\//' | xargs sh -c 'exec find "$@" -maxdepth 0 -printf "root %T@ %m %u:%g %p\n"' sh
}
# Given words of find that go before the usual ones.
look_list() { note_find "-maxdepth 1 $note_prune $1 -printf '%d $note_facts'"; }
look_links() {
    sed 's/^[^|]*|\(\.\/[^/]*\).*/\1/' "$work/linked" | sort -u | look_partners
    case $? in
    0) ;;
    4) note_roots | look_partners; case $? in 0|4) ;; *) return 3 ;; esac ;;
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
    note_roots | note_find "$note_prune ! -type d -newercm \"\$note_first\" -printf '%p\\0'" |
    awk 'index($0, "\002") { exit 3 } /^done / { fine = $2 == 0 || $2 == 123; next } { print "F " $0 }
        END { if (!fine) exit 3; print "end" }' && note_fine || return 3
}
look_keep() {
    [ -s "$work/next" ] && [ -e "$work/coming" ] || return 3
    if [ "$1" = both ]; then
        awk -v token="$2" 'NR == 1 { $0 = "note 1 " $3 " " $4 " " token } 1' "$work/next" >"$work/keeping" || return 1
    fi
    # What a pass brought when it was young is good for either note: it stands there as it is until it changes.
    mv "$work/coming" "$work/brought-young" &&
        mv "$work/next" "$work/seen" && { [ "$1" = seen ] || mv "$work/keeping" "$work/exact"; }
}
""".replace("@FEW@", str(FEW)).replace("@PATIENCE@", str(PATIENCE))
