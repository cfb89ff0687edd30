"""What came for many trees, laid into them by one local rsync, and compared with them by one.

It goes from the root folder along the whole path of each tree, so this is for trees that root alone can put elsewhere:
no folder above theirs belongs to a user, and nothing on the way is a link. Inside a tree every folder above a name is
named as well: a link that a user has put there becomes a folder again, as in an rsync of that tree by itself.
"""

from __future__ import annotations

from migrator.mailstore.copying_script import MOST
from migrator.mailstore.staged import FEW

# Given `work`, `state`, `staged`, `attributes`, `tree_user`, the file `came.trees` and the lists in `came`; and
# `copy_laid` and `check_laid`, rsyncs of the names on standard input from the folder `laid` to the root folder.
FUNCTIONS = r"""laid=$state/laid
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
    [ "$(wc -l <"$work/rooted")" -gt @FEW@ ] || : >"$work/rooted"
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
    awk -v most=@MOST@ '
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
""".replace("@FEW@", str(FEW)).replace("@MOST@", str(MOST))
