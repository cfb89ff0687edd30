export RSYNC_PROTECT_ARGS=0 TZ=UTC0
home=$(getent passwd "${SUDO_USER:-$(id -un)}" | cut -d : -f 6)
ciphers=$(cat "$home/.ssh/migrate-example-mail.ciphers" 2>/dev/null) || ciphers=
if [ -e /var/lib/migrate/example-mail/ciphers-unknown ]; then ciphers=; fi
if ! ssh -O check -o ControlPath=/var/lib/migrate/example-mail/way root@198.51.100.10 </dev/null >/dev/null 2>&1; then
    if ! ssh -G -o Ciphers="$ciphers" localhost >/dev/null 2>&1 </dev/null; then
        ciphers=
        (umask 077; mkdir -p /var/lib/migrate/example-mail && : >/var/lib/migrate/example-mail/ciphers-unknown)
    fi
    rm -f /var/lib/migrate/example-mail/way
    (
        umask 077
        mkdir -p /var/lib/migrate/example-mail
        cd / || exit 1
        exec setsid ssh -f -N -o ControlMaster=yes -o ControlPersist=600 -o "BatchMode=yes" -o "IdentitiesOnly=yes" -o "ControlPath=/var/lib/migrate/example-mail/way" -o "ControlMaster=no" -o "StrictHostKeyChecking=yes" -o "VerifyHostKeyDNS=no" -o "ClearAllForwardings=yes" -o "ForwardAgent=no" -o "UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts" -o "GlobalKnownHostsFile=/dev/null" -o "ConnectTimeout=15" -o "ServerAliveInterval=15" -o "ServerAliveCountMax=4" -i "$home/.ssh/migrate-example-mail" ${ciphers:+-o "Ciphers=$ciphers"} -p 22 root@198.51.100.10
    ) </dev/null >/dev/null 2>&1 9>&- || :
fi
number=1
state=/var/lib/migrate/example-mail
work=/var/lib/migrate/example-mail/pass-1
target=/srv/mail/
log=/var/lib/migrate/example-mail/copied-1.log
delete=1
share=0.500000
quick=1
prune='-regextype posix-extended ! -name . \( -regex '"'"'(\./(.*/)?[Mm]box\.lock)|(\./(.*/)?[Mm]ailbox\.lock)|(\./(.*/)?[Ii]nbox\.lock)|(\./(.*/)?INBOX\.lock)|(\./(.*/)?[^/]*\.mbox\.lock)|(\./(.*/)?sent-mail\.lock)|(\./(.*/)?saved-messages\.lock)|(\./(.*/)?postponed-msgs\.lock)|(\./(.*/)?mail/.*\.lock)|(\./(.*/)?Mail/.*\.lock)|(\./(.*/)?[Dd]rafts\.lock)|(\./(.*/)?[Ss]ent\.lock)|(\./(.*/)?[Tt]rash\.lock)|(\./(.*/)?dovecot[^/]*\.lock)|(\./(.*/)?bak)|(\./top/[^/]*\.old)'"'"' \) -prune -o'
spared=''
streams=1
compare_places='
function place(name) { while (name != "" && !(name in placed)) { placed[name]; print name; name = parent(name) } }
/^D / { place(substr($0, 3)) }
/^F / { place(parent(substr($0, 3))) }
$0 == "end" { whole = NR }
END { if (!whole || whole != NR) odd("the list of the old host was cut off") }
'
compare_standing='
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
'
compare_merge='
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
'
compare_extra='
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
'
compare_touched='
{ print; if (stage == "extra") print $0 "/"; up = parent($0); if (up != "" && !(up in told)) { told[up]; print up } }
'
compare_foreign='
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
'
note_prune='-regextype posix-extended ! -name . \( -regex '"'"'(\./(.*/)?[Mm]box\.lock)|(\./(.*/)?[Mm]ailbox\.lock)|(\./(.*/)?[Ii]nbox\.lock)|(\./(.*/)?INBOX\.lock)|(\./(.*/)?[^/]*\.mbox\.lock)|(\./(.*/)?sent-mail\.lock)|(\./(.*/)?saved-messages\.lock)|(\./(.*/)?postponed-msgs\.lock)|(\./(.*/)?mail/.*\.lock)|(\./(.*/)?Mail/.*\.lock)|(\./(.*/)?[Dd]rafts\.lock)|(\./(.*/)?[Ss]ent\.lock)|(\./(.*/)?[Tt]rash\.lock)|(\./(.*/)?dovecot[^/]*\.lock)|(\./(.*/)?bak)|(\./top/[^/]*\.old)'"'"' \) -prune -o'
note_words=e67bc307
note_forest=
export note_forest
note_slack=0
note_far=0
note_fine_slack=0
note_margin=
note_awk='
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
'
note_beside='
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
'
note_made='
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
'

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
ask() { asked=$*; ssh -o "BatchMode=yes" -o "IdentitiesOnly=yes" -o "ControlPath=/var/lib/migrate/example-mail/way" -o "ControlMaster=no" -o "StrictHostKeyChecking=yes" -o "VerifyHostKeyDNS=no" -o "ClearAllForwardings=yes" -o "ForwardAgent=no" -o "UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts" -o "GlobalKnownHostsFile=/dev/null" -o "ConnectTimeout=15" -o "ServerAliveInterval=15" -o "ServerAliveCountMax=4" -i "$home/.ssh/migrate-example-mail" ${ciphers:+-o "Ciphers=$ciphers"} -p 22 root@198.51.100.10 "migrate-look-1 $asked" </dev/null; }
able_there() { ssh -o "BatchMode=yes" -o "IdentitiesOnly=yes" -o "ControlPath=/var/lib/migrate/example-mail/way" -o "ControlMaster=no" -o "StrictHostKeyChecking=yes" -o "VerifyHostKeyDNS=no" -o "ClearAllForwardings=yes" -o "ForwardAgent=no" -o "UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts" -o "GlobalKnownHostsFile=/dev/null" -o "ConnectTimeout=15" -o "ServerAliveInterval=15" -o "ServerAliveCountMax=4" -i "$home/.ssh/migrate-example-mail" ${ciphers:+-o "Ciphers=$ciphers"} -p 22 root@198.51.100.10 "migrate-load" </dev/null; }
sizes_there() { ssh -o "BatchMode=yes" -o "IdentitiesOnly=yes" -o "ControlPath=/var/lib/migrate/example-mail/way" -o "ControlMaster=no" -o "StrictHostKeyChecking=yes" -o "VerifyHostKeyDNS=no" -o "ClearAllForwardings=yes" -o "ForwardAgent=no" -o "UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts" -o "GlobalKnownHostsFile=/dev/null" -o "ConnectTimeout=15" -o "ServerAliveInterval=15" -o "ServerAliveCountMax=4" -i "$home/.ssh/migrate-example-mail" ${ciphers:+-o "Ciphers=$ciphers"} -p 22 root@198.51.100.10 "migrate-sizes-1" </dev/null; }
telling() { # file, command: what it prints goes into the file, its progress is told, at the end its figures
    printed=$1
    shift
    : >"$printed" || return 1
    # Its sleep outlives it, and must not hold the lock of the migration meanwhile (hosts/script.py).
    ( exec 9>&-; tell_from "$printed" ) &
    teller=$!
    "$@" >>"$printed"
    told=$?
    # Not by a signal that is trapped here: between its fork and its first step the teller would drop it.
    kill -s KILL $teller 2>/dev/null
    wait $teller 2>/dev/null
    # All of it is one line to awk, whose time grows with the square of a line's length.
    tail -c 4000 "$printed" >"$printed.end" && mv "$printed.end" "$printed"
    tr '\r' '\n' <"$printed" | last_progress
    tr '\r' '\n' <"$printed" | sed -n '/^Number of files: /,$p'
    return $told
}
last_progress() { grep -E '^ *[0-9][0-9.,]* +[0-9]+%' | tail -n 1; }
tell_from() { # file: rsync tells of its progress after each file, however small; what was told needs no room any more
    while sleep 1 </dev/null >/dev/null 2>&1; do
        if [ -s "$sizes" ]; then cat "$sizes" && sizes=; fi
        tail -c 400 "$1" | tr '\r' '\n' | last_progress
        length=$(wc -c <"$1")
        if [ "$length" -gt 1000000 ]; then
            fallocate --punch-hole --length $(((length - 8192) / 4096 * 4096)) "$1" >/dev/null 2>&1
        fi
    done
}
streams_awk='
{ size[NR] = $1 + 0; all += size[NR]; sub(/^[0-9]+\t\.\//, ""); name[NR] = $0 }
END {
    want = all / most
    if (want < smallest) want = smallest
    for (i = 1; i <= NR; i++) {
        if (have == 0) parts += 1
        if (name[i] ~ /[*?[]/) gsub(/[*?[\\]/, "\\\\&", name[i])
        printf "/%s\n", name[i] >(folder "/part-" sprintf("%03d", parts))
        have += size[i]
        if (have >= want) have = 0
    }
    printf "%d %.0f\n", parts, all
}
'
streams_split() { # prints how many parts there are, and how many bytes
    sizes_there >"$streams/sizes" && [ -s "$streams/sizes" ] || return 1
    tr '\n\000' '\001\n' <"$streams/sizes" | sort -rn >"$streams/sorted" &&
        awk -v folder="$streams" -v most=24 -v smallest=67108864 "$streams_awk" "$streams/sorted"
}
streams_allowed() { # most: how many streams the processors of both hosts bear
    here=$(getconf _NPROCESSORS_ONLN) && there=$(able_there | sed -n '1s/.* //p') || return 1
    case $there in ''|*[!0-9]*) return 1 ;; esac
    if [ "$there" -lt "$here" ]; then here=$there; fi
    # What writes the files on the new host keeps one processor busy.
    if [ "$1" = auto ] || [ "$1" -gt "$here" ]; then echo "$here"; else echo "$1"; fi
}
streams_worker() { # copy number options
    worker=$1
    number_of_worker=$2
    shift 2
    for part in "$streams"/part-???; do
        if [ -e "$streams/enough-$number_of_worker" ]; then break; fi
        mkdir "$part.taken" 2>/dev/null || continue
        tr '\n\001' '\000\n' <"$part" >"$part.names"
        "$worker" "$@" --from0 --include-from="$part.names" --exclude='/*' >"$part.out" 2>"$part.said"
        echo $? >"$part.status"
        # Of a part that has ended its figures are left.
        tail -c 4000 "$part.out" >"$part.end" && mv "$part.end" "$part.out"
    done
}
streams_bytes() { # what was copied until now: of each part the last that its rsync told
    tail -v -c 1500 "$streams"/part-???.out 2>/dev/null | tr '\r' '\n' | awk '
        /^==> / { done += last; last = 0 }
        /^ *[0-9][0-9.,]* +[0-9]+%/ { gsub(/[,.]/, "", $1); if ($1 + 0 > last) last = $1 + 0 }
        END { printf "%.0f\n", done + last }'
}
streams_told() { # what rsync itself would tell: bytes, share, bytes a second, time to go
    awk -v bytes="$1" -v rate="$2" -v all="$bytes_there" 'BEGIN {
        if (all < bytes) all = bytes
        left = rate > 0 ? int((all - bytes) / rate) : 0
        share = all > 0 ? 100 * bytes / all : 100
        printf "%.0f %d%% %.2fMB/s %d:%02d:%02d\n", bytes, share, rate / 1000000, left / 3600, left % 3600 / 60,
            left % 60
    }'
}
streams_watch() { # most, options: adds streams while it is worth it, and returns when all have ended
    most=$1
    shift
    running=1
    best=0
    since=0
    before=0
    at=0
    settled=0
    streams_worker copy_all 1 "$@" &
    workers=$!
    ticks=0
    while :; do
        alive=0
        for worker in $workers; do
            if kill -0 "$worker" 2>/dev/null; then alive=1; fi
        done
        if [ $alive -eq 0 ]; then break; fi
        sleep 0.2
        ticks=$((ticks + 1))
        if [ $((ticks % 5)) -ne 0 ]; then continue; fi
        at=$((at + 1))
        now_copied=$(streams_bytes)
        streams_told "$now_copied" "$((now_copied / at))"
        if [ $settled -eq 1 ] || [ $((at - since)) -lt 3 ]; then continue; fi
        rate=$(((now_copied - before) / (at - since)))
        since=$at
        before=$now_copied
        if [ $running -gt 1 ] && [ $((rate * 100)) -lt $((best * 90)) ]; then
            : >"$streams/enough-$running"
            settled=1
        elif [ $running -ge "$most" ]; then
            settled=1
        else
            best=$rate
            running=$((running + 1))
            streams_worker copy_beside $running "$@" &
            workers="$workers $!"
        fi
    done
    wait $workers
}
streams_figures() { # the statistics of several rsyncs, as those of one
    tr '\r' '\n' | awk '
        /^(Number of|Total) [a-z ()]+: [0-9]/ {
            name = $0; sub(/:.*/, "", name)
            value = $0; sub(/^[^:]*: /, "", value); sub(/ .*/, "", value); gsub(/[,.]/, "", value)
            if (!(name in sum)) order[++count] = name
            sum[name] += value
        }
        /^Literal data: / { value = $3; gsub(/[,.]/, "", value); literal += value }
        END {
            for (i = 1; i <= count; i++) printf "%s: %.0f\n", order[i], sum[order[i]]
            printf "Literal data: %.0f bytes\n", literal
        }'
}
streams_summed() { # the statistics of all parts as those of one, and the worst exit status
    cat "$streams"/part-???.said >&2
    cat "$streams"/part-???.out >"$streams/all"
    streams_figures <"$streams/all"
    worst=0
    for part in "$streams"/part-???; do
        status=$(cat "$part.status" 2>/dev/null)
        # One that vanished meanwhile counts less than any other trouble.
        case ${status:-20} in
            0) ;;
            24) if [ $worst -eq 0 ]; then worst=24; fi ;;
            *) worst=${status:-20} ;;
        esac
    done
    return $worst
}
copy_streams() { # most, options
    most=$1
    shift
    streams=$work/streams
    rm -rf "$streams"
    mkdir -p "$streams" || return 1
    if [ "$most" != 1 ] && most=$(streams_allowed "$most") && [ "$most" -gt 1 ] && split=$(streams_split) &&
        [ "${split%% *}" -gt 1 ]; then
        bytes_there=${split#* }
        streams_watch "$most" "$@"
        streams_summed
    else
        copy_all "$@"
    fi
}
all_sizes() {
    ssh -o "BatchMode=yes" -o "IdentitiesOnly=yes" -o "ControlPath=/var/lib/migrate/example-mail/way" -o "ControlMaster=no" -o "StrictHostKeyChecking=yes" -o "VerifyHostKeyDNS=no" -o "ClearAllForwardings=yes" -o "ForwardAgent=no" -o "UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts" -o "GlobalKnownHostsFile=/dev/null" -o "ConnectTimeout=15" -o "ServerAliveInterval=15" -o "ServerAliveCountMax=4" -i "$home/.ssh/migrate-example-mail" ${ciphers:+-o "Ciphers=$ciphers"} -p 22 root@198.51.100.10 "migrate-sizes-0" </dev/null | summed 0
}
copy_all() { sh -c 'own_limit() {
    [ -r /etc/mail/sendmail.cf ] || return 0
    awk -v processors="$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)" '"'"'
        function lower(value) { if (value + 0 > 0 && (!lowest || value + 0 < lowest)) lowest = value + 0 }
        BEGIN { queue = 8 * processors; refuse = 12 * processors }
        /^O QueueLA=/ { sub(/^[^=]*=/, ""); queue = $0 }
        /^O RefuseLA=/ { sub(/^[^=]*=/, ""); refuse = $0 }
        /^O DelayLA=/ { sub(/^[^=]*=/, ""); lower($0) }
        /^O DaemonPortOptions=/ {
            count = split(tolower($0), part, /[,=] */)
            for (i = 1; i < count; i++) if (part[i] ~ /^ *(queue|refuse|delay)la$/) lower(part[i + 1])
        }
        END { lower(queue); lower(refuse); printf "%d\n", lowest * 75 }'"'"' /etc/mail/sendmail.cf
}
born() { cut -d '"'"' '"'"' -f 22 "/proc/$1/stat" 2>/dev/null; }
govern() {
    started=$(born "$1")
    [ -n "$started" ] || return 0
    stopped=0
    rest=0
    while sleep 2 && [ "$(born "$1")" = "$started" ]; do
        read -r load _ </proc/loadavg || return 0
        load=${load%%.*}${load##*.}
        if [ $stopped -gt 0 ] && { [ "$load" -lt "$((high * 80 / 100))" ] || [ $stopped -ge 300 ]; }; then
            kill -s CONT "$1" 2>/dev/null
            stopped=0
            rest=30
        elif [ $stopped -gt 0 ]; then
            stopped=$((stopped + 2))
        elif [ $rest -gt 0 ]; then
            rest=$((rest - 2))
        elif [ "$load" -gt "$high" ]; then
            kill -s STOP "$1" 2>/dev/null
            stopped=2
        fi
    done
}
high=$(own_limit)
if [ -n "$high" ]; then ( exec </dev/null >/dev/null 2>&1; govern $$ ) &
fi
exec "$@"' sh rsync -aHS --partial --timeout=900 --delete-after --stats --info=progress2 --bwlimit=976 '--exclude=[Mm]box.lock' '--exclude=[Mm]ailbox.lock' '--exclude=[Ii]nbox.lock' --exclude=INBOX.lock '--exclude=*.mbox.lock' --exclude=sent-mail.lock --exclude=saved-messages.lock --exclude=postponed-msgs.lock '--exclude=mail/**.lock' '--exclude=Mail/**.lock' '--exclude=[Dd]rafts.lock' '--exclude=[Ss]ent.lock' '--exclude=[Tt]rash.lock' '--exclude=dovecot*.lock' --exclude=bak '--exclude=/top/*.old' --log-file=/var/lib/migrate/example-mail/copied-1.log '--log-file-format=%M %l |%i|%n' $attributes "$@" -e "ssh -i $home/.ssh/migrate-example-mail -o BatchMode=yes -o IdentitiesOnly=yes -o ControlPath=/var/lib/migrate/example-mail/way -o ControlMaster=no -o StrictHostKeyChecking=yes -o VerifyHostKeyDNS=no -o ClearAllForwardings=yes -o ForwardAgent=no -o UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts -o GlobalKnownHostsFile=/dev/null -o ConnectTimeout=15 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 ${ciphers:+-o Ciphers=$ciphers} -p 22" --rsync-path=migrate-tree-1 root@198.51.100.10:. "$target"; }
copy_beside() { sh -c 'own_limit() {
    [ -r /etc/mail/sendmail.cf ] || return 0
    awk -v processors="$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)" '"'"'
        function lower(value) { if (value + 0 > 0 && (!lowest || value + 0 < lowest)) lowest = value + 0 }
        BEGIN { queue = 8 * processors; refuse = 12 * processors }
        /^O QueueLA=/ { sub(/^[^=]*=/, ""); queue = $0 }
        /^O RefuseLA=/ { sub(/^[^=]*=/, ""); refuse = $0 }
        /^O DelayLA=/ { sub(/^[^=]*=/, ""); lower($0) }
        /^O DaemonPortOptions=/ {
            count = split(tolower($0), part, /[,=] */)
            for (i = 1; i < count; i++) if (part[i] ~ /^ *(queue|refuse|delay)la$/) lower(part[i + 1])
        }
        END { lower(queue); lower(refuse); printf "%d\n", lowest * 75 }'"'"' /etc/mail/sendmail.cf
}
born() { cut -d '"'"' '"'"' -f 22 "/proc/$1/stat" 2>/dev/null; }
govern() {
    started=$(born "$1")
    [ -n "$started" ] || return 0
    stopped=0
    rest=0
    while sleep 2 && [ "$(born "$1")" = "$started" ]; do
        read -r load _ </proc/loadavg || return 0
        load=${load%%.*}${load##*.}
        if [ $stopped -gt 0 ] && { [ "$load" -lt "$((high * 80 / 100))" ] || [ $stopped -ge 300 ]; }; then
            kill -s CONT "$1" 2>/dev/null
            stopped=0
            rest=30
        elif [ $stopped -gt 0 ]; then
            stopped=$((stopped + 2))
        elif [ $rest -gt 0 ]; then
            rest=$((rest - 2))
        elif [ "$load" -gt "$high" ]; then
            kill -s STOP "$1" 2>/dev/null
            stopped=2
        fi
    done
}
high=$(own_limit)
if [ -n "$high" ]; then ( exec </dev/null >/dev/null 2>&1; govern $$ ) &
fi
exec "$@"' sh rsync -aHS --partial --timeout=900 --delete-after --stats --info=progress2 --bwlimit=976 '--exclude=[Mm]box.lock' '--exclude=[Mm]ailbox.lock' '--exclude=[Ii]nbox.lock' --exclude=INBOX.lock '--exclude=*.mbox.lock' --exclude=sent-mail.lock --exclude=saved-messages.lock --exclude=postponed-msgs.lock '--exclude=mail/**.lock' '--exclude=Mail/**.lock' '--exclude=[Dd]rafts.lock' '--exclude=[Ss]ent.lock' '--exclude=[Tt]rash.lock' '--exclude=dovecot*.lock' --exclude=bak '--exclude=/top/*.old' --log-file=/var/lib/migrate/example-mail/copied-1.log '--log-file-format=%M %l |%i|%n' $attributes "$@" -e "ssh -i $home/.ssh/migrate-example-mail -o BatchMode=yes -o IdentitiesOnly=yes -o ControlPath=none -o ControlMaster=no -o StrictHostKeyChecking=yes -o VerifyHostKeyDNS=no -o ClearAllForwardings=yes -o ForwardAgent=no -o UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts -o GlobalKnownHostsFile=/dev/null -o ConnectTimeout=15 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 ${ciphers:+-o Ciphers=$ciphers} -p 22" --rsync-path=migrate-tree-1 root@198.51.100.10:. "$target"; }
rehearse_all() { rsync -aHS --partial --timeout=900 --delete-after --stats --info=progress2 --bwlimit=976 '--exclude=[Mm]box.lock' '--exclude=[Mm]ailbox.lock' '--exclude=[Ii]nbox.lock' --exclude=INBOX.lock '--exclude=*.mbox.lock' --exclude=sent-mail.lock --exclude=saved-messages.lock --exclude=postponed-msgs.lock '--exclude=mail/**.lock' '--exclude=Mail/**.lock' '--exclude=[Dd]rafts.lock' '--exclude=[Ss]ent.lock' '--exclude=[Tt]rash.lock' '--exclude=dovecot*.lock' --exclude=bak '--exclude=/top/*.old' --dry-run $attributes "$@" -e "ssh -i $home/.ssh/migrate-example-mail -o BatchMode=yes -o IdentitiesOnly=yes -o ControlPath=/var/lib/migrate/example-mail/way -o ControlMaster=no -o StrictHostKeyChecking=yes -o VerifyHostKeyDNS=no -o ClearAllForwardings=yes -o ForwardAgent=no -o UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts -o GlobalKnownHostsFile=/dev/null -o ConnectTimeout=15 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 ${ciphers:+-o Ciphers=$ciphers} -p 22" --rsync-path=migrate-tree-1 root@198.51.100.10:. "$target"; }
copy_listed() { rsync -aHS --partial --timeout=900 --stats --info=progress2 --bwlimit=976 --from0 --ignore-missing-args --files-from=- --log-file=/var/lib/migrate/example-mail/copied-1.log '--log-file-format=%M %l |%i|%n' $attributes "$@" -e "ssh -i $home/.ssh/migrate-example-mail -o BatchMode=yes -o IdentitiesOnly=yes -o ControlPath=/var/lib/migrate/example-mail/way -o ControlMaster=no -o StrictHostKeyChecking=yes -o VerifyHostKeyDNS=no -o ClearAllForwardings=yes -o ForwardAgent=no -o UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts -o GlobalKnownHostsFile=/dev/null -o ConnectTimeout=15 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 ${ciphers:+-o Ciphers=$ciphers} -p 22" --rsync-path=migrate-tree-1 root@198.51.100.10:. "$target"; }
copy_ends() { rsync --append --stats --timeout=900 --bwlimit=976 --from0 --ignore-missing-args --files-from=- -e "ssh -i $home/.ssh/migrate-example-mail -o BatchMode=yes -o IdentitiesOnly=yes -o ControlPath=/var/lib/migrate/example-mail/way -o ControlMaster=no -o StrictHostKeyChecking=yes -o VerifyHostKeyDNS=no -o ClearAllForwardings=yes -o ForwardAgent=no -o UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts -o GlobalKnownHostsFile=/dev/null -o ConnectTimeout=15 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 ${ciphers:+-o Ciphers=$ciphers} -p 22" --rsync-path=migrate-tree-1 root@198.51.100.10:. "$1/"; }
prove_listed() { rsync -aHS --partial --timeout=900 --checksum --dry-run '--out-format=%i %n%L' --from0 --ignore-missing-args --files-from=- $attributes "$@" -e "ssh -i $home/.ssh/migrate-example-mail -o BatchMode=yes -o IdentitiesOnly=yes -o ControlPath=/var/lib/migrate/example-mail/way -o ControlMaster=no -o StrictHostKeyChecking=yes -o VerifyHostKeyDNS=no -o ClearAllForwardings=yes -o ForwardAgent=no -o UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts -o GlobalKnownHostsFile=/dev/null -o ConnectTimeout=15 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 ${ciphers:+-o Ciphers=$ciphers} -p 22" --rsync-path=migrate-tree-1 root@198.51.100.10:. "$target"; }
tree_user=$(id -u)
enter_tree() { # a folder, and `make` where it is to be made: into it; 4 where a user's link is on the way
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
                echo "a link that a user can make leads to $1: $tree_at/$tree_step" >&2
                return 4
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
    echo "a link that a user can make leads to $1" >&2
    return 4
}
removing='
root=$1 test=$2 at= names= count=0
shift 2
newline='"'"'
'"'"'
enter() {
    cd -P -- "$root${1:+/}$1" 2>/dev/null && [ "$(pwd -P && echo .)" = "$root${1:+/}$1$newline." ]
}
quote() { # a name, for eval
    rest=$1 word=
    while :; do
        case $rest in
            *\'"'"'*) word=$word${rest%%\'"'"'*}"'"'"'\\'"'"''"'"'" rest=${rest#*\'"'"'} ;;
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
    names="$names '"'"'./$word'"'"'" count=$((count + 1))
done
flush
'
remove_each() { # a test of find: of the names on standard input, told from this folder, those that pass it go
    xargs -0 -r sh -c "$removing" sh "$(pwd -P)" "$1"
}
ends_ours() { # size before, name, folder of ends
    ends_is=$(find "$2" -maxdepth 0 -type f -printf %s 2>/dev/null)
    ends_may=$(find "$3/at/$2" -maxdepth 0 -type f -printf %s 2>/dev/null)
    [ "${ends_is:-0}" -gt "$1" ] && [ "$ends_is" -le "${ends_may:-0}" ] &&
        cmp -s -i "$1" -n "$((ends_is - $1))" -- "$2" "$3/at/$2"
}
each_end() {
    (
        enter_tree "$target" || exit 1
        ends_root=$(pwd -P; echo .) ends_root=${ends_root%??}
        while IFS= read -r line; do
            ends_size=${line%% *} ends_path=${line#* }
            ends_at=${ends_path%/*} ends_at=${ends_at#.}
            cd -P -- "$ends_root$ends_at" 2>/dev/null && [ "$(pwd -P; echo .)" = "$ends_root$ends_at
." ] || continue
            "$@" || exit 1
        done <"$ends/list"
    )
}
append_end() { # a file that was replaced meanwhile by a link or by another name of something is let alone
    ends_name=./${ends_path##*/}
    [ "$(find "$ends_name" -maxdepth 0 -type f -links 1 -printf %s 2>/dev/null)" = "$ends_size" ] || return 0
    [ "$(stat -c %s -- "$ends/at/$ends_path")" -gt "$ends_size" ] || return 0
    dd if="$ends/at/$ends_path" of="$ends_name" bs=1M skip="$ends_size" iflag=skip_bytes oflag=append,nofollow \
        conv=notrunc,nocreat 2>"$work/said" || { cat "$work/said" >&2; return 1; }
    unfinished "$ends_name"
}
settle_end() {
    ends_name=./${ends_path##*/}
    if (cd "$ends_root" && ends_ours "$ends_size" "$ends_path" "$ends"); then unfinished "$ends_name"; fi
}
unfinished() { touch -h -c -m -d @0 -- "$1"; }
ends_settled() { # what a pass appended that was killed gets the time of what is unfinished
    ends=$state/ends-$number
    if [ -s "$ends/list" ]; then each_end settle_end || exit 1; fi
    ends_done
}
ends_done() { rm -rf "$ends"; }
ends_grown() { # of the names that are wanted: whether ends were appended, so that contents are to be compared
    (umask 077 && mkdir -p "$ends/at") || return 1
    (enter_tree "$target" && ends_large) <"$work/wanted" >"$ends/coming" &&
        [ "$(awk '{ all += $1 } END { printf "%.0f", all }' "$ends/coming")" -ge 33554432 ] &&
        ends_stand && sed 's/^[^ ]* //' "$ends/coming" | tr '\n' '\000' | copy_ends "$ends/at" >"$work/printed" \
            2>"$work/said" && mv "$ends/coming" "$ends/list" && each_end append_end && return
    # What could not be brought so is brought whole, and then it is said why not.
    ends_settled
    return 1
}
ends_large() { # a name with a newline in it is not worth the trouble
    xargs -0 -r sh -c 'exec find "$@" -maxdepth 0 -type f -links 1 -size +2047 ! -path "*
*" ! -path "*/../*" -printf "%s %p\n"' sh 2>/dev/null || :
}
ends_stand() { # holes of their lengths, which take no room, stand in for the files
    while IFS= read -r line; do
        ends_path=$ends/at/${line#* }
        (umask 077 && mkdir -p "${ends_path%/*}" && truncate -s "${line%% *}" "$ends_path") || return 1
    done <"$ends/coming"
}
now() { date +%s.%N; }
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
    case $1 in 3) exit 76 ;; 255) exit 255 ;; *) exit 1 ;; esac
}
ended() { # file
    if [ "$(tail -n 1 "$1")" != end ]; then echo 'what the old host says was cut off' >&2; exit 12; fi
}
run() { # an rsync: its progress and its figures are told, and a failure is the end
    (enter_tree "$target") || exit 1
    telling "$work/printed" "$@"
    status=$?
    bytes=$((bytes + $(figure 'Literal data' "$work/printed")))
    if [ "$status" -eq 24 ] && [ "$vanishing" -eq 1 ]; then return; fi
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
    if [ "$1" -gt 10 ] && awk "BEGIN { exit !($1 > ${2:-0} * $share) }"; then
        echo "$1 of ${2:-0} files would be deleted" >&2
        exit 78
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
        if [ -z "$token" ]; then echo 'no pass has deleted yet' >&2; exit 76; fi
    fi
    ask changed "$1" "$token" >"$work/stream" 2>"$work/said" &
    asking=$!
    enter_tree "$target" || exit 1
    foreign "$state/here-$number" "$state/touched-$number" >"$work/foreign" || exit 76
    wait $asking
    told $?
    ended "$work/stream"
    looked=$(now)
    compare "$work/stream" "$work" >"$work/compared" || exit 76
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
    if [ -s "$work/foreign" ] && [ $delete -eq 1 ]; then head -n 5 "$work/foreign" >&2; exit 77; fi
    if [ -s "$work/foreign" ]; then echo 'others changed it on the new host' >&2; exit 76; fi
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
        case $status in 0|24) ;; *) exit $status ;; esac
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
    head -n 1000 "$work/foreign" | sed 's/^/changed by others: /'
    encoded <"$work/extra" | head -n 1000 | sed 's/^/extra /'
    if [ -s "$work/wanted" ]; then
        prove_listed <"$work/wanted" >"$work/proved" || exit
        head -n 1000 "$work/proved"
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
changed_pass
