"""What Sendmail reads, held against what its sources would make: sendmail.cf, submit.cf, maps, aliases.

A rebuild makes these anew. What somebody typed into sendmail.cf, or put into a map from another text, would go
without a word, so it is looked for before. Nothing of the host is changed: what the sources make goes into a
folder of its own. `m4` and `makemap` are the judges (cf/README, "A BRIEF INTRODUCTION TO M4"; makemap(8), `-u`),
for aliases `sendmail -bi` (newaliases(1)), for Debian's Makefile its own `update_mk`. Comments and empty lines do
not count, for m4 writes who built a file, when and where, and Debian's make adds sendmail.mc as a comment; nor
does the line `DZ`, the version that a greeting tells, which is another one after every update of Sendmail.
"""

from __future__ import annotations

import difflib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from migrator.hosts.facts import HostFacts
from migrator.hosts.families import WAYS

MOST = 200
"""How many lines of a map's difference are fetched, of either side."""

Kind = Literal["cf", "map", "aliases", "makefile", "fault"]


@dataclass(frozen=True, slots=True)
class Derived:
    """A file that is not what its source makes.

    `path` is the file that Sendmail reads, `source` what it is made of. `due`: the next rebuild makes it anew,
    whatever else it is for. `difference` is a unified diff, from the file as it stands to what the source makes; of
    a "fault" it is what m4 or makemap said of the source.
    """

    kind: Kind
    path: str
    source: str
    due: bool
    difference: str


def look_script(facts: HostFacts) -> str:
    """Return the POSIX sh text that prints what `parse` reads: nothing where every file is what its source makes.

    It ends with another status than 0, and says why, where that cannot be told.
    """
    mark = f"migrate-derived-{secrets.token_hex(16)}"
    prefix = f"-D_CF_DIR_={WAYS[facts.family].cf_folder}/ {WAYS[facts.family].cf_folder}/m4/cf.m4"
    return _SCRIPT.replace("@MARK@", mark).replace("@PREFIX@", prefix).replace("@MOST@", str(MOST))


def parse(output: str) -> tuple[Derived, ...]:
    """Given what the script printed, return the files that are not what their sources make.

    What stands before the first mark (a talkative login shell) is passed over.
    """
    found = []
    texts: dict[str, list[str]] = {}
    for head, body in _parts(output):
        word, due, path, source = head
        if word in ("stands", "made"):
            texts[word] = body
        elif word in ("cf", "map", "aliases", "makefile", "fault"):
            difference = body if word == "fault" else _difference(path, texts)
            found.append(Derived(word, path, source, due == "due", "\n".join(difference)))  # type: ignore[arg-type]
            texts = {}
    return tuple(found)


def _parts(output: str) -> list[tuple[list[str], list[str]]]:
    """Return each record: the four words of its head, and its lines."""
    begin = re.search(r"^(migrate-derived-[0-9a-f]{32}) ", output, re.MULTILINE)
    if begin is None:
        return []
    parts: list[tuple[list[str], list[str]]] = []
    for line in output[begin.start() :].split("\n"):
        if line.startswith(f"{begin[1]} "):
            words = line.split(" ", 4)[1:]
            parts.append((words + [""] * (4 - len(words)), []))
        elif parts:
            parts[-1][1].append(line)
    # A mark ends the line before it, so the last line of each body is empty.
    return [(head, body[:-1] if body and not body[-1] else body) for head, body in parts]


def _difference(path: str, texts: dict[str, list[str]]) -> Sequence[str]:
    stands, made = texts.get("stands", []), texts.get("made", [])
    lines = difflib.unified_diff(stands, made, path, f"{path} as its source makes it", lineterm="", n=1)
    return list(lines)


_SCRIPT = r"""(
set +e
cd /etc/mail || exit 1
work=$(mktemp -d "${TMPDIR:-/tmp}/migrate-derived.XXXXXXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
record() { printf '\n%s %s %s %s %s\n' @MARK@ "$1" "$2" "$3" "$4"; } # word, due or later, path, source
due() { # source file
    if [ ! -e "$1" ]; then
        # Debian's make creates an empty source where there is none.
        if grep -q "^$1:" Makefile 2>/dev/null; then echo due; else echo later; fi
    elif [ ! -e "$2" ] || [ -n "$(find -L "$1" -newer "$2")" ]; then echo due
    else echo later
    fi
}
# Lines as Sendmail takes them: one that begins with a blank goes on with the one before, also with a comment.
bare() {
    awk '$0 == "" { comment = 0; next }
        /^[ \t]/ { if (!comment && $0 !~ /^[ \t]*$/) print; next }
        /^#/ { comment = 1; next }
        { comment = 0 }
        /^DZ/ { next }
        { print }' "$1"
}
faulty() { # path source; what was said stands in errors
    record fault due "$1" "$2"
    head -n 20 "$work/errors"
}
of_cf() { # name due
    if [ ! -e "$1.mc" ] || [ ! -e "$1.cf" ] || ! command -v m4 >/dev/null 2>&1; then return 0; fi
    prefix='@PREFIX@'
    if grep -q '^[^#]*include(.*cf\.m4' "$1.mc"; then prefix=; fi
    # The words of the prefix are several arguments.
    # shellcheck disable=SC2086
    if ! m4 $prefix "$1.mc" >"$work/m4" 2>"$work/errors" || grep -q '\*\*\* ERROR' "$work/errors"; then
        faulty "/etc/mail/$1.cf" "/etc/mail/$1.mc"
        return 0
    fi
    bare "$1.cf" >"$work/stands" && bare "$work/m4" >"$work/made" || exit 1
    compared cf "$2" "/etc/mail/$1.cf" "/etc/mail/$1.mc"
}
compared() { # kind due path source; both texts stand in files
    if cmp -s "$work/stands" "$work/made"; then return 0; fi
    record stands - - -
    cat "$work/stands"
    record made - - -
    cat "$work/made"
    record "$1" "$2" "$3" "$4"
}
dumped() { # type map; its entries, in one order
    if [ ! -e "$2.db" ]; then return 0; fi
    makemap -u "$1" "$2" >"$work/dump" 2>"$work/errors" && LC_ALL=C sort "$work/dump"
}
few() { # of two sorted lists, what the other one lacks
    LC_ALL=C comm -23 "$work/all.stands" "$work/all.made" | head -n @MOST@ >"$work/stands"
    LC_ALL=C comm -13 "$work/all.stands" "$work/all.made" | head -n @MOST@ >"$work/made"
}
of_map() { # kind type source; what the source makes stands at new, where there is one
    if dumped "$2" "$3" >"$work/all.stands" && dumped "$2" "$work/new" >"$work/all.made"; then
        few
        compared "$1" "$(due "$3" "$3.db")" "$3.db" "$3"
    else
        faulty "$3.db" "$3"
    fi
}
# Debian's make writes its own Makefile anew where sendmail.mc is younger. It may be a pass behind, so that only
# lines count which stand in it alone.
if [ -x /usr/share/sendmail/update_mk ] && [ -f Makefile ] && [ -f databases ] &&
    /usr/share/sendmail/update_mk -o "$work/Makefile" -i /etc/mail/databases >/dev/null 2>&1 && [ -s "$work/Makefile" ]
then
    grep -v '^#' Makefile | sort -u >"$work/all.stands"
    sed "s|$work/Makefile|/etc/mail/Makefile|g" "$work/Makefile" | grep -v '^#' | sort -u >"$work/all.made"
    comm -23 "$work/all.stands" "$work/all.made" | head -n @MOST@ >"$work/stands"
    : >"$work/made"
    compared makefile later /etc/mail/Makefile /etc/mail/databases
fi
of_cf sendmail due
of_cf submit "$(due submit.mc submit.cf)"
command -v makemap >/dev/null 2>&1 || exit 0
sed -n 's/^K[^ ]* *\(hash\|btree\|dbm\|cdb\) \(.* \)\{0,1\}\(\/[^ ]*\)$/\1 \3/p' sendmail.cf | sort -u >"$work/maps"
while read -r type map; do
    map=${map%.db}
    if [ ! -f "$map" ] && [ ! -e "$map.db" ]; then continue; fi
    rm -f "$work/new" "$work/new.db"
    if [ -f "$map" ] && ! makemap "$type" "$work/new" <"$map" 2>"$work/errors" >&2; then
        faulty "$map.db" "$map"
    else
        of_map map "$type" "$map"
    fi
done <"$work/maps"
# A table that no map is made of: what is left in it would count from the moment on at which its feature is switched on.
for name in access mailertable; do
    if [ ! -f "$name" ] || grep -q "^K$name " sendmail.cf; then continue; fi
    : >"$work/stands"
    grep -v -e '^#' -e '^[[:space:]]*$' "$name" | head -n @MOST@ >"$work/made"
    compared map later "/etc/mail/$name.db" "/etc/mail/$name"
done
sed -n 's/^O *AliasFile *= *//p' sendmail.cf | tr ',' '\n' | sed 's/^[ \t]*//; s/[ \t]*$//' |
    sed -n 's/^\(\(hash\|btree\|dbm\|cdb\):\)\{0,1\}\(.* \)\{0,1\}\(\/[^ :]*\)$/\2 \4/p' | sort -u >"$work/lists"
while read -r one two; do
    type=$one map=$two
    if [ -z "$two" ]; then type=hash map=$one; fi
    if [ ! -f "$map" ] || [ ! -e "$map.db" ]; then continue; fi
    rm -f "$work/new" "$work/new.db"
    cat "$map" >"$work/new" || exit 1
    sendmail -bi -OAliasFile="$type:$work/new" -OLogLevel=0 </dev/null >"$work/errors" 2>&1
    if [ -e "$work/new.db" ]; then
        of_map aliases "$type" "$map"
    else
        faulty "$map.db" "$map"
    fi
done <"$work/lists"
exit 0
)
"""
