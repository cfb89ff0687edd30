home=/var/lib/migrate/home
mark='migrate example-mail'
patience=60
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
root=$(enter_tree '/srv/it'"'"'s mail/' && pwd -P) || exit 1
umask 022
mkdir -p -m 700 "$home" || exit 1
pending='0 1'
ranges='
NR > 1 && $1 == place + size { size += $2; next }
NR > 1 { printf "%.0f %.0f\n", place, size }
{ place = $1; size = $2 }
END { if (NR) printf "%.0f %.0f\n", place, size }
'
tell='
function over(    mine) {
    if (!within) return
    within = 0
    mine = (first && pseudo && based) ? "P" : tag
    if (at > end) at = end # the last line has no newline
    if (stage == "text") printf "\002%s %.0f %.0f\n", mine, start, at - start
    else if (mine != "P") printf "%s", mark()
}
function mark() { return sprintf("%.0f %.0f %.0f %s %s\n", bytes, lines, weight, from, id) }
function say(line) {
    bytes += length(line) + 1
    lines += 1
    weight = (weight * 31 + length(line) + 1) % 1000003
    if (stage != "text") return
    if (line ~ /[\001\002\004]/) {
        gsub(/\004/, "\004d", line)
        gsub(/\001/, "\004a", line)
        gsub(/\002/, "\004b", line)
    }
    print line
}
BEGIN { ORS = "\001"; blank = 1; at = base + 0; end += 0 }
{
    if (blank && /^From /) {
        over()
        within = header = 1
        start = at
        first = (base + 0 == 0 && !begun_once++)
        empty = bytes = lines = weight = pseudo = based = left_out = 0
        from = substr($0, 1, 120)
        id = ""
    } else if (growing && within && blank && index("From ", $0) == 1) {
        before = mark()
        begun = NR
    }
    blank = ($0 == "" || $0 == "\r")
    at += length($0) + 1
    if (!within) next
    if (blank) { header = 0; empty += 1; next }
    if (header) {
        if (!/^[ \t]/) {
            name = tolower(substr($0, 1, 60))
            left_out = (name ~ /^(status|x-status|x-keywords|x-uid|x-imap|x-imapbase|content-length|lines|x-uidl|x-account-key|x-mozilla-[a-z0-9-]+|x-evolution(-[a-z-]+)?|x-kmail-[a-z-]+|x-vm-[a-z0-9-]+|x-rmail-(attributes|keywords)|x-label):/)
            if (name ~ /^message-id:/) id = substr($0, 1, 120)
            if (name ~ /^x-imap/) based = 1
            if ($0 ~ /^Subject: DON'"'"'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA/) pseudo = 1
        }
        if (left_out) next
    }
    while (empty > 0) { say(""); empty -= 1 }
    say($0)
}
END {
    short = (at < end)
    if (begun == NR && at > end) printf "%s", before
    over()
    exit short
}
'
lacking='
{
    cut = index($0, "\002")
    text = substr($0, 1, cut - 1)
    split(substr($0, cut + 1), word, " ")
    if (NR == 1 || text != last) { last = text; have = 0 }
    if (word[1] == "M") have += 1
    else if (word[1] == "S" && have > 0) have -= 1
    else if (word[1] == "S") print word[2], word[3]
}
'
last='
BEGIN { blank = 1; at = start = 0 }
{
    if (blank && /^From /) start = before++ ? at : 0
    blank = ($0 == "" || $0 == "\r")
    at += length($0) + 1
}
END { printf "%.0f\n", start }
'

size() { if [ -f "$1" ]; then wc -c <"$1" | tr -d ' '; else echo 0; fi; }
alike() { # how many bytes two files begin with in common
    said=$(cmp /dev/fd/3 /dev/fd/4 3<"$1" 4<"$2" 2>&1)
    status=$?
    if [ $status -gt 1 ]; then return 1; fi
    case $said in
        *' differ: '*)
            said=${said##* differ: }
            said=${said#* }
            echo $((${said%%,*} - 1))
            ;;
        *) if [ "$(size "$1")" -lt "$(size "$2")" ]; then size "$1"; else size "$2"; fi ;;
    esac
}
told() { # file tag base end
    [ "$4" -ge "$3" ] && tail -c +$(($3 + 1)) -- "$1" | head -c $(($4 - $3)) | tr '\000' '\003' |
        awk -v stage=text -v tag="$2" -v base="$3" -v end="$4" "$tell"
}
lacking() {
    if [ -s "$1" ]; then
        shared=$(alike "$1" "$2") || return 1
        from=$(head -c "$shared" -- "$2" | tr '\000' '\003' | awk "$last")
        told "$1" M "$from" "$(size "$1")" >"$3/told" || return 1
    else
        from=0
        : >"$3/told"
    fi
    told "$2" S "$from" "$(size "$2")" >>"$3/told" &&
        sort -T "$3" -o "$3/sorted" "$3/told" &&
        awk "$lacking" "$3/sorted" >"$3/told" &&
        sort -n -o "$3/parts" "$3/told"
}

newline='
'
enter() { # a folder of the tree, without a symbolic link on the way
    cd -P -- "$root/$1" 2>/dev/null && [ "$(pwd -P && echo .)" = "$root${1:+/}$1$newline." ]
}
begins() { case $(head -c 65536 -- "$1" 2>/dev/null | tr '\000\r' '\003\n' | sed '/./!d;q' | head -c 300) in 'From '*) ;; *) return 1 ;; esac; }
why() { # what a program said, where there was room for that
    reason=$(tr '\n' ' ' 2>/dev/null <"$home/error")
    echo "${reason:-no room, it seems: see df -h and df -i of the mailbox and of $home there}"
}
refuse() { printf 'refused %s %s\n' "$number" "$(printf %s "$1" | tr '\n' ' ')"; exit 8; }
keep() { dd of="$1" bs=64k conv=fsync 2>"$home/error"; }
gap() { # prints the newlines that a mailbox needs before another message
    case $(tail -c 3 -- "$1" | od -An -c | tr -d ' ') in
        ''|*'\n\n'|'\n\r\n') ;;
        *'\n') echo ;;
        *) printf '\n\n' ;;
    esac
}
take() { # locks a mailbox; 1: another program has it, 2: `said` tells why it cannot be
    # A lock of this migration is one that a crash left, for no other script of it runs.
    if [ -f "./$1.lock" ]; then
        if [ "$(head -c 80 -- "./$1.lock")" = "$mark" ] ||
            [ -n "$(find "./$1.lock" -maxdepth 0 -mmin +17)" ]; then rm -f -- "./$1.lock"; fi
    fi
    # A shell's noclobber opens what a link of the user leads to where that is a device or a pipe; O_EXCL does not.
    if ! said=$(printf '%s\n' "$mark" | dd of="./$1.lock" conv=excl 2>&1); then
        case $said in *'File exists'*) return 1 ;; esac
        rm -f -- "./$1.lock"
        return 2
    fi
    if [ ! -f "./$1" ]; then return 0; fi
    # A shell cannot hold a lock of fcntl; it can see one.
    if grep -q "POSIX .*:$(stat -c %i -- "./$1") " /proc/locks 2>/dev/null ||
        ! { exec 8<"./$1" && flock -n 8; }; then release "$1"; return 1; fi
}
release() { rm -f -- "./$1.lock"; exec 8<&-; }
create() { # an empty mailbox with the owner and mode of the copy: who owns the folder cannot put another file there
    mode=$(stat -c %a -- "$2") && owner=$(stat -c %u:%g -- "$2") || return 1
    (set -C; umask "$(printf %o $((0777 & ~0$mode)))"; exec 7>"./$1" && [ -f /proc/self/fd/7 ] &&
        chown -- "$owner" /proc/self/fd/7)
}
write() { dd of="./$1" bs=64k oflag=append,nofollow conv=notrunc,nocreat,fsync 2>"$home/error"; }
kept() { rm -rf "$home/append" "$home/append.new"; }
append() { # mailbox, its folder, what is added
    place=$(size "./$1")
    rm -rf "$home/append.new"
    mkdir "$home/append.new" || return 1
    { gap "./$1"; cat "$3"; } | keep "$home/append.new/content" || return 1
    printf '%s\n%s/%s/' "$place" "$2" "$1" | keep "$home/append.new/where" || return 1
    mv "$home/append.new" "$home/append" || return 1
    if write "$1" <"$home/append/content"; then kept; return 0; fi
    if cut_short "$1" "$place"; then
        dd if=/dev/null of="./$1" bs=1 seek="$place" count=0 oflag=nofollow conv=nocreat 2>/dev/null && kept
    fi
    return 1
}
cut_short() { # mailbox, place: whether nothing but a beginning of what was to be appended stands behind it
    # On a disk that is full there is no room for a copy of it.
    said=$(tail -c +$(($2 + 1)) -- "./$1" | cmp - "$home/append/content" 2>&1) && return 0
    case $said in *'EOF on -'*|*'EOF on standard input'*) ;; *) return 1 ;; esac
}
written() { # mailbox, place: how much stands behind it, and how much of that is what was to be appended
    tail -c +$(($2 + 1)) -- "./$1" >"$home/behind" || return 1
    behind=$(size "$home/behind")
    written=$(alike "$home/behind" "$home/append/content")
}
settle() { # completes an append that a crash cut short
    if [ ! -d "$home/append" ]; then return 0; fi
    place=$(head -n 1 "$home/append/where")
    path=$(sed 1d "$home/append/where")
    path=${path%/}
    name=${path##*/}
    folder=${path%/*}
    total=$(size "$home/append/content")
    if ! enter "$folder" || [ ! -f "./$name" ] || [ "$(size "./$name")" -lt "$place" ]; then kept; return 0; fi
    tries=60
    until take "$name"; do
        if [ $? -eq 2 ]; then refuse "$path cannot be locked: $said"; fi
        tries=$((tries - 1))
        if [ $tries -le 0 ]; then refuse "$path is locked by another program"; fi
        sleep 1
    done
    written "$name" "$place" || { release "$name"; refuse "$path cannot be read: $(why)"; }
    if [ "$written" -eq "$behind" ] && [ "$behind" -lt "$total" ]; then
        tail -c +$((written + 1)) -- "$home/append/content" | write "$name" ||
            { release "$name"; refuse "$path cannot be written: $(why)"; }
    elif [ "$written" -lt "$total" ] && [ "$written" -lt "$behind" ]; then
        glued || { release "$name"; refuse "$path has half a message before byte $((place + written)), and others \
behind it: mend it by hand, remove $home/append, and run this again"; }
    fi
    release "$name"
    kept
}
glued() { # whether mail of others stands behind whole messages of ours, or behind nothing
    ours=$(head -c $((written + 5)) "$home/behind" | tr '\000\n' '\003\001' | awk '{
        while (cut = index(substr($0, past + 1), "From ")) { past += cut; found = past }
        print found - 1
    }')
    if [ "$ours" -le 0 ]; then [ "$ours" -eq 0 ]; return; fi
    [ "$(head -c "$ours" "$home/behind" | tail -c 2 | od -An -c | tr -d ' ')" = '\n\n' ]
}
state() { stat -c '%i %s %y %z' -- "$1" 2>/dev/null || echo none; }
prepare() { # number, mailbox, copy: writes what is to be added, how many messages it has, and of which state it is
    if [ -e "$home/$1.add" ] && [ "$(state "$2")" = "$(cat "$home/$1.state")" ]; then return 0; fi
    rm -f "$home/$1.add"
    state "$2" >"$home/$1.state"
    lacking "$2" "$3" "$home" 2>"$home/error" || return 1
    awk "$ranges" "$home/parts" | while read -r place length; do
        tail -c +$((place + 1)) -- "$3" | head -c "$length"
    done >"$home/adding" || return 1
    wanted=$(awk '{ size += $2 } END { printf "%.0f", size }' "$home/parts")
    if [ "$(size "$home/adding")" -ne "$wanted" ]; then return 1; fi
    gap "$home/adding" >"$home/gap" && cat "$home/gap" >>"$home/adding" || return 1
    wc -l <"$home/parts" | tr -d ' ' >"$home/$1.count" || return 1
    mv "$home/adding" "$home/$1.add"
}
join() { # number; 9 where the mailbox is locked
    box "$1"
    copy=$home/stage/${folder:+$folder/}$name
    enter "$folder" || refuse "is behind a symbolic link, or its folder is missing: see to it, and run this again"
    if [ -L "./$name" ] || { [ -e "./$name" ] && [ ! -f "./$name" ]; }; then
        refuse "is no regular file on the old host: move it aside there, and run this again"
    fi
    if [ ! -f "$copy" ]; then refuse "did not arrive from the new host: run this again"; fi
    if [ -s "./$name" ] && ! begins "./$name" && grep -q . "./$name"; then
        refuse "is no mailbox on the old host, but one on the new: move it aside there, and run this again"
    fi
    : >"$home/error"
    if [ ! -e "$home/$1.state" ]; then prepare "$1" "./$name" "$copy"; fi
    if [ ! -e "$home/$1.add" ] || [ -s "$home/$1.add" ]; then
        take "$name"
        case $? in 0) ;; 1) return 9 ;; *) refuse "cannot be locked: $said" ;; esac
        prepare "$1" "./$name" "$copy" ||
            { release "$name"; refuse "cannot be compared: $(why)"; }
        if [ -s "$home/$1.add" ]; then
            { [ -e "./$name" ] || create "$name" "$copy"; } && append "$name" "$folder" "$home/$1.add" ||
                { release "$name"; refuse "cannot be written: $(why)"; }
        fi
        release "$name"
    fi
    echo "joined $1 $(cat "$home/$1.count")"
}
box() {
case $1 in
0) folder='' name=user01 ;;
1) folder='it'"'"'s' name=user02 ;;
esac
}

number=-
(settle) || exit 0
rm -f "$home"/*.add "$home"/*.state
waited=0
while :; do
    locked=
    for number in $pending; do
        (join "$number")
        case $? in
            0|8) ;;
            9) locked="$locked $number" ;;
            *) echo "refused $number cannot be joined: $(why)" ;;
        esac
    done
    pending=$locked
    if [ -z "$pending" ] || [ $waited -ge "$patience" ]; then break; fi
    sleep 1
    waited=$((waited + 1))
done
for number in $pending; do echo "locked $number"; done
for left in "$home"/*; do
    if [ "$left" != "$home/append" ]; then rm -rf "$left"; fi
done
rmdir "$home" "${home%/*}" "${home%/*/*}" 2>/dev/null
echo end
