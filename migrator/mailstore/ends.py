"""Large mailboxes that only grew: their new ends are brought and appended, so that what is long needs no writing anew.

rsync makes a changed file anew beside the old one, which for an mbox of gigabytes takes longer than all else while mail
waits. So where large files are wanted, their ends are fetched first, beyond what stands here, and appended in place.
Whether a file did only grow is not taken for granted: the pass compares the contents of all wanted names afterwards,
and what was more than an end is brought whole. Until then an appended file bears the time 0, as what rsync had to leave
unfinished does, and a list tells what was appended where a pass was killed in the middle of it.
"""

from __future__ import annotations

LARGE = 1024 * 1024
"""Bytes from which on a file's end is fetched by itself."""

WORTH = 32 * 1024 * 1024
"""Bytes that such files have together where it is worth a transfer of its own, of some hundredths of a second."""

OURS = r"""ends_ours() { # size before, name, folder of ends
    ends_is=$(find "$2" -maxdepth 0 -type f -printf %s 2>/dev/null)
    ends_may=$(find "$3/at/$2" -maxdepth 0 -type f -printf %s 2>/dev/null)
    [ "${ends_is:-0}" -gt "$1" ] && [ "$ends_is" -le "${ends_may:-0}" ] &&
        cmp -s -i "$1" -n "$((ends_is - $1))" -- "$2" "$3/at/$2"
}
"""
"""sh text, run in a tree's folder, that tells whether what came to a file is a part of the end that a pass appended."""

# Given `state`, `number`, `work`, `target`, `enter_tree`, and `copy_ends FOLDER`, which appends the ends of the names
# on standard input to what stands in a folder. `each_end DO` does something for each of the list, in its folder; only
# where that really is the one that was meant, as remove_each does it.
FUNCTIONS = OURS + (
    r"""each_end() {
    (
        enter_tree "$target" || exit 1
        ends_root=$(pwd -P; echo .) ends_root=${ends_root%??}
        while IFS= read -r line; do
            ends_size=${line%% *} ends_path=${line#* }
            ends_at=${ends_path%/*} ends_at=${ends_at#.}
            cd -P -- "$ends_root$ends_at" 2>/dev/null && [ "$(pwd -P; echo .)" = "$ends_root$ends_at
." ] || continue
            "$@" || exit 1
        done <"$ends/list"
    )
}
append_end() { # a file that was replaced meanwhile by a link or by another name of something is let alone
    ends_name=./${ends_path##*/}
    [ "$(find "$ends_name" -maxdepth 0 -type f -links 1 -printf %s 2>/dev/null)" = "$ends_size" ] || return 0
    [ "$(stat -c %s -- "$ends/at/$ends_path")" -gt "$ends_size" ] || return 0
    dd if="$ends/at/$ends_path" of="$ends_name" bs=1M skip="$ends_size" iflag=skip_bytes oflag=append,nofollow \
        conv=notrunc,nocreat 2>"$work/said" || { cat "$work/said" >&2; return 1; }
    unfinished "$ends_name"
}
settle_end() {
    ends_name=./${ends_path##*/}
    if (cd "$ends_root" && ends_ours "$ends_size" "$ends_path" "$ends"); then unfinished "$ends_name"; fi
}
unfinished() { touch -h -c -m -d @0 -- "$1"; }
ends_settled() { # what a pass appended that was killed gets the time of what is unfinished
    ends=$state/ends-$number
    if [ -s "$ends/list" ]; then each_end settle_end || exit 1; fi
    ends_done
}
ends_done() { rm -rf "$ends"; }
ends_grown() { # of the names that are wanted: whether ends were appended, so that contents are to be compared
    (umask 077 && mkdir -p "$ends/at") || return 1
    (enter_tree "$target" && ends_large) <"$work/wanted" >"$ends/coming" &&
        [ "$(awk '{ all += $1 } END { printf "%.0f", all }' "$ends/coming")" -ge @WORTH@ ] &&
        ends_stand && sed 's/^[^ ]* //' "$ends/coming" | tr '\n' '\000' | copy_ends "$ends/at" >"$work/printed" \
            2>"$work/said" && mv "$ends/coming" "$ends/list" && each_end append_end && return
    # What could not be brought so is brought whole, and then it is said why not.
    ends_settled
    return 1
}
ends_large() { # a name with a newline in it is not worth the trouble
    xargs -0 -r sh -c 'exec find "$@" -maxdepth 0 -type f -links 1 -size +@BLOCKS@ ! -path "*
*" ! -path "*/../*" -printf "%s %p\n"' sh 2>/dev/null || :
}
ends_stand() { # holes of their lengths, which take no room, stand in for the files
    while IFS= read -r line; do
        ends_path=$ends/at/${line#* }
        (umask 077 && mkdir -p "${ends_path%/*}" && truncate -s "${line%% *}" "$ends_path") || return 1
    done <"$ends/coming"
}
""".replace("@WORTH@", str(WORTH)).replace("@BLOCKS@", str(LARGE // 512 - 1))
)
