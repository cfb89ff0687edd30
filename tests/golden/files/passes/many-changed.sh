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
number=all
state=/var/lib/migrate/example-mail
work=/var/lib/migrate/example-mail/pass-all
target=/var/lib/migrate/example-mail/new-trees
listed='0 /home/u0
1 /home/u1
2 /home/u2
3 /home/u3
4 /home/u4
5 /home/u5
6 /home/u6
7 /home/u7
8 /home/u8'
log=/var/lib/migrate/example-mail/copied-all
delete=0
share=1.000000
prune='-regextype posix-extended ! -regex '"'"'\./[0-9]+/?'"'"' \( -regex '"'"'((\./[0-9]+((/(.*/)?[Mm]box\.lock)|(/(.*/)?[Mm]ailbox\.lock)|(/(.*/)?[Ii]nbox\.lock)|(/(.*/)?INBOX\.lock)|(/(.*/)?[^/]*\.mbox\.lock)|(/(.*/)?sent-mail\.lock)|(/(.*/)?saved-messages\.lock)|(/(.*/)?postponed-msgs\.lock)|(/(.*/)?mail/.*\.lock)|(/(.*/)?Mail/.*\.lock)|(/(.*/)?[Dd]rafts\.lock)|(/(.*/)?[Ss]ent\.lock)|(/(.*/)?[Tt]rash\.lock)|(/(.*/)?dovecot[^/]*\.lock))))'"'"' \) -prune -o'
quick=1
spared=''
most=4
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
note_prune='-regextype posix-extended ! -regex '"'"'\./[0-9]+/?'"'"' \( -regex '"'"'((\./[0-9]+((/(.*/)?[Mm]box\.lock)|(/(.*/)?[Mm]ailbox\.lock)|(/(.*/)?[Ii]nbox\.lock)|(/(.*/)?INBOX\.lock)|(/(.*/)?[^/]*\.mbox\.lock)|(/(.*/)?sent-mail\.lock)|(/(.*/)?saved-messages\.lock)|(/(.*/)?postponed-msgs\.lock)|(/(.*/)?mail/.*\.lock)|(/(.*/)?Mail/.*\.lock)|(/(.*/)?[Dd]rafts\.lock)|(/(.*/)?[Ss]ent\.lock)|(/(.*/)?[Tt]rash\.lock)|(/(.*/)?dovecot[^/]*\.lock))))'"'"' \) -prune -o'
note_words=7c755299
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
note_prune='-regextype posix-extended ! -regex '"'"'\./[0-9]+/?'"'"' \( -regex '"'"'((\./[0-9]+((/(.*/)?[Mm]box\.lock)|(/(.*/)?[Mm]ailbox\.lock)|(/(.*/)?[Ii]nbox\.lock)|(/(.*/)?INBOX\.lock)|(/(.*/)?[^/]*\.mbox\.lock)|(/(.*/)?sent-mail\.lock)|(/(.*/)?saved-messages\.lock)|(/(.*/)?postponed-msgs\.lock)|(/(.*/)?mail/.*\.lock)|(/(.*/)?Mail/.*\.lock)|(/(.*/)?[Dd]rafts\.lock)|(/(.*/)?[Ss]ent\.lock)|(/(.*/)?[Tt]rash\.lock)|(/(.*/)?dovecot[^/]*\.lock))))'"'"' \) -prune -o'
note_words=5fa5c2aa
note_forest=1
export note_forest
ask() { asked=$*; ssh -o "BatchMode=yes" -o "IdentitiesOnly=yes" -o "ControlPath=/var/lib/migrate/example-mail/way" -o "ControlMaster=no" -o "StrictHostKeyChecking=yes" -o "VerifyHostKeyDNS=no" -o "ClearAllForwardings=yes" -o "ForwardAgent=no" -o "UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts" -o "GlobalKnownHostsFile=/dev/null" -o "ConnectTimeout=15" -o "ServerAliveInterval=15" -o "ServerAliveCountMax=4" -i "$home/.ssh/migrate-example-mail" ${ciphers:+-o "Ciphers=$ciphers"} -p 22 root@198.51.100.10 "migrate-look-all $asked" </dev/null; }
able_there() { ssh -o "BatchMode=yes" -o "IdentitiesOnly=yes" -o "ControlPath=/var/lib/migrate/example-mail/way" -o "ControlMaster=no" -o "StrictHostKeyChecking=yes" -o "VerifyHostKeyDNS=no" -o "ClearAllForwardings=yes" -o "ForwardAgent=no" -o "UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts" -o "GlobalKnownHostsFile=/dev/null" -o "ConnectTimeout=15" -o "ServerAliveInterval=15" -o "ServerAliveCountMax=4" -i "$home/.ssh/migrate-example-mail" ${ciphers:+-o "Ciphers=$ciphers"} -p 22 root@198.51.100.10 "migrate-load" </dev/null; }
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
copy_staged() { rsync -aHS --partial --timeout=900 --stats --info=progress2 --from0 --ignore-missing-args --files-from=- --max-size=1m $attributes -e "ssh -i $home/.ssh/migrate-example-mail -o BatchMode=yes -o IdentitiesOnly=yes -o ControlPath=/var/lib/migrate/example-mail/way -o ControlMaster=no -o StrictHostKeyChecking=yes -o VerifyHostKeyDNS=no -o ClearAllForwardings=yes -o ForwardAgent=no -o UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts -o GlobalKnownHostsFile=/dev/null -o ConnectTimeout=15 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 ${ciphers:+-o Ciphers=$ciphers} -p 22" --rsync-path=migrate-tree-all-$numbers root@198.51.100.10:. "$staged/"; }
prove_staged() { rsync -aHS --partial --timeout=900 --checksum --dry-run '--out-format=%i %n%L' --from0 --ignore-missing-args --files-from=- --max-size=1m $attributes -e "ssh -i $home/.ssh/migrate-example-mail -o BatchMode=yes -o IdentitiesOnly=yes -o ControlPath=/var/lib/migrate/example-mail/way -o ControlMaster=no -o StrictHostKeyChecking=yes -o VerifyHostKeyDNS=no -o ClearAllForwardings=yes -o ForwardAgent=no -o UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts -o GlobalKnownHostsFile=/dev/null -o ConnectTimeout=15 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 ${ciphers:+-o Ciphers=$ciphers} -p 22" --rsync-path=migrate-tree-all-$numbers root@198.51.100.10:. "$staged/"; }
copy_laid() { rsync -aHS --partial --timeout=900 --stats --info=progress2 --no-implied-dirs --from0 --ignore-missing-args --files-from=- $attributes "$@" "$laid/" /; }
check_laid() { rsync -aHS --partial --timeout=900 --checksum --dry-run '--out-format=%i %n%L' --no-implied-dirs --from0 --ignore-missing-args --files-from=- $attributes "$laid/" /; }
rsync_of_tree() {
    kind=$1
    shift
    kept=
    (enter_tree "$there") || return 1
    if [ -n "$attributes" ] && grep -qx "$tree" "$state/capable"; then kept=$attributes; fi
    case $kind in whole*)
    case $tree in
    0|1|2|3|4|5|6|7|8) set -- '--exclude=[Mm]box.lock' '--exclude=[Mm]ailbox.lock' '--exclude=[Ii]nbox.lock' --exclude=INBOX.lock '--exclude=*.mbox.lock' --exclude=sent-mail.lock --exclude=saved-messages.lock --exclude=postponed-msgs.lock '--exclude=mail/**.lock' '--exclude=Mail/**.lock' '--exclude=[Dd]rafts.lock' '--exclude=[Ss]ent.lock' '--exclude=[Tt]rash.lock' '--exclude=dovecot*.lock' "$@" ;;
    esac
 ;;
    esac
    case $kind in
    whole) rsync -aHS --partial --timeout=900 --stats --info=progress2 $kept "$@" -e "ssh -i $home/.ssh/migrate-example-mail -o BatchMode=yes -o IdentitiesOnly=yes -o ControlPath=/var/lib/migrate/example-mail/way -o ControlMaster=no -o StrictHostKeyChecking=yes -o VerifyHostKeyDNS=no -o ClearAllForwardings=yes -o ForwardAgent=no -o UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts -o GlobalKnownHostsFile=/dev/null -o ConnectTimeout=15 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 ${ciphers:+-o Ciphers=$ciphers} -p 22" --rsync-path=migrate-tree-$tree root@198.51.100.10:. "$there/" ;;
    whole-logged) rsync -aHS --partial --timeout=900 --stats --info=progress2 "--log-file=$state/copied-$tree.log" '--log-file-format=%M %l |%i|%n' $kept "$@" -e "ssh -i $home/.ssh/migrate-example-mail -o BatchMode=yes -o IdentitiesOnly=yes -o ControlPath=/var/lib/migrate/example-mail/way -o ControlMaster=no -o StrictHostKeyChecking=yes -o VerifyHostKeyDNS=no -o ClearAllForwardings=yes -o ForwardAgent=no -o UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts -o GlobalKnownHostsFile=/dev/null -o ConnectTimeout=15 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 ${ciphers:+-o Ciphers=$ciphers} -p 22" --rsync-path=migrate-tree-$tree root@198.51.100.10:. "$there/" ;;
    listed) rsync -aHS --partial --timeout=900 --stats --info=progress2 --from0 --ignore-missing-args --files-from=- "--log-file=$state/copied-$tree.log" '--log-file-format=%M %l |%i|%n' $kept "$@" -e "ssh -i $home/.ssh/migrate-example-mail -o BatchMode=yes -o IdentitiesOnly=yes -o ControlPath=/var/lib/migrate/example-mail/way -o ControlMaster=no -o StrictHostKeyChecking=yes -o VerifyHostKeyDNS=no -o ClearAllForwardings=yes -o ForwardAgent=no -o UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts -o GlobalKnownHostsFile=/dev/null -o ConnectTimeout=15 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 ${ciphers:+-o Ciphers=$ciphers} -p 22" --rsync-path=migrate-tree-$tree root@198.51.100.10:. "$there/" ;;
    laid) rsync -aHS --partial --timeout=900 --stats --info=progress2 --from0 --ignore-missing-args --files-from=- "--log-file=$state/copied-$tree.log" '--log-file-format=%M %l |%i|%n' $kept "$@" "$staged/$tree/" "$there/" ;;
    checked) rsync -aHS --partial --timeout=900 --checksum --dry-run '--out-format=%i %n%L' --from0 --ignore-missing-args --files-from=- $kept "$@" "$staged/$tree/" "$there/" ;;
    proof) rsync -aHS --partial --timeout=900 --checksum --dry-run '--out-format=%i %n%L' --from0 --ignore-missing-args --files-from=- $kept "$@" -e "ssh -i $home/.ssh/migrate-example-mail -o BatchMode=yes -o IdentitiesOnly=yes -o ControlPath=/var/lib/migrate/example-mail/way -o ControlMaster=no -o StrictHostKeyChecking=yes -o VerifyHostKeyDNS=no -o ClearAllForwardings=yes -o ForwardAgent=no -o UserKnownHostsFile=$home/.ssh/migrate-example-mail.known_hosts -o GlobalKnownHostsFile=/dev/null -o ConnectTimeout=15 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 ${ciphers:+-o Ciphers=$ciphers} -p 22" --rsync-path=migrate-tree-$tree root@198.51.100.10:. "$there/" ;;
    esac
}
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

farm() {
    (
        umask 077
        mkdir -p "$1" && exec 7>>"$1.lock" && flock 7 || exit 1
        cat >"$1.coming" || exit 1
        if cmp -s "$1.coming" "$1.list"; then exit 0; fi
        rm -rf "$1" "$1.list" && mkdir "$1" || exit 1
        while IFS= read -r line; do ln -s -- "${line#* }" "$1/${line%% *}" || exit 1; done <"$1.coming"
        mv "$1.coming" "$1.list"
    ) && cd -- "$1" || return 1
    there=$(find -L . -mindepth 1 -maxdepth 1 -type d -printf x | wc -c)
    if [ "$there" -ne "$2" ]; then
        echo "of $2 trees $there are there; missing:" >&2
        find -L . -mindepth 1 -maxdepth 1 ! -type d -printf '%l %p\n' | head -n 5 >&2
        return 1
    fi
}
staged=$state/staged
many_parted() { [ "$(wc -l <"$work/parted")" -gt 4 ] && [ "$fetched" -le 5000 ]; }
named() { sed 's/ .*//' "$work/parted" | tr '\n' '-'; } # the numbers of the trees that changed
bears() { # whether the folder of what came can keep what the trees keep
    [ -z "$attributes" ] || case $(stat -f -c %T "$state") in
        ext2/ext3|xfs|btrfs|zfs|f2fs|jfs|overlayfs) ;;
        *) return 1 ;;
    esac
}
staged_brought() { # of the names in a file what is small comes; what came and what did not are lists for each tree
    rm -rf "$staged"
    many_parted && bears && (umask 077 && mkdir "$staged") || return 1
    numbers=$(named)
    if ! copy_staged <"$1" >"$work/printed-staged" 2>"$work/said"; then rm -rf "$staged"; return 1; fi
    staged_sorted
}
staged_sorted() { # of the lists of the trees makes two: of what stands in the folder of what came, and of the rest
    rm -rf "$work/came" "$work/rest" && mkdir "$work/came" "$work/rest" || return 1
    (cd "$staged" && find . -mindepth 2 -printf '%p\0') | encoded >"$work/standing" || return 1
    (cd "$work/lists" && find . -type f -exec awk '{ print substr(FILENAME, 3) " " $0 }' {} +) >"$work/named" ||
        return 1
    awk -v work="$work" '
        stage == "standing" { stands[$0]; next }
        {
            tree = $0
            sub(/ .*/, "", tree)
            name = substr($0, length(tree) + 2)
            file = work (("./" tree substr(name, 2)) in stands ? "/came/" : "/rest/") tree
            if (file != last) { if (last != "") close(last); last = file }
            print name >>file
        }' stage=standing "$work/standing" stage=named "$work/named" || return 1
    for kind in came rest; do
        (cd "$work/$kind" && find . -type f -printf '%f\n') >"$work/$kind.told" && some_trees <"$work/$kind.told" \
            >"$work/$kind.trees" || return 1
    done
}
one_came() { plain <"$work/came/$tree" | rsync_of_tree "$@"; }
one_rest() { plain <"$work/rest/$tree" | rsync_of_tree "$@"; }
staged_copied() { # options: lays what came into the trees, and brings the rest
    laid_copied "$@" && each_tree one_came laid "$@" <"$work/alone.trees" || return
    each_tree one_rest listed "$@" <"$work/rest.trees"
    ended_with=$?
    { cat "$work/printed-staged"; find "$work/each" -name '*.out' -exec cat {} +; } 2>/dev/null | streams_figures
    return $ended_with
}
staged_proved() { # of the names in a file: prints what differs, as lines of their trees; fails where that is not told
    [ -d "$staged" ] && many_parted || return 1
    numbers=$(named)
    prove_staged <"$1" >"$work/differs" 2>/dev/null && staged_sorted || return 1
    # What differs by now from what came is for its tree's own rsync to tell.
    if [ -s "$work/differs" ]; then return 1; fi
    laid_checked && each_tree one_came checked <"$work/alone.trees" || exit
    differing <"$work/alone.trees"
    each_tree one_rest proof <"$work/rest.trees" || exit
    differing <"$work/rest.trees"
}
laid=$state/laid
rooted() { # of trees, "NUMBER FOLDER", those whose way root alone can change; odd names travel by themselves
    awk '
        { sub(/\/+$/, "") }
        !/^[0-9]+ \/[A-Za-z0-9\/._@+=,:~-]+$/ || /\/\// || /\/[.][.]?(\/|$)/ { next }
        { print }' >"$work/asked"
    awk '{
        count = split($2, step, "/")
        if (!told++) print "/"
        at = ""
        for (i = 2; i <= count; i++) { at = at "/" step[i]; if (!(at in known)) { known[at]; print at } }
    }' "$work/asked" | xargs -r sh -c 'exec find "$@" -maxdepth 0 -printf "%y %U %m %p\n"' sh >"$work/ways" 2>/dev/null
    if [ -n "$attributes" ]; then cat "$state/capable"; else sed 's/ .*//' "$work/asked"; fi >"$work/bearing"
    awk -v user="$tree_user" '
        stage == "bearing" { bears[$1]; next }
        stage == "ways" { kind[$4] = $1; owner[$4] = $2; mode[$4] = $3; next }
        function roots(path) { return owner[path] == 0 || owner[path] == user }
        function closed(path, entry, all) {
            all = length(mode[path])
            if (kind[path] != "d" || !roots(path)) return 0
            if (substr(mode[path], all - 1) !~ /[2367]/) return 1
            return all == 4 && mode[path] ~ /^[1357]/ && roots(entry)
        }
        {
            fine = $1 in bears && kind[$2] == "d"
            count = split($2, step, "/")
            above = "/"
            for (i = 2; i <= count && fine; i++) {
                at = (above == "/" ? "" : above) "/" step[i]
                fine = closed(above, at)
                above = at
            }
            if (fine) print
        }' stage=bearing "$work/bearing" stage=ways "$work/ways" stage=asked "$work/asked"
}
laid_links() { # for what came: a folder in which each of those trees has its path, and there what came for it
    rm -rf "$laid" && : >"$work/alone.trees" && rooted <"$work/came.trees" >"$work/rooted" || return 1
    [ "$(wc -l <"$work/rooted")" -gt 4 ] || : >"$work/rooted"
    awk 'stage == "rooted" { rooted[$1]; next } !($1 in rooted)' stage=rooted "$work/rooted" stage=came \
        "$work/came.trees" >"$work/alone.trees" || return 1
    (umask 077 && mkdir "$laid") && sed 's/^[0-9]* \(.*\)\/[^/]*$/.\1/' "$work/rooted" | sort -u |
        (cd "$laid" && xargs -r mkdir -p --) || return 1
    while read -r tree there; do ln -s "$staged/$tree" "$laid$there" || return 1; done <"$work/rooted"
}
laid_names() { # what came for those trees, told from the root; before each name the folders above it in its tree
    (cd "$work/came" && find . -type f -exec awk '{ print substr(FILENAME, 3) " " $0 }' {} +) | awk '
        function tell(name) { if (!(name in told)) { told[name]; print name } }
        stage == "rooted" { place[$1] = "." $2; next }
        {
            tree = $0
            sub(/ .*/, "", tree)
            if (!(tree in place)) next
            name = substr($0, length(tree) + 4)
            # Nothing but what came stands there, so the slash brings no more.
            tell(place[tree] "/")
            at = place[tree]
            while ((slash = index(name, "/")) > 0) {
                at = at "/" substr(name, 1, slash - 1)
                name = substr(name, slash + 1)
                tell(at)
            }
            if (name != "") tell(at "/" name)
        }' stage=rooted "$work/rooted" stage=names -
}
laid_logged() { # what is about to be laid stands in the log of its tree as rsync would tell it, were it killed or not
    (cd "$staged" && find . -mindepth 2 -type f -printf '%TY/%Tm/%Td-%TH:%TM:%TS %s %p\0') | encoded |
        awk -v state="$state" -v now="$(date '+%Y/%m/%d %H:%M:%S')" '
        function escaped(name, done, i, letter) {
            if (!index(name, "\001") && !index(name, "\\")) return name
            for (i = 1; i <= length(name); i++) {
                letter = substr(name, i, 1)
                done = done (letter == "\001" ? "\\#012" : letter == "\\" ? "\\#134" : letter)
            }
            return done
        }
        stage == "rooted" { rooted[$1]; next }
        {
            match($0, /^[^ ]+ [0-9]+ \.\/[0-9]+\//)
            name = substr($0, RLENGTH + 1)
            split(substr($0, 1, RLENGTH), word, " ")
            sub(/[.].*/, "", word[1])
            tree = word[3]
            gsub(/[.\/]/, "", tree)
            if (!(tree in rooted)) next
            log_of = state "/copied-" tree ".log"
            if (log_of != last) { if (last != "") close(last); last = log_of }
            print now " [1] " word[1] " " word[2] " |>f+++++++++|" escaped(name) >>log_of
        }' stage=rooted "$work/rooted" stage=came -
}
laid_copied() { # options: what came is laid into those trees; the others are left in alone.trees
    laid_links || return 1
    if [ ! -s "$work/rooted" ]; then return; fi
    laid_names >"$work/laid" && laid_logged || return 1
    plain <"$work/laid" | copy_laid "$@" >"$work/printed-laid"
}
laid_checked() { # prints in what those trees differ from what came, as lines of the trees
    laid_links || return 1
    if [ ! -s "$work/rooted" ]; then return; fi
    laid_names >"$work/laid" && plain <"$work/laid" | check_laid >"$work/checked" || return
    awk -v most=1000 '
        stage == "rooted" { number[substr($2, 2)] = $1; next }
        {
            code = substr($0, 1, 12)
            name = substr($0, 13)
            for (at = name; at != "" && !(at in number); ) if (!sub("/[^/]*$", "", at)) at = ""
            if (at == "" || told[at]++ >= most) next
            rest = substr(name, length(at) + 2)
            print number[at] " out " code (rest == "" ? "./" : rest)
        }' stage=rooted "$work/rooted" stage=checked "$work/checked"
}

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
    awk -v share="$share" -v few=10 '
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
        }' stage=counts "$state/count-$number" stage=lost "$work/gone" "$work/below" || exit 78
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
        if [ $status -eq 24 ] && [ $vanishing -eq 1 ]; then status=0; fi
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
        head -n 1000 "$work/each/$tree.out" | sed "s/^/$tree out /"
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
    if [ "$lost" -gt 10 ] && awk "BEGIN { exit !($lost > $count * $share) }"; then
        echo "of tree $tree $lost of $count files would be deleted" >&2
        return 78
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
    awk -v what="$1" -v most=1000 'match($0, /^\.\/[0-9]+/) {
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
changed_pass
