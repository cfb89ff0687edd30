"""The sh functions of a pass over many trees at once: they stand in the place of some of those of copying_script."""

from __future__ import annotations

from migrator.mailstore.copying_script import FEW, MOST, TOO_MANY
from migrator.mailstore.rsync import VANISHED

# Given the folder `target` with a link to each tree, `listed` (a line `NUMBER FOLDER` for each), `state`, and `most`,
# how many rsyncs run at once; `enter_tree`; `rsync_of_tree KIND OPTION...`, which copies the tree `tree` into `there`.
# A folder's name may end with blanks, which `read -r tree there` would take away.
FUNCTIONS = (
    r"""
ends_settled() { :; }
ends_grown() { return 1; }
ends_done() { :; }
all_trees() { printf '%s\n' "$listed"; }
some_trees() { # of the numbers on standard input
    all_trees >"$work/all" && awk 'stage == "all" { known[$1] = $0; next } $1 in known { print known[$1] }' \
        stage=all "$work/all" stage=some -
}
made() {
    all_trees >"$work/all" || exit 1
    before=$(umask)
    umask 077
    while IFS= read -r tree; do
        there=${tree#* } tree=${tree%% *}
        [ -d "$there" ] || (umask "$before"; enter_tree "$there" make) || exit 1
        # rsync would go on without a log that it cannot write, and what it copied would look like mail of the new host.
        : >>"$state/copied-$tree.log" || exit 1
    done <"$work/all"
    umask "$before"
    farm "$target" "$(($(wc -l <"$work/all")))" <"$work/all" || exit 1
}
unnamed() { sed -z '/^\.\/[0-9]*\/*$/d'; } # the links to the trees are told with a slash
here() { # how many names each tree has
    (cd "$target" && note_roots | note_find "-mindepth 1 -printf '%H\\0'") |
        sed -n 's/^\.\/\([0-9]*\)\/*$/\1/p' | uniq -c |
        awk '{ count[$2] += $1 } END { for (tree in count) print tree, count[tree] }'
}
few() { # none of the trees may lose more than its share; given are the numbers of all
    awk -v share="$share" -v few=@FEW@ '
        stage == "counts" { count[$1] = $2; next }
        /^x\|/ { next }
        { sub(/^[^|]*\|/, "") }
        match($0, /^\.\/[0-9]+\//) { lost[substr($0, 3, RLENGTH - 3)]++ }
        END {
            for (tree in lost) if (lost[tree] > few && lost[tree] > count[tree] * share) {
                print "of tree " tree " " lost[tree] " of " count[tree] + 0 " files would be deleted" >"/dev/stderr"
                failed = 1
            }
            exit failed
        }' stage=counts "$state/count-$number" stage=lost "$work/gone" "$work/below" || exit @TOO_MANY@
}
remove_each() { # a test of find: in each tree by itself, from its own folder, where something is left that passes it
    # A folder becomes empty only when those in it are gone.
    words=${1% -empty} xargs -0 -r sh -c 'eval "exec find \"\$@\" -maxdepth 0 $words -print0"' sh 2>/dev/null \
        >"$work/passing"
    parted <"$work/passing" >"$work/parted" || exit 1
    while IFS= read -r tree; do
        there=${tree#* } tree=${tree%% *}
        plain <"$work/lists/$tree" |
            (enter_tree "$there" && xargs -0 -r sh -c "$removing" sh "$(pwd -P)" "$1") || exit 1
    done <"$work/parted"
}
own_folder() { # of each tree that changed itself gets the time, the mode and the owner that the look told
    encoded <"$work/fetch" | sed -n 's/^\(\.\/[0-9]*\)\/*$/\1/p' >"$work/roots"
    sed -n 's/^root \(.*\)\/$/\1/p' "$work/stream" >"$work/own"
    awk 'stage == "roots" { own[$0]; next }
        stage == "all" { folder = $0; sub(/^[0-9]* /, "", folder); there["./" $1] = folder; next }
        $4 in own && $4 in there { print $1, $2, $3, there[$4] }
    ' stage=roots "$work/roots" stage=all "$work/all" stage=own "$work/own" >"$work/due"
    while IFS= read -r there; do
        time=${there%% *} there=${there#* }
        mode=${there%% *} there=${there#* }
        owner=${there%% *} there=${there#* }
        case $time,$mode in *[!0-9.,]*) continue ;; esac
        enter_tree "$there" || exit 1
        case $owner in -*|*[!A-Za-z0-9._:-]*) ;; *) chown "$owner" . 2>/dev/null ;; esac
        chmod "$mode" . && touch -d "@$time" . || exit 1
    done <"$work/due" || exit 1
}
able() { # which attributes both hosts can keep, as words of rsync; noted is for which trees
    : >"$state/capable"
    able_there >"$work/able" 2>/dev/null && rsync --version | tr , '\n' >"$work/version" || return
    (cd "$target" && note_roots | sed 's/$/\//' | xargs stat -f -c '%T %n') |
        sed -En 's/^(ext2\/ext3|xfs|btrfs|zfs|f2fs|jfs|overlayfs) \.\/([0-9]*)\/$/\2/p' >"$state/capable"
    if grep -qx acls "$work/able" && grep -q '^ *ACLs$' "$work/version"; then printf ' --acls'; fi
    if grep -qx xattrs "$work/able" && grep -q '^ *xattrs$' "$work/version"; then
        printf ' --xattrs --filter=-x!_user.*'
    fi
}
# Given what is done for a tree: done for each whose line is on standard input, some at a time. What each printed and
# said is left in files of its own. The first that fails is the end, and its status that of all.
each_tree() {
    rm -rf "$work/each" && mkdir "$work/each" || return 1
    awk -v most="$most" -v folder="$work/each" '{ print >(folder "/worker-" NR % most) }'
    workers=
    for worker in "$work/each"/worker-*; do
        [ -e "$worker" ] || continue
        each_of_worker "$worker" "$@" &
        workers="$workers $!"
    done
    ended_by=0
    for worker in $workers; do wait "$worker" || ended_by=$?; done
    failed=$(head -n 1 "$work/each/failed" 2>/dev/null)
    # One that was killed wrote no line, and on a full disk none could: its trees were not passed over all the same.
    [ -n "$failed" ] || return $ended_by
    cat "$work/each/${failed% *}.said" >&2
    return "${failed#* }"
}
each_of_worker() {
    worker=$1
    shift
    while IFS= read -r tree; do
        there=${tree#* } tree=${tree%% *}
        if [ -e "$work/each/failed" ]; then break; fi
        "$@" >"$work/each/$tree.out" 2>"$work/each/$tree.said" </dev/null
        status=$?
        if [ $status -eq @VANISHED@ ] && [ $vanishing -eq 1 ]; then status=0; fi
        if [ $status -ne 0 ]; then echo "$tree $status" >>"$work/each/failed"; return $status; fi
    done <"$worker"
}
figures_of_each() { find "$work/each" -name '*.out' -exec cat {} + 2>/dev/null | streams_figures; }
# Of names on standard input, "./NUMBER/" and the rest, each tree gets its list, and the lines of the trees are printed.
parted() {
    rm -rf "$work/lists" && mkdir "$work/lists" || return 1
    encoded | awk -v folder="$work/lists" '
        match($0, /^\.\/[0-9]+\//) {
            tree = substr($0, 3, RLENGTH - 3)
            if (tree != last) { if (last != "") close(folder "/" last); last = tree }
            print "./" substr($0, RLENGTH + 1) >>(folder "/" tree)
            if (!(tree in told)) { told[tree]; print tree }
        }' >"$work/lists.told" && some_trees <"$work/lists.told"
}
differing() { # of the trees on standard input
    while IFS= read -r tree; do
        tree=${tree%% *}
        head -n @MOST@ "$work/each/$tree.out" | sed "s/^/$tree out /"
    done
}
one_listed() { plain <"$work/lists/$tree" | rsync_of_tree "$@"; }
copy_listed() {
    cat >"$work/names" && parted <"$work/names" >"$work/parted" || return
    # What is compared by contents may be all that a tree has.
    if [ "$*" = --ignore-times ] && staged_brought "$work/names"; then staged_copied "$@"; return; fi
    each_tree one_listed listed "$@" <"$work/parted"
    ended_with=$?
    figures_of_each
    return $ended_with
}
one_rehearsed() {
    rsync_of_tree whole --dry-run || return
    lost=$(figure 'Number of deleted files' "$work/each/$tree.out")
    count=$(find "$there/" -mindepth 1 -printf . | wc -c)
    if [ "$lost" -gt @FEW@ ] && awk "BEGIN { exit !($lost > $count * $share) }"; then
        echo "of tree $tree $lost of $count files would be deleted" >&2
        return @TOO_MANY@
    fi
    echo "$lost" >"$work/lost-$tree"
}
one_whole() {
    set -- whole-logged
    if [ $delete -eq 1 ]; then
        lost=$(cat "$work/lost-$tree") || return 1
        set -- "$@" "--max-delete=$((lost + lost / 10 + 100))"
    fi
    rsync_of_tree "$@"
}
copy_trees() {
    each_tree one_whole <"$work/all"
    ended_with=$?
    figures_of_each
    return $ended_with
}
whole_pass() {
    begin
    made
    # The old host still serves during the sweep: what changed since the mark, the final pass looks at, and the proof.
    vanishing=1
    # Until it was compared to its end, what stood in a tree before the first pass has to be.
    while read -r tree there; do [ -e "$state/stood-$tree" ] || echo "./$tree"; done <"$work/all" >"$work/unknown"
    asked told mark
    looked=$(now)
    attributes=$(able)
    printf '%s' "$attributes" >"$state/attributes-$number"
    if [ $delete -eq 1 ]; then
        rm -f "$state/exact-$number"
        each_tree one_rehearsed <"$work/all" || exit
    fi
    if [ -s "$work/unknown" ]; then
        (cd "$target" && note_find "$prune -type f -printf '%p\\0'" <"$work/unknown") |
            sed '/^done [0-9]*$/d' | plain >"$work/standing"
        if [ -s "$work/standing" ]; then run copy_listed $checksum <"$work/standing"; fi
    fi
    # Asking each file for them takes a seventh of a first copy's time; the pass that deletes brings them.
    if [ $delete -eq 0 ]; then attributes=; fi
    run copy_trees
    while read -r tree there; do : >"$state/stood-$tree"; done <"$work/all"
    if [ $delete -eq 1 ]; then equal; else asked kept keep seen -; noted; fi
    written whole
}
differences() {
    # A look is made again where its connection was lost, and the first may still run.
    work=$work.$$
    begin
    all_trees >"$work/all" && farm "$target" "$(($(wc -l <"$work/all")))" <"$work/all" || exit 1
    look exact
    by_tree 'changed by others: ' <"$work/foreign"
    encoded <"$work/extra" | by_tree 'extra '
    if [ -s "$work/wanted" ]; then
        parted <"$work/wanted" >"$work/parted" || exit
        if ! staged_proved "$work/wanted"; then
            each_tree one_listed proof <"$work/parted" || exit
            differing <"$work/parted"
        fi
    fi
    sed 's/ .*/ status 0/' "$work/all"
    rm -rf "$work"
}
by_tree() { # what: names "./NUMBER" and the rest, as lines of their trees
    awk -v what="$1" -v most=@MOST@ 'match($0, /^\.\/[0-9]+/) {
        tree = substr($0, 3, RLENGTH - 2)
        if (told[tree]++ < most) print tree " out " what "." substr($0, RLENGTH + 1)
    }'
}
written() { # kind: what the pass took, for predictions; all of it stands in the line of the first tree
    entries=0
    if [ -e "$work/stream" ]; then entries=$(awk '/^total / { found = $NF } END { print found }' "$work/stream"); fi
    if [ -e "$work/told" ]; then entries=$(awk '/^total / { found = $2 } END { print found }' "$work/told"); fi
    awk -v kind="$1" -v begun=$begun -v looked=$looked -v compared=$compared -v ended="$(now)" -v delete_too=$delete \
        -v entries="${entries:-0}" -v fetched=$fetched -v extra=$extra -v bytes=$bytes -v changes=$changes \
        -v OFS='\t' '{
        if (looked < begun) looked = begun
        if (compared < looked) compared = looked
        one = NR == 1
        print sprintf("tree=%d", $1), "kind=" kind, "delete=" delete_too, sprintf("begun=%.3f", begun),
            sprintf("look=%.3f", one * (looked - begun)), sprintf("compare=%.3f", one * (compared - looked)),
            sprintf("transfer=%.3f", one * (ended - compared)), sprintf("entries=%.0f", one * entries),
            sprintf("fetched=%.0f", one * fetched), sprintf("extra=%.0f", one * extra),
            sprintf("bytes=%.0f", one * bytes), sprintf("changes=%.0f", one * changes)
    }' "$work/all" >>"$state/passes"
    exit 0
}
""".replace("@TOO_MANY@", str(TOO_MANY))
    .replace("@FEW@", str(FEW))
    .replace("@MOST@", str(MOST))
    .replace("@VANISHED@", str(VANISHED))
)
