"""Mail on the new host that no pass brought: what passes leave behind there, and the look that tells by it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from migrator.mailstore.ends import OURS
from migrator.mailstore.excludes import Untranslatable, prune

STATE = "/var/lib/migrate"
"""The folder on each host in which a migration keeps what has to survive the connection."""

LOG_FORMAT = "%M %l |%i|%n"
"""What rsync writes of each file: modification time, size, kind of change, name (rsyncd.conf(5), log format)."""

_EARLIER = 2
"""Seconds by which a mark is older than the look before it: clocks of file systems tick more slowly than `date`."""

AS_BEFORE = -1
"""In place of the time of a look: there was none, and what arrived since the one before is still looked for."""

_STARTED = "sed -n 's/^btime //p' /proc/stat"
"""Prints when the host was started by its clock of now (proc(5)): another time where that clock was set since."""

_WIDE = 80
"""How many bytes of a file are read whose name is a number, as those of MH are: its first line is a header's."""

_GRACE = 10
"""Seconds that rsync may take from the line in its log to the file in its place."""


MOST = 1000
"""How many files of one tree a look names at most: who has more of them needs no longer list."""


@dataclass(frozen=True, slots=True)
class Target:
    """A folder of the new host that a tree is copied into; in a spool, the files of the folder itself are mail.

    `excluded` are rsync's patterns of what no pass touches.
    """

    path: str
    spool: bool
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Together:
    """Trees that passes look at together: their numbers, the list of them, and find's words for what is left out.

    The folder `new-trees` in the state holds a link to each of them, and `new-trees.list` is the list then.
    """

    numbers: frozenset[int]
    listed: str
    prune: str


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What a look found: its time on the new host (seconds since 1970, 0 where it was not told), and the files."""

    looked: int
    paths: tuple[str, ...]


def folder(name: str, state: str = STATE) -> str:
    """Given a migration's name, return the folder of its state on a host; only root writes there."""
    return f"{state}/{name}"


def log_path(name: str, index: int, state: str = STATE) -> str:
    """Given a migration's name and a tree's number, return the file on the new host where rsync logs its passes."""
    return f"{folder(name, state)}/copied-{index}.log"


def begin_script(name: str, looked: int | None, state: str = STATE) -> str:
    """Return the script that marks a pass as begun, in a folder that exists.

    Given when the last look at the new host was (None: there was none, and what is there is given up; or AS_BEFORE).
    """
    mark = f"{folder(name, state)}/copying"
    if looked == AS_BEFORE:
        before = f"{folder(name, state)}/copied"
        return f"if [ -e {before} ]; then cp -p {before} {mark}; else {_STARTED} >{mark}; touch -d @0 {mark}; fi\n"
    when = "" if looked is None else f"-d @{max(0, looked - _EARLIER)} "
    return f"{_STARTED} >{mark}\ntouch {when}{mark}\n"


def end_script(name: str, state: str = STATE) -> str:
    """Return the script that marks the pass as ended; what arrived since it began is still looked at."""
    here = folder(name, state)
    return f"[ ! -e {here}/copying ] || mv -f {here}/copying {here}/copied\n"


def forget_script(name: str, state: str = STATE) -> str:
    """Return the script that removes all that a migration of this name keeps in its folder on a host."""
    return f"rm -rf {folder(name, state)}\nrmdir {state} 2>/dev/null || :\n"


def look_script(
    name: str,
    targets: Sequence[Target],
    *,
    interrupted: bool = False,
    together: Together | None = None,
    state: str = STATE,
) -> str:
    """Return the inspecting script that prints the time, then the mail files that no pass of this migration left so.

    Given the targets in the order of the plan. A file is looked at where its change time, which nobody can set, is
    younger than the beginning of the last pass that ended; every one is, where the host's clock was set meanwhile or
    the host was started anew. It was brought where the log of rsync names it with its modification time and size.
    Mail is told by what it is, wherever it stands: an mbox (also of a spool that is spread over folders, or in a
    home), a message of a Maildir, of MH or of dbox. Of one tree MOST files are named. With `interrupted` nothing is
    looked at unless a pass was begun and did not end. Of the trees of `together` those are passed over into which
    nothing came at all, for a look at one takes some ten processes.
    """
    here = folder(name, state)
    only = f"[ -e {here}/copying ] || exit 0\n" if interrupted else ""
    many = together.numbers if together else frozenset()
    looks = "".join(
        (f"case $came in all|*' {index} '*) " if index in many else "")
        + f"look {shlex.quote(target.path.rstrip('/'))} {log_path(name, index, state)} "
        f"{shlex.quote('./*/*' if target.spool else '*')} {shlex.quote(_prune(target))} || exit 1"
        + (" ;; esac\n" if index in many else "\n")
        for index, target in enumerate(targets)
    )
    return (
        f"{only}date +%s\nexport TZ=UTC0 LC_ALL=C\nnewer=\n"
        f"if [ -e {here}/copied ]; then\n"
        f"    started=$(cat {here}/copied)\n    moved=$(($({_STARTED}) - ${{started:-0}}))\n"
        f"    if [ $moved -ge -2 ] && [ $moved -le 2 ]; then newer='-newercm {here}/copied'; fi\nfi\n"
        f"compare={shlex.quote(_COMPARE)}\nwhole={shlex.quote(_WHOLE)}\n{OURS}{_LOOK}"
        f"{_together(together, here) if together else ''}{looks}exit 0\n"
    )


def _together(together: Together, here: str) -> str:
    return (
        f"listed={shlex.quote(together.listed)}\nbelow={shlex.quote(together.prune)}\n"
        f"which={shlex.quote(_WHICH)}\n{_CAME}came=all\n"
        f'if [ -n "$newer" ] && printf \'%s\' "$listed" | cmp -s - {here}/new-trees.list; then\n'
        f"    came=$(cd {here}/new-trees && came) || came=all\nfi\n"
    )


def _prune(target: Target) -> str:
    # Patterns that find cannot be told exactly leave nothing out: rather more is named than less.
    found: list[str] = []
    for each in target.excluded:
        with suppress(Untranslatable):
            prune([each])
            found.append(each)
    return prune(found)


def parse(text: str) -> Arrivals:
    """Given what the look printed, return it as data."""
    first, _, rest = text.partition("\n")
    paths = tuple(sorted(line.replace("\x01", "\n") for line in rest.split("\n") if line))
    return Arrivals(int(first) if re.fullmatch("[0-9]{1,15}", first) else 0, paths)


# Given a folder, rsync's log, a pattern for what in the folder is not mail by its place, and find's words for what no
# pass touches. A folder that is a symbolic link (Debian: /var/spool/mail) is looked into. Names may hold newlines, so
# they travel as \001.
_LOOK = r"""look() {
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
"""

# Prints the folders that were not looked into and belong to no whole Maildir.
_WHOLE = r"""
{ state = $1; sub(/^[^ ]* /, ""); there[$0]; if (state == "old") old[$0] }
END {
    for (path in old) {
        base = substr(path, 1, length(path) - 3)
        if (!((base "cur") in there && (base "new") in there && (base "tmp") in there)) print path
    }
}
"""

# In the folder of the links: prints the numbers of the trees that a look may find something in, each between blanks.
_CAME = r"""came() {
    words="$below \( -type d \( -name cur -o -name new \) -links 2 ! $newer \) -printf 'old %p\0' -prune -o \
        -type d \( -name cur -o -name new -o -name tmp \) -printf 'new %p\0' -o \
        -type f -size +0 ! -name '.*' $newer -printf 'came %p\0'"
    { printf '%s' "$listed" | sed 's/ .*/\//; s/^/.\//' |
        words=$words xargs sh -c 'eval "exec find \"\$@\" $words"' sh 2>/dev/null
      printf 'done %s\0' $?; } | tr '\n\000' '\001\n' | awk "$which"
}
"""

_WHICH = r"""
function number(path) { sub(/^[.][\/]+/, "", path); sub(/\/.*/, "", path); return path }
{ state = $1; sub(/^[^ ]* /, "") }
state == "done" { fine = $0 == "0"; next }
state == "came" { found[number($0)]; next }
{ there[$0]; if (state == "old") old[$0] }
END {
    if (!fine) exit 1
    for (path in old) {
        base = substr(path, 1, length(path) - 3)
        if (!((base "cur") in there && (base "new") in there && (base "tmp") in there)) found[number(path)]
    }
    for (tree in found) printf " %s ", tree
    print ""
}
"""

# A message in a Maildir is known by its unique name alone: reading it moves it to cur and changes its flags. rsync
# logs the size that it listed; a mailbox that grew until it was sent is longer, so its time must do, together with
# a change time close to the log's. What rsync had to leave unfinished gets the time 0 from it.
_COMPARE = (
    r"""
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
function quoted(name) { gsub(/\001/, "\n", name); gsub(/'/, "'\\''", name); return "'" name "'" }
function beginning(names, width, command, text, line) {
    command = "head -q -c " width " -- " names " 2>/dev/null | tr '\\000\\n' '\\002\\003'; echo"
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
# spool; one of MMDF (mmdf(5)); one of UW IMAP's mbx (docs/formats.txt); where a number is the name, a message of MH
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
    kind = (path ~ /\/[0-9]+\.?$/ && word[2] >= WIDE) ? "h" : "c"
    held[kind, ++waiting[kind]] = line
    names[kind] = names[kind] " " quoted(path)
    if (waiting[kind] >= 200 || length(names[kind]) > 60000) judge(kind, kind == "h" ? WIDE : 5)
}
function judged() { if (waiting["c"]) judge("c", 5); if (waiting["h"]) judge("h", WIDE) }
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
    for (number = 1; number <= count && found < MOST; number++) {
        if ((modified[number], size[number], known[number]) in copied) continue
        if ((modified[number], known[number]) in logged &&
            (changed[number] - logged[modified[number], known[number]] + 86401) % 86400 <= GRACE + 1) continue
        found++
        print ENVIRON["tree"] "/" path[number]
    }
}
""".replace("GRACE", str(_GRACE))
    .replace("MOST", str(MOST))
    .replace("WIDE", str(_WIDE))
)
