[ -e /var/lib/migrate/example-mail/copying ] || exit 0
date +%s
export TZ=UTC0 LC_ALL=C
newer=
if [ -e /var/lib/migrate/example-mail/copied ]; then
    started=$(cat /var/lib/migrate/example-mail/copied)
    moved=$(($(sed -n 's/^btime //p' /proc/stat) - ${started:-0}))
    if [ $moved -ge -2 ] && [ $moved -le 2 ]; then newer='-newercm /var/lib/migrate/example-mail/copied'; fi
fi
compare='
function key(path) {
    if (path !~ "(^|/)(new|cur)/[^/]*$") return path
    sub(/.*\//, "", path)
    sub(/:2,.*/, "", path)
    return "/" path
}
function ending(name) {
    sub(".*[/|]", "", name)
    sub(/:2,.*/, "", name)
    return name
}
function plain(name, done, code) {
    while (match(name, /\\#[0-7][0-7][0-7]/)) {
        code = substr(name, RSTART + 2, 1) * 64 + substr(name, RSTART + 3, 1) * 8 + substr(name, RSTART + 4, 1)
        done = done substr(name, 1, RSTART - 1) sprintf("%c", code == 10 ? 1 : code)
        name = substr(name, RSTART + 5)
    }
    return done name
}
function file(line, word) {
    match(line, /^[^ ]+ [^ ]+ [^ ]+ /)
    split(substr(line, 1, RLENGTH), word, " ")
    sub(/\..*/, "", word[1])
    if (word[1] == "1970/01/01-00:00:00") return
    path[++count] = substr(line, RLENGTH + 3) # without its "./"
    known[count] = key(path[count])
    wanted[known[count]]
    ends[ending(known[count])]
    modified[count] = word[1]
    size[count] = word[2]
    changed[count] = seconds(word[3])
}
function seconds(clock) { return substr(clock, 1, 2) * 3600 + substr(clock, 4, 2) * 60 + substr(clock, 7, 2) }
# What stands where anything may stand is mail where it begins as mail does. The beginnings of many files are read by
# one head; where that does not give each its share, a file went away meanwhile, and they are read one by one.
function quoted(name) { gsub(/\001/, "\n", name); gsub(/'"'"'/, "'"'"'\\'"'"''"'"'", name); return "'"'"'" name "'"'"'" }
function beginning(names, width, command, text, line) {
    command = "head -q -c " width " -- " names " 2>/dev/null | tr '"'"'\\000\\n'"'"' '"'"'\\002\\003'"'"'; echo"
    text = ""
    while ((command | getline line) > 0) text = text line
    close(command)
    return text
}
function judge(kind, width, texts, name, number) {
    texts = beginning(names[kind], width)
    for (number = 1; number <= waiting[kind]; number++) {
        name = held[kind, number]
        sub(/^[^ ]+ [^ ]+ [^ ]+ /, "", name)
        if (length(texts) == width * waiting[kind]) text = substr(texts, (number - 1) * width + 1, width)
        else text = beginning(quoted(name), width)
        if (text ~ /^(From |\r?\003)/) {
            text = beginning(quoted(name), text ~ /^From / ? 300 : 65536)
            sub(/^(\r?\003)+/, "", text)
            sub(/\003.*/, "", text)
        }
        if (begins(kind, text, name)) file(held[kind, number])
        delete held[kind, number]
    }
    waiting[kind] = 0
    names[kind] = ""
}
# An mbox (RFC 4155), with a time of day in its first line where it has an extension as web pages have, and is in no
# spool; one of MMDF (mmdf(5)); one of UW IMAP'"'"'s mbx (docs/formats.txt); where a number is the name, a message of MH
# (mh-mail(5)).
function begins(kind, text, name) {
    if (text ~ /^(From .*[0-9]:[0-9][0-9]|\001\001\001\001|\*mbx\*)/) return 1
    if (text ~ /^From / && (name !~ "[.][^/]*$" || ENVIRON["others"] != "*")) return 1
    return kind == "h" && text ~ /^[A-Za-z][-A-Za-z0-9]*:/
}
function suspect(line, path, kind) {
    path = line
    sub(/^[^ ]+ [^ ]+ [^ ]+ /, "", path)
    if (path ~ /\/(storage\/m|dbox-Mails\/u)\.[0-9]+$/) { file(line); return }
    if (path ~ "/dovecot[-.][^/]*$") return
    split(line, word, " ")
    kind = (path ~ /\/[0-9]+\.?$/ && word[2] >= 80) ? "h" : "c"
    held[kind, ++waiting[kind]] = line
    names[kind] = names[kind] " " quoted(path)
    if (waiting[kind] >= 200 || length(names[kind]) > 60000) judge(kind, kind == "h" ? 80 : 5)
}
function judged() { if (waiting["c"]) judge("c", 5); if (waiting["h"]) judge("h", 80) }
stage == "files" && /^c / { suspect(substr($0, 3)); next }
stage == "files" { file(substr($0, 3)); next }
!decided++ { judged() }
!count { exit }
# Most lines are of other files. Where nothing in a name is escaped its end tells that, with little done for each.
!index($0, "\\#") && !(ending($0) in ends) { next }
{
    if (!match($0, /^[^ ]+ [^ ]+ \[[0-9]+\] [^ ]+ [0-9]+ \|.f[^|]*\|/)) next
    facts = substr($0, 1, RLENGTH)
    name = key(plain(substr($0, RLENGTH + 1)))
    if (!(name in wanted)) next
    split(facts, word, " ")
    copied[word[4], word[5], name]
    logged[word[4], name] = seconds(word[2])
}
END {
    if (!decided) judged()
    for (number = 1; number <= count && found < 1000; number++) {
        if ((modified[number], size[number], known[number]) in copied) continue
        if ((modified[number], known[number]) in logged &&
            (changed[number] - logged[modified[number], known[number]] + 86401) % 86400 <= 10 + 1) continue
        found++
        print ENVIRON["tree"] "/" path[number]
    }
}
'
whole='
{ state = $1; sub(/^[^ ]* /, ""); there[$0]; if (state == "old") old[$0] }
END {
    for (path in old) {
        base = substr(path, 1, length(path) - 3)
        if (!((base "cur") in there && (base "new") in there && (base "tmp") in there)) print path
    }
}
'
ends_ours() { # size before, name, folder of ends
    ends_is=$(find "$2" -maxdepth 0 -type f -printf %s 2>/dev/null)
    ends_may=$(find "$3/at/$2" -maxdepth 0 -type f -printf %s 2>/dev/null)
    [ "${ends_is:-0}" -gt "$1" ] && [ "$ends_is" -le "${ends_may:-0}" ] &&
        cmp -s -i "$1" -n "$((ends_is - $1))" -- "$2" "$3/at/$2"
}
look() {
    [ -d "$1/" ] || return 0
    cd "$1/" || return 1
    log=$2
    [ -e "$log" ] || log=/dev/null
    find . -maxdepth 0 $newer >/dev/null || return 1
    prune=$4
    export others="$3" wanted="-type f -size +0 $newer ! -name '.*' \\
        \( \( -path '*/new/*' -o -path '*/cur/*' -o ! -path \"\$others\" ! -name '*.lock' \) -printf 'm ' -o \\
           -size +4c ! -name '*.lock' -printf 'c ' \) \\
        -printf '%TY/%Tm/%Td-%TH:%TM:%TS %s %CH:%CM:%CS %p\0'"
    found=$({ if [ -n "$newer" ]; then changed; else eval "find . $prune $wanted"; fi; } |
        tr '\n\000' '\001\n' | tree=$1 awk "$compare" stage=files - stage=log "$log") || return 1
    ends=${2%/copied-*}/ends-${2##*/copied-} ends=${ends%.log}
    if [ -z "$found" ]; then return; fi
    # What a pass that was killed had appended by then is ours, though no log tells it.
    ours=
    if [ -s "$ends/list" ]; then
        ours=$(while IFS= read -r line; do
            if ends_ours "${line%% *}" "${line#* }" "$ends"; then printf '%s\n' "$1/${line#* ./}"; fi
        done <"$ends/list")
    fi
    if [ -n "$ours" ]; then printf '%s\n' "$found" | grep -vxF -e "$ours" || :; else printf '%s\n' "$found"; fi
}
# Whatever comes into a Maildir's cur or new changes that folder's time (https://cr.yp.to/proto/maildir.html), so of one
# that is older than the mark nothing is read, unless it has folders (two links: none) or belongs to no whole Maildir.
changed() {
    eval "find . $prune"' \( -type d \( -name cur -o -name new \) -links 2 ! $newer \) -printf "old %p\0" -prune -o \
        -type d \( -name cur -o -name new -o -name tmp \) -printf "new %p\0" \
        \( ! -name tmp -o -links 2 -prune \)' |
    tr '\n\000' '\001\n' | awk "$whole" | tr '\n\001' '\000\n' | xargs -0 -r sh -c 'eval "exec find \"\$@\" $wanted"' sh
    eval "find . $prune \( -type d \( -name cur -o -name new \) -links 2 ! $newer \) -prune -o $wanted"
}
look /var/spool/mail /var/lib/migrate/example-mail/copied-0.log './*/*' '' || exit 1
look /srv/mail /var/lib/migrate/example-mail/copied-1.log '*' '-regextype posix-extended ! -name . \( -regex '"'"'(\./(.*/)?bak)|(\./top/[^/]*\.old)'"'"' \) -prune -o' || exit 1
look /home /var/lib/migrate/example-mail/copied-2.log '*' '' || exit 1
exit 0
