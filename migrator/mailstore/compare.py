"""The new host's side of a look: what rsync is to get, what the old host has no more, and what others changed."""

from __future__ import annotations

import shlex

from migrator.mailstore import notes


def new_functions(prune: str) -> str:
    """Return sh functions for the new host, run in the tree's folder there, given find's words for what is left out.

    `compare STREAM WORK` reads what `look changed` printed from a file. It writes WORK/fetch, what rsync is to get;
    WORK/extra, what the old host does not have (a folder stands for all below it, unless something there is left out
    of passes), both with NUL after each name; and WORK/touched, what a pass over them touches, for `foreign`. It
    prints `fetch COUNT` and `extra COUNT`, the latter with all that goes with a folder; in WORK/changes there is how
    many messages and other files came, went or changed: a message that was read or moved is one, a folder that lists
    otherwise for it none. A folder that became another kind of file is extra and fetched.
    `note_here FILE` notes the tree. `foreign FILE TOUCHED` prints, a line each, the noted names that are not as they
    were and that TOUCHED does not hold. A line of TOUCHED is a path, or a path and "/" for it and all below it.
    The status is 0; notes.ODD where only a pass over the whole tree can tell: a stream that was cut off, a name that
    cannot be told, a folder missing here that the old host did not change; any other is a failure.
    """
    texts = {
        "places": _PLACES,
        "standing": _STANDING,
        "merge": _MERGE,
        "extra": _EXTRA,
        "touched": _TOUCHED,
        "foreign": _FOREIGN,
    }
    awk = "".join(f"compare_{name}={shlex.quote(text)}\n" for name, text in texts.items())
    return f"{awk}{notes.functions(prune, 0)}{_SH}"


# Prints every folder that the stream's names stand in, and the stream's own.
_PLACES = r"""
function place(name) { while (name != "" && !(name in placed)) { placed[name]; print name; name = parent(name) } }
/^D / { place(substr($0, 3)) }
/^F / { place(parent(substr($0, 3))) }
$0 == "end" { whole = NR }
END { if (!whole || whole != NR) odd("the list of the old host was cut off") }
"""

# Prints those folders of the stream that are folders here too, and are not reached by a symbolic link.
_STANDING = r"""
stage == "places" { places[$0]; next }
stage == "standing" && /^done / { done($2); next }
stage == "standing" { cut($0); if (facts == "d") real[path]; next }
/^D / { listed[++folders] = substr($0, 3); given[substr($0, 3)] }
function stands(name) {
    while (name in real) {
        if (name == ".") return 1
        name = parent(name)
    }
    return 0
}
END {
    if (failed || !finished["standing"]) exit 3
    for (name in places) if (!(name in given) && !stands(name)) odd("a folder that should be here is not: " name)
    for (number = 1; number <= folders; number++) if (stands(listed[number])) print listed[number]
}
"""

# Reads the stream, and beside it what the folders hold here: both tell folder by folder, in the same order.
_MERGE = r"""
stage == "folders" { stands[$0]; next }
FNR == 1 { advance() }
/^F / { get(substr($0, 3)); count(substr($0, 3)); next }
/^D / { flush(); folder = substr($0, 3); get(folder); next }
/^[efnp] / { kind[substr($0, 3)] = substr($0, 1, 1); next }
END {
    if (failed) exit 3
    flush()
    if (ahead !~ /^done (0|123)$/) odd("the look at folders here failed")
    print changes + 0
}
# A message is known in its mail store by its unique name, whatever its folder and its flags are (maildir(5)).
function count(path, name) {
    if (match(path, "/(cur|new)/[^/]*$")) {
        name = substr(path, RSTART + 5)
        sub(/:2,.*/, "", name)
        path = substr(path, 1, RSTART - 1)
        while (match(path, "/[.][^/]*$")) path = substr(path, 1, RSTART - 1)
        path = path "/" name
    }
    if (!(path in counted)) { counted[path]; changes++ }
}
function go(type, path) { print type "|" path >extra; count(path) }
function advance() {
    if ((getline ahead <here) <= 0) ahead = ""
    if (index(ahead, "\002")) odd("a name that cannot be told")
}
function get(name) { if (!(name in got)) { got[name]; print name >fetch } }
function path_of(name) { return folder "/" name }
function flush(name, type) {
    if (folder == "") return
    if (folder in stands) {
        if (ahead != "0 d|" folder) odd("a folder changed here meanwhile: " folder)
        for (advance(); ahead ~ /^1 /; advance()) {
            type = substr(ahead, 3, 1)
            name = substr(ahead, length(folder) + 6)
            if (!(name in kind)) go(type, path_of(name))
            else if (kind[name] == "p" && type != "d") odd("no folder here: " path_of(name))
            else if (kind[name] ~ /[ef]/ && type == "d") { go("d", path_of(name)); kind[name] = "f" }
            else if (kind[name] != "f") delete kind[name]
        }
    }
    for (name in kind) {
        if (kind[name] == "p") odd("no folder here: " path_of(name))
        if (kind[name] != "n") get(path_of(name))
        count(path_of(name))
    }
    split("", kind)
    folder = ""
}
"""

# A folder with something in it that is left out stays, as rsync --delete would leave it; the rest below it goes.
_EXTRA = r"""
/^done / { if (stage == "below") done($2); next }
{ cut($0) }
stage == "kept" {
    if (facts == "x") while ((path = parent(path)) != "") kept[path]
    next
}
stage == "top" { top[path] }
facts == "x" || path in kept { next }
{ names++; if (path in top || parent(path) in kept) print path >list }
END {
    if (failed || !finished["below"]) exit 3
    print names + 0
}
"""

# Copying a name, or removing it, changes the folder that it stands in.
_TOUCHED = r"""
{ print; if (stage == "extra") print $0 "/"; up = parent($0); if (up != "" && !(up in told)) { told[up]; print up } }
"""

_FOREIGN = r"""
stage == "touched" { if (sub(/\/$/, "")) under[$0]; else touched[$0] }
function same(text) { }
function differs(path, was, now) { if (!(path in touched) && !unlinked(was, now)) gone(path, was) }
# A name of ours that was copied or removed was another name of this file, which keeps all but how many it has.
function unlinked(was, now, before, after, number) {
    split(was, before, " ")
    split(now, after, " ")
    for (number = 1; number <= 7; number++) if (number != 4 && before[number] != after[number]) return 0
    return before[8] + 0 > 1 || after[8] + 0 > 1
}
function gone(path, was, up) {
    if (path in touched) return
    for (up = path; up != "" && !(up in under); ) up = parent(up)
    if (up == "") print path
}
END { if (failed || !finished["beside"]) exit 3 }
"""

_SH = r"""
compare() (
    LC_ALL=C; export LC_ALL
    umask 077
    stream=$1 work=$2
    mkdir -p "$work" || exit 1
    for name in get gone extra; do : >"$work/$name" || exit 1; done
    awk "$note_awk$compare_places" "$stream" >"$work/places" || exit
    note_find "-maxdepth 0 -printf '%y|%p\\0'" <"$work/places" >"$work/standing" && note_fine || exit 3
    awk "$note_awk$compare_standing" stage=places "$work/places" stage=standing "$work/standing" \
        stage=stream "$stream" >"$work/folders" || exit
    note_find "-maxdepth 1 $note_prune -printf '%d %y|%p\\0'" <"$work/folders" >"$work/here" && note_fine || exit 3
    awk -v here="$work/here" -v fetch="$work/get" -v extra="$work/gone" "$note_awk$compare_merge" \
        stage=folders "$work/folders" stage=stream "$stream" >"$work/changes" || exit
    below="-printf '%y|%p\\0'"
    [ -z "$note_prune" ] || below="${note_prune% -o} -printf 'x|%p\\0' -o $below"
    sed -n 's/^d|//p' "$work/gone" | note_find "-mindepth 1 $below" >"$work/below" && note_fine || exit 3
    extra=$(awk -v list="$work/list" "$note_awk$compare_extra" stage=kept "$work/below" \
        stage=top "$work/gone" stage=below "$work/below") || exit
    [ "$extra" = 0 ] || mv "$work/list" "$work/extra" || exit 1
    awk "$note_awk$compare_touched" stage=extra "$work/extra" stage=get "$work/get" >"$work/touched" || exit 1
    note_names <"$work/get" >"$work/fetch" && note_names <"$work/extra" >"$work/list" &&
    mv "$work/list" "$work/extra" && echo "fetch $(($(wc -l <"$work/get")))" && echo "extra $extra"
)
note_here() (
    LC_ALL=C; export LC_ALL
    umask 077
    work=$1.work
    # What was written before is older than the look by now, even where a clock ticks every hundredth of a second.
    mkdir -p "$work" && sleep 0.02 && note_tree "$work/made" && mv "$work/made" "$1" && rm -r "$work"
)
foreign() (
    LC_ALL=C; export LC_ALL
    umask 077
    work=$1.work
    mkdir -p "$work" || exit 1
    note_stat "$1" "$work/now" || exit 3
    note_compare "$1" "$work/now" "$compare_foreign" stage=touched "$2" >"$work/found" || exit
    cat "$work/found" && rm -r "$work"
)
"""
