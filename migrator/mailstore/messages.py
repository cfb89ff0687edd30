"""The messages of an mbox, told apart by awk on the host that has it: which it has, and which of them another lacks.

A message begins with a line `From ` at the beginning of the file or after an empty line (RFC 4155); empty lines before
the first one mean nothing. It is the same
message elsewhere where its text is the same without the headers that programs which read mail keep changing, and
without the empty lines at its end.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence

Marks = Counter[str]
"""The marks of a mailbox's messages, and how often it has each."""

CHANGING = (
    "status|x-status|x-keywords|x-uid|x-imap|x-imapbase|content-length|lines|x-uidl|x-account-key"
    "|x-mozilla-[a-z0-9-]+|x-evolution(-[a-z-]+)?|x-kmail-[a-z-]+|x-vm-[a-z0-9-]+"
    "|x-rmail-(attributes|keywords)|x-label"
)
"""The headers that say nothing of a message but what was done with it, in lower case, as a regular expression.

Servers write them (mbox(5); UW IMAP, docs/formats.txt; Dovecot, "Mbox Mailbox Format"; X-UIDL: Qpopper and other POP
servers, RFC 1939, section 7), and programs that read the mailbox in its place (Mozilla, Evolution, KMail, VM, Rmail,
and Mutt where one gives a label).
"""

# Given a stream with its NULs as \003: `base` is the place of its first byte in the file, `end` the file's size.
# Stage "text" prints each message as one line: its text, \002, `tag`, place and length in bytes. Stage "mark" prints
# a short mark of the same text, which equal texts share; with `growing` also that of the last message without a line
# at its end that is the beginning of `From ` and no more. UW IMAP's pseudo message at the beginning of a file has the
# tag P: it is about the file that it stands in. Only `length` is used on long lines, for mawk has limits elsewhere.
TELL = r"""
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
            left_out = (name ~ /^(CHANGING):/)
            if (name ~ /^message-id:/) id = substr($0, 1, 120)
            if (name ~ /^x-imap/) based = 1
            if ($0 ~ /^Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA/) pseudo = 1
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
""".replace("CHANGING", CHANGING)

# Given both lists of stage "text" as one, sorted: prints place and length of what S has more often than M.
LACKING = r"""
{
    cut = index($0, "\002")
    text = substr($0, 1, cut - 1)
    split(substr($0, cut + 1), word, " ")
    if (NR == 1 || text != last) { last = text; have = 0 }
    if (word[1] == "M") have += 1
    else if (word[1] == "S" && have > 0) have -= 1
    else if (word[1] == "S") print word[2], word[3]
}
"""

# Given what LACKING prints, in the order of the file: prints it with neighbours made one.
RANGES = r"""
NR > 1 && $1 == place + size { size += $2; next }
NR > 1 { printf "%.0f %.0f\n", place, size }
{ place = $1; size = $2 }
END { if (NR) printf "%.0f %.0f\n", place, size }
"""

# Given the beginning that two files share: prints where the last message begins in it; the first one, with the file.
LAST = r"""
BEGIN { blank = 1; at = start = 0 }
{
    if (blank && /^From /) start = before++ ? at : 0
    blank = ($0 == "" || $0 == "\r")
    at += length($0) + 1
}
END { printf "%.0f\n", start }
"""

# `lacking MAILBOX COPY FOLDER` writes into FOLDER/parts the parts of COPY, place and length, that MAILBOX lacks. What
# both files begin with is passed over, so that the usual case costs what was added and not what was there.
FUNCTIONS = (
    f"tell={shlex.quote(TELL)}\nlacking={shlex.quote(LACKING)}\nlast={shlex.quote(LAST)}\n"
    r"""
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
"""
)


def opening(path: str) -> str:
    """Return the sh text that prints the first line of a file that is not empty, as an mbox is known by it.

    Given the path as it stands in double quotes.
    """
    return f"head -c 65536 -- \"{path}\" 2>/dev/null | tr '\\000\\r' '\\003\\n' | sed '/./!d;q' | head -c 300"


def is_mbox(path: str) -> str:
    """Return the sh command that tells whether a file is an mbox, given the path as it stands in double quotes.

    It begins with `From ` and, in the same line, a time of day (RFC 4155); empty lines may stand before that.
    """
    return f'case $({opening(path)}) in "From "*[0-9]:[0-9][0-9]*) ;; *) false ;; esac'


def marks_script(folder: str, paths: Sequence[str], *, growing: bool = False) -> str:
    """Given a folder of a host and paths in it, return the inspecting script that prints the marks of their messages.

    A path that is no file there has none. `growing` mailboxes are delivered into meanwhile: procmail writes the first
    byte of a message alone, and the rest up to a second later (mailfold.c, dump), so that a mailbox may end with the
    beginning of `From `. Its last message then has two marks: with that, and without.
    """
    looks = "".join(f"look {number} {shlex.quote(path)}\n" for number, path in enumerate(paths))
    return (
        f"tell={shlex.quote(TELL)}\ncd -- {shlex.quote(folder)} || exit 1\n"
        'look() {\n    echo "mailbox $1"\n    [ -f "./$2" ] || return 0\n'
        '    size=$(wc -c <"./$2")\n'
        "    head -c \"$size\" <\"./$2\" | tr '\\000' '\\003' |\n"
        f'        awk -v stage=mark -v tag=M -v base=0 -v end="$size" -v growing={int(growing)} "$tell"\n}}\n'
        f"{looks}echo end\n"
    )


def parse_marks(text: str) -> Mapping[int, Marks]:
    """Given what the script printed, return how often each mailbox has each mark.

    Raises ValueError where the end is missing: then nobody knows what else is.
    """
    found: dict[int, Marks] = {}
    lines = text.split("\n")
    if lines[-2:] != ["end", ""]:
        raise ValueError("the marks of messages do not end with `end`")
    current: Marks = Counter()
    for line in lines[:-2]:
        word, _, number = line.partition(" ")
        if word == "mailbox" and number.isdecimal():
            current = found.setdefault(int(number), Counter())
        else:
            current[line] += 1
    return found
