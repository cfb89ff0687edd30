look_folder=/var/lib/migrate/example-mail/look-1
note_prune='-regextype posix-extended ! -name . \( -regex '"'"'(\./(.*/)?[Mm]box\.lock)|(\./(.*/)?[Mm]ailbox\.lock)|(\./(.*/)?[Ii]nbox\.lock)|(\./(.*/)?INBOX\.lock)|(\./(.*/)?[^/]*\.mbox\.lock)|(\./(.*/)?sent-mail\.lock)|(\./(.*/)?saved-messages\.lock)|(\./(.*/)?postponed-msgs\.lock)|(\./(.*/)?mail/.*\.lock)|(\./(.*/)?Mail/.*\.lock)|(\./(.*/)?[Dd]rafts\.lock)|(\./(.*/)?[Ss]ent\.lock)|(\./(.*/)?[Tt]rash\.lock)|(\./(.*/)?dovecot[^/]*\.lock)|(\./(.*/)?bak)|(\./top/[^/]*\.old)'"'"' \) -prune -o'
note_words=e67bc307
note_forest=
export note_forest
look_margin=300
look_changes='
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
'
look_linked='
stage == "linked" { cut($0); split(facts, word, " "); links[who(facts)] = word[8]; next }
/^done / { done($2); next }
{ cut($0); if (who(facts) in links) { found[who(facts)]++; print "F " path } }
END {
    if (failed || !finished[stage]) exit 3
    for (id in links) if (found[id] < links[id]) exit 4
}
'
look_known='
stage == "draft" { if (/^d/) { cut($0); known[path] } next }
stage == "turning" { if ($0 in known) print; next }
/^1 d/ { cut($0); if (!(path in known)) print path }
END { if (failed) exit 3 }
'
look_sifted='
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
'
note_slack=2
note_far=300
note_fine_slack=0.25
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
look_aging='
stage == "draft" { if (/^d/) { cut($0); known[path] } next }
stage == "changed" { changed[$0]; next }
{ cut($0); up = parent(path); if (up in known && !(up in changed) && when(facts) >= since) print }
END { if (failed) exit 3 }
'
look_anew='
stage == "told" { told[$0]; next }
stage == "rewritten" && /^done / { done($2); next }
stage == "rewritten" {
    cut($0)
    if (!(("F " path) in told) && !(("D " parent(path)) in told)) anew[$0] = path
    next
}
$0 in anew { delete anew[$0] }
END { if (failed || !finished["rewritten"]) exit 3; for (each in anew) print "F " anew[each] }
'

# Of the messages that an earlier pass brought when they were young: those that may stand in folders that changed.
look_brought() {
    : >"$work/brought" && : >"$work/young" || return 1
    if [ ! -s "$work/changed" ] || [ ! -s "$work/brought-young" ]; then return; fi
    sed 's/^/|/; s/$/\//' "$work/changed" >"$work/folders" || return 1
    grep -F -f "$work/folders" "$work/brought-young" >"$work/brought"
    [ $? -le 1 ]
}
# A note that deletes were made by is kept by no pass over what changed, so nothing is done for the next one.
look_aged() { # base begun
    if [ "$1" != exact ] && [ -s "$work/brought-young" ]; then
        awk -v since="$(awk -v begun="$2" -v margin="$look_margin" 'BEGIN { printf "%.3f", begun - margin }')" \
            "$note_awk$look_aging" stage=draft "$work/draft" stage=changed "$work/changed" \
            stage=young "$work/brought-young" >>"$work/young" || return
    fi
    mv "$work/young" "$work/coming"
}

look() (
    LC_ALL=C; export LC_ALL
    umask 077
    work=$look_folder
    mkdir -p "$work" || exit 1
    # One whose connection was lost may still run, and would write into the same files.
    exec 8>>"$work/lock" && flock -w 120 8 || { echo 'another look at this tree still runs' >&2; exit 1; }
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
    if [ "$(cat "$work/names" 2>/dev/null || echo 20000)" -ge 20000 ]; then return; fi
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
