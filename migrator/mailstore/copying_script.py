"""The sh functions of a pass, for the new host: what copying.Pass sets up, they carry out."""

from __future__ import annotations

CANNOT_TELL = 76
"""The exit status where only a whole pass can tell what changed."""

FOREIGN = 77
"""The exit status where somebody else changed the new host's tree since it was equal."""

TOO_MANY = 78
"""The exit status where more would be deleted than the plan allows; nothing was."""

CUT = 12
"""The exit status where what the old host says was cut off: that of an rsync whose stream ended (rsync(1))."""

MOST = 1000
"""How many differences of a kind a proof names: who has more of them needs no longer list."""

FEW = 10
"""How many deletions are never too many, however small the tree is."""

# Given `number`, `state`, `work`, `target`, `log`, `delete`, `share`, `quick`, `prune`, `spared`; `ask`, which asks the
# look of the old host, and `able_there`, what its rsync can; `copy_all`, `rehearse_all`, and `copy_listed`,
# `prove_listed` of the names on standard input; `enter_tree`; the functions of compare, of ends and of streams, and how
# many of these at most.
FUNCTIONS = (
    r"""now() { date +%s.%N; }
encoded() { tr '\n\000' '\001\n'; }
plain() { tr '\n\001' '\000\n'; }
spare() { # leaves out of names what belongs to the hosts themselves, whatever the old host's look says
    if [ -z "$spared" ]; then cat; return; fi
    encoded | spared=$spared awk 'BEGIN { count = split(ENVIRON["spared"], own, "\n") } {
        for (i = 1; i <= count; i++) if ($0 == own[i] || index($0, own[i] "/") == 1) next
        print
    }' | plain
}
begin() {
    (umask 077; rm -rf "$work" && mkdir -p "$work") || exit 1
    trap 'exit 143' TERM
    begun=$(now) looked=0 compared=0 fetched=0 extra=0 changes=0 bytes=0
    # Comparing contents, rsync may set a time and send nothing; only told to say so does it log that as well.
    checksum="--checksum --out-format=%i"
    vanishing=$((1 - delete)) # whether files may vanish meanwhile
    attributes=$(cat "$state/attributes-$number" 2>/dev/null)
}
unnamed() { sed -z '/^\.$/d'; }
made() {
    (enter_tree "$target" make) || exit 1
    # rsync would go on without a log that it cannot write, and what it copied would look like mail of the new host.
    (umask 077; mkdir -p "$state" && : >>"$log") || exit 1
}
asked() { # file words
    file=$1; shift
    ask "$@" >"$work/$file" 2>"$work/said"
    told $?
}
told() { # a status of ssh or of the old host's look: what else than success is the end
    if [ "$1" -eq 0 ]; then return; fi
    cat "$work/said" >&2
    case $1 in 3) exit @CANNOT_TELL@ ;; 255) exit 255 ;; *) exit 1 ;; esac
}
ended() { # file
    if [ "$(tail -n 1 "$1")" != end ]; then echo 'what the old host says was cut off' >&2; exit @CUT@; fi
}
run() { # an rsync: its progress and its figures are told, and a failure is the end
    (enter_tree "$target") || exit 1
    telling "$work/printed" "$@"
    status=$?
    bytes=$((bytes + $(figure 'Literal data' "$work/printed")))
    if [ "$status" -eq @VANISHED@ ] && [ "$vanishing" -eq 1 ]; then return; fi
    if [ "$status" -ne 0 ]; then exit "$status"; fi
}
figure() { # name file: what `fetch 3`, or rsync's `Number of deleted files: 1,234`, says
    awk -v name="$1" 'index($0, name) == 1 {
        found = substr($0, length(name) + 1)
        sub(/^:* */, "", found)
        sub(/[^0-9,.].*/, "", found)
        gsub(/[,.]/, "", found)
    } END { print found == "" ? 0 : found }' "$2" 2>/dev/null || echo 0
}
few() { # how many would be deleted, how many there are
    if [ "$1" -gt @FEW@ ] && awk "BEGIN { exit !($1 > ${2:-0} * $share) }"; then
        echo "$1 of ${2:-0} files would be deleted" >&2
        exit @TOO_MANY@
    fi
}
summed() { # tree: says how many bytes there are, for whoever watches
    tr '\n\000' ' \n' | awk -v tree="$1" '{ all += $1 } END { printf "size %d %.0f\n", tree, all }'
}
measured() { # tells how large all trees are when that is known; no pass waits for it
    rm -f "$sizes"
    ( all_sizes >"$sizes.part" && mv "$sizes.part" "$sizes" ) >/dev/null 2>&1 9>&- &
}
here() { find "$target" -mindepth 1 -printf . | wc -c; }
able() { # which attributes both hosts can keep: access lists and those that users set
    case $(stat -f -c %T "$target") in
        ext2/ext3|xfs|btrfs|zfs|f2fs|jfs|overlayfs) ;;
        *) return ;;
    esac
    able_there >"$work/able" 2>/dev/null && rsync --version | tr , '\n' >"$work/version" || return
    if grep -qx acls "$work/able" && grep -q '^ *ACLs$' "$work/version"; then printf ' --acls'; fi
    if grep -qx xattrs "$work/able" && grep -q '^ *xattrs$' "$work/version"; then
        printf ' --xattrs --filter=-x!_user.*'
    fi
}
look() { # base: what changed there since, and whether all that changed here is ours
    token=-
    if [ "$1" = exact ]; then
        token=$(cat "$state/exact-$number" 2>/dev/null)
        if [ -z "$token" ]; then echo 'no pass has deleted yet' >&2; exit @CANNOT_TELL@; fi
    fi
    ask changed "$1" "$token" >"$work/stream" 2>"$work/said" &
    asking=$!
    enter_tree "$target" || exit 1
    foreign "$state/here-$number" "$state/touched-$number" >"$work/foreign" || exit @CANNOT_TELL@
    wait $asking
    told $?
    ended "$work/stream"
    looked=$(now)
    compare "$work/stream" "$work" >"$work/compared" || exit @CANNOT_TELL@
    for list in fetch extra; do
        spare <"$work/$list" >"$work/spared" && mv "$work/spared" "$work/$list" || exit 1
    done
    # Named in a list, the tree's own folder brings all that is directly in it.
    unnamed <"$work/fetch" >"$work/wanted" || exit 1
    compared=$(now)
    fetched=$(figure fetch "$work/compared")
    extra=$(figure extra "$work/compared")
    read -r changes <"$work/changes" || exit 1
}
found() { xargs -0 -r sh -c 'eval "exec find \"\$@\" $words"' sh; }
remove() { # what the old host has not, the deepest first, and a folder that holds what is excluded stays
    few "$extra" "$(cat "$state/count-$number")"
    if [ "$extra" -eq 0 ]; then return; fi
    export words="$prune -print0"
    found <"$work/extra" | sort -zr >"$work/doomed" || exit 1
    remove_each '! -type d' <"$work/doomed"
    remove_each '-type d -empty' <"$work/doomed" 2>/dev/null
}
own_folder() { # of the tree gets the time, the mode and the owner that the look told
    sed -n 's/^root //p' "$work/stream" | while read -r time mode owner; do
        case $time,$mode in *[!0-9.,]*) continue ;; esac
        case $owner in -*|*[!A-Za-z0-9._:-]*) ;; *) chown "$owner" . 2>/dev/null ;; esac
        chmod "$mode" . && touch -d "@$time" . || exit 1
    done || exit 1
}
changed_pass() {
    begin
    made
    ends_settled
    if [ $delete -eq 1 ]; then base=exact; else base=seen; fi
    look $base
    if [ -s "$work/foreign" ] && [ $delete -eq 1 ]; then head -n 5 "$work/foreign" >&2; exit @FOREIGN@; fi
    if [ -s "$work/foreign" ]; then echo 'others changed it on the new host' >&2; exit @CANNOT_TELL@; fi
    # Where there was no room for the last line of an earlier pass, it is no beginning of the first one of this.
    { echo; cat "$work/touched"; } >>"$state/touched-$number" || exit 1
    if [ $delete -eq 1 ]; then remove; fi
    if [ -s "$work/wanted" ]; then
        contents=--ignore-times
        if ends_grown; then contents=$checksum bytes=$(figure 'Literal data' "$work/printed"); fi
        run copy_listed $contents <"$work/wanted"
        ends_done
    fi
    if ! cmp -s "$work/fetch" "$work/wanted"; then own_folder; fi
    # What this pass may not delete has to stay noted for the one that does.
    if [ $delete -eq 0 ]; then asked kept keep seen -; fi
    written changed
}
whole_pass() {
    begin
    made
    ends_settled
    # The old host still serves during the sweep: what changed since the mark, the final pass looks at, and the proof.
    vanishing=1
    contents=
    if [ $delete -eq 1 ] && [ $quick -eq 0 ]; then contents=$checksum; fi
    # Until it was compared to its end, what stood there before the first pass has to be.
    stood=$state/stood-$number first=0
    if [ ! -e "$stood" ]; then
        if [ -n "$(find "$target" -type f -print -quit)" ]; then first=1; else : >"$stood"; fi
    fi
    if [ $quick -eq 0 ] && [ $first -eq 1 ]; then contents=$checksum; fi
    if [ $quick -eq 1 ]; then asked told mark; fi
    looked=$(now)
    attributes=$(able)
    printf '%s' "$attributes" >"$state/attributes-$number"
    if [ $delete -eq 1 ]; then
        rm -f "$state/exact-$number"
        rehearse_all $contents >"$work/rehearsed"
        status=$?
        case $status in 0|@VANISHED@) ;; *) exit $status ;; esac
        extra=$(figure 'Number of deleted files' "$work/rehearsed")
        few "$extra" "$(here)"
        contents="$contents --max-delete=$((extra + extra / 10 + 100))"
    fi
    if [ $quick -eq 1 ] && [ $first -eq 1 ]; then standing; fi
    if [ $delete -eq 0 ]; then
        sizes=$state/sizes
        if [ $number -eq 0 ]; then measured; fi
        # Asking each file for them takes a seventh of a first copy's time; the pass that deletes brings them.
        attributes=
        run copy_streams "$streams" $contents
    else
        run copy_all $contents
    fi
    : >"$stood" || exit 1
    if [ $quick -eq 1 ] && [ $delete -eq 1 ]; then equal; elif [ $quick -eq 1 ]; then asked kept keep seen -; noted; fi
    written whole
}
standing() { # what stood there before the first pass may have the size and time of mail, and another content
    (enter_tree "$target" && eval "find . $prune -type f -print0") >"$work/standing" || exit 1
    run copy_listed $checksum <"$work/standing"
    : >"$stood" || exit 1
}
noted() { # how the tree is here now: what changes from now on without a pass, others changed
    enter_tree "$target" && note_here "$state/here-$number" && : >"$state/touched-$number" || exit 1
}
equal() { # of what changed since the first pass contents are compared, for size and time can lie; then it is noted
    asked recent recent
    ended "$work/recent"
    sed -n 's/^F //p' "$work/recent" | plain | spare >"$work/list" || exit 1
    if [ -s "$work/list" ]; then
        run copy_listed $checksum <"$work/list"
    fi
    token=$(tr -d '\n' </proc/sys/kernel/random/uuid)
    asked kept keep both "$token"
    noted
    here >"$state/count-$number" || exit 1
    # Written last: without it nothing counts as equal.
    new=$state/exact-$number.new
    printf '%s\n' "$token" >"$new" && mv -f "$new" "$state/exact-$number" || exit 1
}
differences() {
    # A look is made again where its connection was lost, and the first may still run.
    work=$work.$$
    begin
    look exact
    head -n @MOST@ "$work/foreign" | sed 's/^/changed by others: /'
    encoded <"$work/extra" | head -n @MOST@ | sed 's/^/extra /'
    if [ -s "$work/wanted" ]; then
        prove_listed <"$work/wanted" >"$work/proved" || exit
        head -n @MOST@ "$work/proved"
    fi
    rm -rf "$work"
}
written() { # kind: what the pass took, for predictions
    # A look at what changed tells how many names it stats, the one at everything how many there are.
    if [ -e "$work/stream" ]; then entries=$(awk '/^total / { found = $NF } END { print found }' "$work/stream"); fi
    if [ -e "$work/told" ]; then entries=$(awk '/^total / { found = $2 } END { print found }' "$work/told"); fi
    awk -v begun=$begun -v looked=$looked -v compared=$compared -v ended="$(now)" -v OFS='\t' 'BEGIN {
        if (looked < begun) looked = begun
        if (compared < looked) compared = looked
        print sprintf("tree=%d", ARGV[1]), "kind=" ARGV[2], "delete=" ARGV[3], sprintf("begun=%.3f", begun),
            sprintf("look=%.3f", looked - begun), sprintf("compare=%.3f", compared - looked),
            sprintf("transfer=%.3f", ended - compared), "entries=" ARGV[4], "fetched=" ARGV[5], "extra=" ARGV[6],
            "bytes=" ARGV[7], "changes=" ARGV[8]
    }' $number "$1" $delete "${entries:-0}" $fetched $extra $bytes $changes >>"$state/passes"
    exit 0
}
""".replace("@CANNOT_TELL@", str(CANNOT_TELL))
    .replace("@FOREIGN@", str(FOREIGN))
    .replace("@TOO_MANY@", str(TOO_MANY))
    .replace("@CUT@", str(CUT))
    .replace("@VANISHED@", "24")
    .replace("@FEW@", str(FEW))
    .replace("@MOST@", str(MOST))
)
