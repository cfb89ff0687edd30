"""What changed in many trees, brought at once: small files come by one rsync, and are laid into their trees from there.

An rsync for each tree costs a session between the hosts and some ten processes, so a hundred changes in as many trees
would take many times what they take in one. Instead the old host's folder of links to the trees is one source; what
comes stands in a folder of root's, and local rsyncs lay it into the trees (see laying). What is large goes to its tree
by an rsync of its own, which sends no more than what differs. The proof goes the same way: what came is compared with
the old host by one rsync, and with the trees by local ones; what cannot be proved so is compared by the tree's own.
"""

from __future__ import annotations

LARGE = "1m"
"""From which size on a file goes by itself (rsync(1), --max-size)."""

FEW = 4
"""Of so many trees nothing is brought at once: their own rsyncs are as quick."""

MOST = 5_000
"""Names that are brought at once, at most: so much is kept twice on the new host, and so long is one argument."""

# Given `work`, `state`, `attributes`, `fetched`; lists of names for each tree, and one of the trees, as `parted` makes
# them; `each_tree`; `rsync_of_tree`; `differing`, which prints what was found of trees. `copy_staged` and
# `prove_staged` are rsyncs of the names on standard input from the folder of all trees, of which `numbers` tells those
# that are meant, into `staged` or against it.
FUNCTIONS = r"""staged=$state/staged
many_parted() { [ "$(wc -l <"$work/parted")" -gt @FEW@ ] && [ "$fetched" -le @MOST@ ]; }
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
""".replace("@FEW@", str(FEW)).replace("@MOST@", str(MOST))
