"""The first copy of a tree by several rsyncs at once, as many as the hosts and the line reward.

All is sh text for the new host. The parts are what stands in the tree's folder itself, largest first, so that one big
mailbox does not come last. One stream begins; another one joins as long as that makes the whole quicker. Where one
processor, one part or one stream is all there is, it is one rsync. Hard links from one part to another are made by the
next pass over the whole tree.
"""

from __future__ import annotations

SAMPLE = 3
"""How long the speed is measured before another stream is tried, and with it, in seconds."""

REWARD = 0.9
"""By which factor the whole has to become quicker for a stream to stay: one that does no harm may do good later."""

SMALLEST = 64 * 1024 * 1024
"""What a part has at least, in bytes, if there is more: each costs the start of an rsync."""

MOST_PARTS = 24

LOOKS = 5
"""How often in a second it is looked whether all have ended."""

# Sorted by size. A name is escaped where rsync would take it for a pattern (rsync(1), INCLUDE/EXCLUDE PATTERN RULES).
# Names travel without newlines (\001 in their place), so that every awk can read them.
_SPLIT = r"""
{ size[NR] = $1 + 0; all += size[NR]; sub(/^[0-9]+\t\.\//, ""); name[NR] = $0 }
END {
    want = all / most
    if (want < smallest) want = smallest
    for (i = 1; i <= NR; i++) {
        if (have == 0) parts += 1
        if (name[i] ~ /[*?[]/) gsub(/[*?[\\]/, "\\\\&", name[i])
        printf "/%s\n", name[i] >(folder "/part-" sprintf("%03d", parts))
        have += size[i]
        if (have >= want) have = 0
    }
    printf "%d %.0f\n", parts, all
}
"""

_FUNCTIONS = r"""streams_split() { # prints how many parts there are, and how many bytes
    sizes_there >"$streams/sizes" && [ -s "$streams/sizes" ] || return 1
    tr '\n\000' '\001\n' <"$streams/sizes" | sort -rn >"$streams/sorted" &&
        awk -v folder="$streams" -v most=@MOST_PARTS@ -v smallest=@SMALLEST@ "$streams_awk" "$streams/sorted"
}
streams_allowed() { # most: how many streams the processors of both hosts bear
    here=$(getconf _NPROCESSORS_ONLN) && there=$(able_there | sed -n '1s/.* //p') || return 1
    case $there in ''|*[!0-9]*) return 1 ;; esac
    if [ "$there" -lt "$here" ]; then here=$there; fi
    # What writes the files on the new host keeps one processor busy.
    if [ "$1" = auto ] || [ "$1" -gt "$here" ]; then echo "$here"; else echo "$1"; fi
}
streams_worker() { # copy number options
    worker=$1
    number_of_worker=$2
    shift 2
    for part in "$streams"/part-???; do
        if [ -e "$streams/enough-$number_of_worker" ]; then break; fi
        mkdir "$part.taken" 2>/dev/null || continue
        tr '\n\001' '\000\n' <"$part" >"$part.names"
        "$worker" "$@" --from0 --include-from="$part.names" --exclude='/*' >"$part.out" 2>"$part.said"
        echo $? >"$part.status"
        # Of a part that has ended its figures are left.
        tail -c 4000 "$part.out" >"$part.end" && mv "$part.end" "$part.out"
    done
}
streams_bytes() { # what was copied until now: of each part the last that its rsync told
    tail -v -c 1500 "$streams"/part-???.out 2>/dev/null | tr '\r' '\n' | awk '
        /^==> / { done += last; last = 0 }
        /^ *[0-9][0-9.,]* +[0-9]+%/ { gsub(/[,.]/, "", $1); if ($1 + 0 > last) last = $1 + 0 }
        END { printf "%.0f\n", done + last }'
}
streams_told() { # what rsync itself would tell: bytes, share, bytes a second, time to go
    awk -v bytes="$1" -v rate="$2" -v all="$bytes_there" 'BEGIN {
        if (all < bytes) all = bytes
        left = rate > 0 ? int((all - bytes) / rate) : 0
        share = all > 0 ? 100 * bytes / all : 100
        printf "%.0f %d%% %.2fMB/s %d:%02d:%02d\n", bytes, share, rate / 1000000, left / 3600, left % 3600 / 60,
            left % 60
    }'
}
streams_watch() { # most, options: adds streams while it is worth it, and returns when all have ended
    most=$1
    shift
    running=1
    best=0
    since=0
    before=0
    at=0
    settled=0
    streams_worker copy_all 1 "$@" &
    workers=$!
    ticks=0
    while :; do
        alive=0
        for worker in $workers; do
            if kill -0 "$worker" 2>/dev/null; then alive=1; fi
        done
        if [ $alive -eq 0 ]; then break; fi
        sleep @PAUSE@
        ticks=$((ticks + 1))
        if [ $((ticks % @LOOKS@)) -ne 0 ]; then continue; fi
        at=$((at + 1))
        now_copied=$(streams_bytes)
        streams_told "$now_copied" "$((now_copied / at))"
        if [ $settled -eq 1 ] || [ $((at - since)) -lt @SAMPLE@ ]; then continue; fi
        rate=$(((now_copied - before) / (at - since)))
        since=$at
        before=$now_copied
        if [ $running -gt 1 ] && [ $((rate * 100)) -lt $((best * @REWARD@)) ]; then
            : >"$streams/enough-$running"
            settled=1
        elif [ $running -ge "$most" ]; then
            settled=1
        else
            best=$rate
            running=$((running + 1))
            streams_worker copy_beside $running "$@" &
            workers="$workers $!"
        fi
    done
    wait $workers
}
streams_figures() { # the statistics of several rsyncs, as those of one
    tr '\r' '\n' | awk '
        /^(Number of|Total) [a-z ()]+: [0-9]/ {
            name = $0; sub(/:.*/, "", name)
            value = $0; sub(/^[^:]*: /, "", value); sub(/ .*/, "", value); gsub(/[,.]/, "", value)
            if (!(name in sum)) order[++count] = name
            sum[name] += value
        }
        /^Literal data: / { value = $3; gsub(/[,.]/, "", value); literal += value }
        END {
            for (i = 1; i <= count; i++) printf "%s: %.0f\n", order[i], sum[order[i]]
            printf "Literal data: %.0f bytes\n", literal
        }'
}
streams_summed() { # the statistics of all parts as those of one, and the worst exit status
    cat "$streams"/part-???.said >&2
    cat "$streams"/part-???.out >"$streams/all"
    streams_figures <"$streams/all"
    worst=0
    for part in "$streams"/part-???; do
        status=$(cat "$part.status" 2>/dev/null)
        # One that vanished meanwhile counts less than any other trouble.
        case ${status:-20} in
            0) ;;
            24) if [ $worst -eq 0 ]; then worst=24; fi ;;
            *) worst=${status:-20} ;;
        esac
    done
    return $worst
}
copy_streams() { # most, options
    most=$1
    shift
    streams=$work/streams
    rm -rf "$streams"
    mkdir -p "$streams" || return 1
    if [ "$most" != 1 ] && most=$(streams_allowed "$most") && [ "$most" -gt 1 ] && split=$(streams_split) &&
        [ "${split%% *}" -gt 1 ]; then
        bytes_there=${split#* }
        streams_watch "$most" "$@"
        streams_summed
    else
        copy_all "$@"
    fi
}
"""


def functions() -> str:
    """Return sh text that defines `copy_streams MOST OPTION…`: the copy of a whole tree by at most so many streams.

    MOST is a number, or `auto`: as many as the host has processors that has fewer.

    The script has defined `copy_all OPTION…`, one rsync over the whole tree that tells --info=progress2 and --stats,
    `copy_beside`, the same with a connection of its own, `sizes_there`, which prints what the old host says to
    access.SIZES, `able_there`, what it says to access.LOAD; `work` is a folder of its own. It prints lines as rsync
    would, progress not more than once a second and statistics of all parts together, and returns what rsync would.
    """
    text = _FUNCTIONS.replace("@MOST_PARTS@", str(MOST_PARTS)).replace("@SMALLEST@", str(SMALLEST))
    text = text.replace("@SAMPLE@", str(SAMPLE)).replace("@REWARD@", str(round(100 * REWARD)))
    text = text.replace("@LOOKS@", str(LOOKS)).replace("@PAUSE@", f"{1 / LOOKS:.1f}")
    return f"streams_awk='{_SPLIT}'\n{text}"
