"""Messages that are young: those an earlier pass brought, and that stand as they stood then, are not brought again.

What changed shortly before a note may bear a time that comes again once a clock is set back, so the names of such
messages tell nothing. Their facts do: the file `brought-young` beside the notes holds, in the form of a note's lines,
the messages that were young when a pass that came to its end looked. A message with the same inode, size and times is
the one that the pass brought.
"""

from __future__ import annotations

import shlex


def functions() -> str:
    """Return the sh functions of a look for young messages; they go with notes.functions.

    `look_brought` writes to WORK/brought what is known of messages in the folders of WORK/changed. `look_aged BASE
    BEGUN` makes WORK/coming of WORK/young, for the next look, with what is still young elsewhere.
    """
    return f"look_aging={shlex.quote(_AGING)}\nlook_anew={shlex.quote(_ANEW)}\n{_SH}"


# Prints what is still young of the messages whose folders did not change.
_AGING = r"""
stage == "draft" { if (/^d/) { cut($0); known[path] } next }
stage == "changed" { changed[$0]; next }
{ cut($0); up = parent(path); if (up in known && !(up in changed) && when(facts) >= since) print }
END { if (failed) exit 3 }
"""

# Prints the messages that were written anew, but for those that an earlier pass brought as they are, and for those of
# a folder that changed, which has told its own already.
_ANEW = r"""
stage == "told" { told[$0]; next }
stage == "rewritten" && /^done / { done($2); next }
stage == "rewritten" {
    cut($0)
    if (!(("F " path) in told) && !(("D " parent(path)) in told)) anew[$0] = path
    next
}
$0 in anew { delete anew[$0] }
END { if (failed || !finished["rewritten"]) exit 3; for (each in anew) print "F " anew[each] }
"""

_SH = r"""
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
"""
