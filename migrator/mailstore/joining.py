"""The script that adds to mailboxes of the old host what their copies from the new one have more, under their locks."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from migrator.mailstore.entering import ENTER
from migrator.mailstore.messages import FUNCTIONS, RANGES, opening

PATIENCE = 60
"""How long a mailbox that another program has locked is waited for, in seconds."""

STALE = 17
"""The age in minutes at which a dot lock is nobody's: procmail's LOCKTIMEOUT is 1024 s (procmailrc(5))."""

# The mailbox is only ever appended to, so what others write into it stays. What is lacking is found before it is
# locked, as that may take its time, and again under the lock where the mailbox is not as it was: another program may
# have been in the middle of a message. What is about to be appended is kept first, with the mailbox's size: after a
# crash it is completed.
# A folder is entered link by link and a mailbox opened without following one: users own both, and root writes.
_FUNCTIONS = r"""
newline='
'
enter() { # a folder of the tree, without a symbolic link on the way
    cd -P -- "$root/$1" 2>/dev/null && [ "$(pwd -P && echo .)" = "$root${1:+/}$1$newline." ]
}
begins() { case $(@OPENING@) in 'From '*) ;; *) return 1 ;; esac; }
why() { # what a program said, where there was room for that
    reason=$(tr '\n' ' ' 2>/dev/null <"$home/error")
    echo "${reason:-no room, it seems: see df -h and df -i of the mailbox and of $home there}"
}
refuse() { printf 'refused %s %s\n' "$number" "$(printf %s "$1" | tr '\n' ' ')"; exit @TOLD@; }
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
            [ -n "$(find "./$1.lock" -maxdepth 0 -mmin +@STALE@)" ]; then rm -f -- "./$1.lock"; fi
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
    tries=@PATIENCE@
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
join() { # number; @LOCKED@ where the mailbox is locked
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
        case $? in 0) ;; 1) return @LOCKED@ ;; *) refuse "cannot be locked: $said" ;; esac
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
"""

_LOOP = r"""
number=-
(settle) || exit 0
rm -f "$home"/*.add "$home"/*.state
waited=0
while :; do
    locked=
    for number in $pending; do
        (join "$number")
        case $? in
            0|@TOLD@) ;;
            @LOCKED@) locked="$locked $number" ;;
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
"""

_LOCKED = 9
_TOLD = 8
"""What a mailbox ends with that is locked, and one that was refused; a shell that cannot write ends with 1 or 2."""


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of mailboxes, by number: how many messages each got, which are locked, and why others were left.

    `unsettled` says why an append that a crash had cut short could not be completed; then nothing else was done.
    """

    added: dict[int, int]
    locked: list[int]
    refused: dict[int, str]
    unsettled: str = ""


def join_script(tree: str, paths: Sequence[str], *, home: str, name: str, patience: int = PATIENCE) -> str:
    """Given a tree of the old host and mailboxes in it whose copies stand in `home`/stage, return the script.

    `home` is a folder that only root reads; nothing stays in it but what a crash would leave. `name` is the
    migration's. Each mailbox gets, under its lock, the messages of the copy that it has fewer times; one that is
    missing is made, with the copy's owner and mode. It bears repetition at any point, and waits `patience` seconds
    for locks in all.
    """
    boxes = "".join(_box(number, path) for number, path in enumerate(paths))
    return (
        f"home={shlex.quote(home)}\nmark={shlex.quote(f'migrate {name}')}\npatience={patience}\n"
        f"{ENTER}root=$(enter_tree {shlex.quote(tree)} && pwd -P) || exit 1\n"
        'umask 022\nmkdir -p -m 700 "$home" || exit 1\n'
        f"pending='{' '.join(map(str, range(len(paths))))}'\nranges={shlex.quote(RANGES)}\n"
        f"{FUNCTIONS}{_filled(_FUNCTIONS)}"
        f"box() {{\ncase $1 in\n{boxes}esac\n}}\n{_filled(_LOOP)}"
    )


def _filled(text: str) -> str:
    values = {
        "STALE": STALE,
        "PATIENCE": PATIENCE,
        "LOCKED": _LOCKED,
        "TOLD": _TOLD,
        "OPENING": opening("$1"),
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def parse_joined(text: str, count: int) -> Joined:
    """Given what the script printed about `count` mailboxes, return it as data.

    Raises ValueError where its end is missing, or where a mailbox is not told of.
    """
    joined = Joined({}, [], {})
    known = {str(number): number for number in range(count)}
    for line in text.split("\n"):
        word, _, rest = line.partition(" ")
        place, _, more = rest.partition(" ")
        number = known.get(place)
        if word == "refused" and place == "-":
            return Joined({}, [], {}, more or "no reason is told")
        if number is None:
            continue
        if word == "joined":
            joined.added[number] = int(more)
        elif word == "locked":
            joined.locked.append(number)
        elif word == "refused":
            joined.refused[number] = more
    told = joined.added.keys() | set(joined.locked) | joined.refused.keys()
    if not text.endswith("end\n") or len(told) != count:
        raise ValueError("what became of the mailboxes is not told of all of them")
    return joined


def _box(number: int, path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{number}) folder={shlex.quote(folder)} name={shlex.quote(name)} ;;\n"
