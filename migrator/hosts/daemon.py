"""Shell text that starts, stops and reloads Sendmail's daemon, and believes only what then runs.

A service script may say that it did what it did not (Debian's start-stop-daemon where it may not read
/proc/PID/exe; a stale pid file). What counts is the process that listens: it is found by the title it gives itself
(sm_setproctitle in daemon.c, srvrsmtp.c and queue.c), which everyone may read, and by the socket of port 25.
"""

from __future__ import annotations

from collections.abc import Sequence

from migrator.hosts.bridge import SWEEP
from migrator.hosts.facts import HostFacts
from migrator.hosts.families import service

RELOAD_WAIT = 15
"""How long a daemon may take to follow a HUP, in seconds."""

CALM_WAIT = 30
"""How long a HUP waits for a queue run of the daemon's own to end, in seconds; one over a long queue takes hours."""

START_WAIT = 90
"""How long a daemon may take to listen, in seconds: with an unqualified host name Sendmail waits 60 s itself."""

GONE_WAIT = 5
"""How long no Sendmail may be starting, in seconds, before it counts as ended: it found fault with something."""

RELOAD_SHOWN = "kill -HUP PID of the process that listens, and see that a new one does: the port stays open"
START_SHOWN = "service sendmail start, and see that it listens"
STOP_SHOWN = "service sendmail stop, and see that nothing listens"
"""What a person would do in place of these scripts."""

_FUNCTIONS = (
    r"""mta_program=$(command -v sendmail)
mta() { # prints KIND PID STARTTIME SESSION TITLE of each process of the MTA; times in ticks since boot
    run_as=$(sed -n 's/^O RunAsUser=\([^:]*\).*/\1/p' /etc/mail/sendmail.cf 2>/dev/null | head -n 1)
    run_as=$(id -u "${run_as:-root}" 2>/dev/null)
    # Without a process of its own for any of them: a busy host has hundreds, and is looked at many times.
    for process in /proc/[0-9]*; do
        stat=; { read -r stat <"$process/stat"; } 2>/dev/null || continue
        # The name is cut off where it is long, and another one where it was started by a link; CentOS 6 has no comm.
        case $stat in
            *'(sendmail'*) ;;
            *) if [ -z "$mta_program" ] || [ ! "$process/exe" -ef "$mta_program" ]; then continue; fi ;;
        esac
        user=
        { while read -r key real rest; do
            if [ "$key" = Uid: ]; then user=$real; break; fi
        done <"$process/status"; } 2>/dev/null
        if [ "$user" != 0 ] && [ "$user" != "$run_as" ]; then continue; fi
        title=; { read -r title <"$process/cmdline"; } 2>/dev/null # without its NULs
        case $title in ''|'sendmail: migrate-bridge: accepting '*) continue ;; esac
        for folder in /var/spool/mqueue-client /var/spool/clientmqueue; do # what works there hands mail to the daemon
            if [ "$process/cwd" -ef "$folder" ]; then continue 2; fi
        done
        kind_of "$title"
        case $kind,$title in
            runner,*/mqueue-client*|runner,*/clientmqueue*) continue ;;
            queue,*'running queue: '*/mqueue-client*|queue,*'running queue: '*/clientmqueue*) continue ;;
        esac
        set -- ${stat##*) }
        printf '%s %s %s %s %s\n' "$kind" "${process#/proc/}" "${20}" "$4" "$title"
    done
}
kind_of() { # sets kind, by the start of the title only: what a client says stands further behind
    kind=other
    what=${1#sendmail: }
    if [ "$what" = "$1" ]; then return; fi
    case ${what%% *} in *:) what=${what#* } ;; esac
    case $what in
        'accepting connections'*|'rejecting connections on daemon '*|'rejecting new messages: '*) kind=listener ;;
        'delaying connections on daemon '*|'deferring connections on daemon '*) kind=listener ;;
        'Queue runner@'*|'Queue control'*) kind=runner ;;
        'running queue: '*) kind=queue ;;
        'server '*' cmd read '*|'server '*' startup '*|'server '*' cmd read'|'server '*' startup') kind=idle ;;
        *) case ${what%% *} in */*) kind=queue ;; esac ;;
    esac
}
listening() { # prints PID.STARTTIME of each process that takes connections
    mta | while read -r kind pid start session title; do
        if [ "$kind" = listener ]; then echo "$pid.$start"; fi
    done
}
queue_runs() { # whether a daemon that listens runs its queue: its own child does, which a HUP to the daemon ends
    parents=" $(echo $(listening)) "
    mta | {
        while read -r kind pid start session title; do
            if [ "$kind" != queue ]; then continue; fi
            stat=; { read -r stat <"/proc/$pid/stat"; } 2>/dev/null || continue
            set -- ${stat##*) }
            case $parents in *" $2."*) exit 0 ;; esac
        done
        exit 1
    }
}
runners() { # prints PID.STARTTIME of each process that does nothing but run the queue, again and again
    mta | while read -r kind pid start session title; do
        if [ "$kind" = runner ]; then echo "$pid.$start"; fi
    done
}
runners_left() { # of those given
    for one in $(runners); do case " $* " in *" $one "*) return 0 ;; esac; done
    return 1
}
runners_busy() { # whether one of those given has a child that delivers: a HUP would end it in the middle
    parents=" $* "
    mta | {
        while read -r kind pid start session title; do
            if [ "$kind" != queue ]; then continue; fi
            case $title in *'running queue: '*) continue ;; esac
            stat=; { read -r stat <"/proc/$pid/stat"; } 2>/dev/null || continue
            set -- ${stat##*) }
            case $parents in *" $2."*|*" $4."*) exit 0 ;; esac
        done
        exit 1
    }
}
renew_runners() { # PID.STARTTIME of each; fails where one of them goes on as it was
    if ! runners_left "$@"; then return 0; fi
    tries=$((@CALM@ * 5))
    while [ $tries -gt 0 ] && runners_busy "$@"; do tries=$((tries - 1)); sleep 0.2; done
    old_titles=$(mta | while read -r kind pid start session title; do
        case " $* " in *" $pid.$start "*) echo "$title" ;; esac
    done)
    for one in $(runners); do
        case " $* " in *" $one "*) kill -s HUP "${one%.*}" 2>/dev/null ;; esac
    done
    tries=$((@RELOAD@ * 5))
    while runners_left "$@"; do
        tries=$((tries - 1))
        if [ $tries -le 0 ]; then
            echo "runners of the queue go on with the configuration of before: PID $*" >&2
            return 1
        fi
        sleep 0.2
    done
    # One that was started without its whole path ends at a HUP ("could not restart: need full path", main.c).
    printf '%s\n' "$old_titles" | while IFS= read -r wanted; do
        tries=15
        until runner_called "$wanted"; do
            tries=$((tries - 1))
            if [ $tries -le 0 ]; then start_runner "$wanted" </dev/null >/dev/null 2>&1; break; fi
            sleep 0.2
        done
    done
}
runner_called() { # title
    mta | {
        while read -r kind pid start session title; do
            if [ "$kind" = runner ] && [ "$title" = "$1" ]; then exit 0; fi
        done
        exit 1
    }
}
start_runner() { # title: as it says, every so often or permanently
    case $1 in *'Queue control'*) "$mta_program" -qp; return ;; esac
    interval=${1#*Queue runner@}; interval=${interval%% *}; days=0
    case $interval in *+*) days=${interval%%+*}; interval=${interval#*+} ;; esac
    case $days:$interval in *[!0-9:]*) return 1 ;; esac
    seconds=${interval##*:}; hours=${interval%%:*}; minutes=${interval#*:}; minutes=${minutes%%:*}
    "$mta_program" "-q${days}d${hours}h${minutes}m${seconds}s"
}
calm() { # seconds at most
    tries=$(($1 * 5))
    while [ $tries -gt 0 ] && queue_runs; do tries=$((tries - 1)); sleep 0.2; done
}
sockets() { # prints the inodes that listen on port 25 (0019 in hexadecimal)
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | while read -r number local remote state queues timer retries user \
        timeout inode rest; do
        case $local,$state in *:0019,0A) echo "$inode" ;; esac
    done
}
starting() { # whether a Sendmail runs that has given itself no title yet, as one does that is not ready
    mta | {
        while read -r kind pid start session title; do
            case $title in 'sendmail: '*) ;; *) exit 0 ;; esac
        done
        exit 1
    }
}
alive() { # fails once neither a listener nor a starting Sendmail was seen for a while
    if [ -n "$(listening)" ] || starting; then gone=0; else gone=$((${gone:-0} + 1)); fi
    [ $gone -le $((@GONE@ * 5)) ]
}
rejecting() { # prints the title of a daemon that has closed its port by itself, as it does past RefuseLA (daemon.c)
    mta | while read -r kind pid start session title; do
        case $kind,$title in listener,*'rejecting connections on daemon '*) echo "$title" ;; esac
    done | head -n 1
}
seen() { # what runs, for the words with which a wait ends
    titles=$(mta | while read -r kind pid start session title; do printf '%s (%s); ' "$pid" "$title"; done)
    echo "seen: ${titles:-no Sendmail}"
}
wait_for_listener() { # seconds; one that rejects connections for the load is a listener to come
    tries=$(($1 * 5))
    gone=0
    while [ -z "$(listening)" ] || [ -z "$(sockets)" ]; do
        if [ -n "$(rejecting)" ]; then
            echo "Sendmail runs, and keeps its port closed until the load falls: $(rejecting)" >&2
            return 0
        fi
        tries=$((tries - 1))
        if [ $tries -le 0 ] || ! alive; then return 1; fi
        sleep 0.2
    done
}
""".replace("@GONE@", str(GONE_WAIT))
    .replace("@CALM@", str(CALM_WAIT))
    .replace("@RELOAD@", str(RELOAD_WAIT))
)

_PROOF = r"""shown() { printf '%s ' $(listening); }
renewed() { # another process, another socket (or none, where the load keeps it closed), and none of before left
    now=$(listening); ports=$(sockets)
    if [ -z "$now" ]; then return 1; fi
    if [ -z "$ports" ] && [ -z "$(rejecting)" ]; then return 1; fi
    for one in $old_listeners; do case " $(echo $now) " in *" $one "*) return 1 ;; esac; done
    for one in $old_sockets; do case " $(echo $ports) " in *" $one "*) return 1 ;; esac; done
}
left() { # whether a process of before still listens
    for one in $(listening); do case " $(echo $old_listeners) " in *" $one "*) return 0 ;; esac; done
    return 1
}
wait_until_renewed() { # seconds while the old daemon is there, seconds once it is gone
    waited=0
    gone=0
    until renewed; do
        waited=$((waited + 1))
        if left; then limit=$1; else limit=$2; fi
        if [ $waited -gt $((limit * 5)) ] || ! alive; then return 1; fi
        sleep 0.2
    done
}
end_old() { # by process id, and only while it is the same process
    for signal in TERM KILL; do
        for one in $old_listeners; do
            case " $(echo $(listening)) " in *" $one "*) kill -s $signal "${one%.*}" 2>/dev/null ;; esac
        done
        tries=25
        while left && [ $tries -gt 0 ]; do tries=$((tries - 1)); sleep 0.2; done
        left || return 0
    done
}
steady() { # systemd may take a reload for the end of the service, and end the new daemon as well
    if [ ! -d /run/systemd/system ]; then return 0; fi
    sleep 2
    renewed
}
tell() {
    # A queue runner of its own is a daemon too, and delivers by the configuration it was started with.
    renew_runners $old_runners
    for one in $(listening); do
        for port in $(sockets); do echo "listener ${one%.*} ${one#*.} $port"; done
    done
    if [ -z "$(sockets)" ]; then
        echo "the new daemon runs, and keeps its port closed until the load falls: $(rejecting)" >&2
    fi
    exit 0
}
"""


_REMAINING = r"""remaining() { # KIND PID of what holds the configuration of before, given the sessions `earlier`
    since=$(listening | sed 's/.*[.]//' | sort -n | head -n 1)
    mta | while read -r kind pid start session title; do
        case $kind in listener|runner) continue ;; esac
        case " $(echo $earlier) " in *" $session "*) echo "$kind $pid"; continue ;; esac
        case $title in
            'sendmail: '*) ;;
            *sendmail-b[tvpPihH]*|*sendmail*" -b"[tvpPihH]*|*newaliases*|*mailq*|*hoststat*) continue ;; # only looks
        esac
        if [ -n "$since" ] && [ "$start" -lt "$since" ]; then echo "$kind $pid"; fi
    done
}
"""


def start(facts: HostFacts) -> str:
    """Return the sh text that starts Sendmail where it does not listen, and fails where none does in time."""
    return f"""(
set +e
{SWEEP}{_FUNCTIONS}if [ -z "$(listening)" ]; then {service(facts, "start")}; fi
wait_for_listener {START_WAIT} && exit 0
echo "Sendmail does not listen on port 25 {START_WAIT} s after its start: see its log; $(seen)" >&2
exit 1
)
"""


def stop(facts: HostFacts) -> str:
    """Return the sh text after which no Sendmail listens or runs the main queue, whatever the service says."""
    return f"""(
set +e
{SWEEP}{_FUNCTIONS}{service(facts, "stop")}
for signal in TERM TERM TERM TERM TERM KILL KILL; do
    running=$(mta | while read -r kind pid start session title; do
        case $kind in listener|runner) echo "$pid" ;; esac
    done)
    if [ -z "$running" ]; then exit 0; fi
    kill -s $signal $running 2>/dev/null
    sleep 1
done
echo "Sendmail still runs after its stop: PID $running" >&2
exit 1
)
"""


def renew_runners(found: Sequence[tuple[int, int]]) -> str:
    """Given runners of the queue, each by process id and start in ticks, return the sh text that restarts them.

    A HUP makes them read everything anew, as it does the daemon. It exits with 1 where one goes on as it was.
    """
    words = " ".join(f"{pid:d}.{started:d}" for pid, started in found)
    return f"(\nset +e\n{_FUNCTIONS}renew_runners {words}\n)\n"


def restart(facts: HostFacts) -> str:
    """Return the sh text that stops and starts Sendmail, with its port closed in between."""
    return stop(facts) + start(facts)


def reload_and_prove(facts: HostFacts) -> str:
    """Return the sh text after which another process listens than before; it prints `listener PID STARTTIME INODE`.

    A HUP makes Sendmail read everything anew with its port open (Installation and Operation Guide, 1.1). Where no
    new process follows, the service is restarted; where that did nothing either, the old daemon is ended by its
    process id and the service started. It exits with 1 and one line where the old one still listens.
    """
    return f"""(
set +e
{SWEEP}{_FUNCTIONS}{_PROOF}old_listeners=$(listening)
old_sockets=$(sockets)
old_runners=$(runners)
if [ -n "$old_listeners" ]; then
    calm {CALM_WAIT}
    for one in $old_listeners; do kill -s HUP "${{one%.*}}"; done
    wait_until_renewed {RELOAD_WAIT} {START_WAIT} && steady && tell
    echo 'no new daemon after a HUP: restarting the service' >&2
    {service(facts, "restart")}
    wait_until_renewed 5 {START_WAIT} && steady && tell
    echo 'the restart left the old daemon, or none: ending it and starting the service' >&2
    end_old
fi
{service(facts, "start")}
wait_until_renewed 5 {START_WAIT} && steady && tell
if left; then echo "old daemon PID $(shown)still listens" >&2
else echo "no daemon listens on port 25 after the restart; $(seen)" >&2
fi
exit 1
)
"""


def reload_and_outlive(facts: HostFacts, *, longest: int) -> str:
    """Return the sh text that reloads as `reload_and_prove` does, and waits until what the old daemon forked is gone.

    A daemon makes a session of its own when it starts or reloads (setsid, main.c `disconnect`), and what it forks
    stays in it. One that reads its input (`sendmail -Am`, `-bs`) is in the session of whoever started it, and has no
    title: it counts where it is older than the daemon that listens now. Idle sessions of clients are ended after ten
    seconds: they hold no message, and connect again. It exits with 1 where something is left after `longest` seconds.

    It waits as long for the new daemon's first queue run, which begins at once. A HUP to the daemon ends that run
    as well (seen with 8.17.1); where a mailbox program is writing just then, the delivery is never noted, and the
    message is delivered again. So whatever reloads next must find the run over.
    """
    return f"""(
set +e
{SWEEP}{_FUNCTIONS}earlier=$(mta | while read -r kind pid start session title; do
    case $kind in listener|runner) echo "$session" ;; esac
done)
{_REMAINING}{reload_and_prove(facts)}
[ $? -eq 0 ] || exit 1
waited=0
while left=$(remaining); [ -n "$left" ]; do
    if [ $waited -ge {longest} ]; then
        echo "processes of before still run (see what they wait for, or kill them): $(echo $left)" >&2
        exit 1
    fi
    if [ $waited -ge 10 ]; then
        printf '%s\\n' "$left" | while read -r kind pid; do
            if [ "$kind" = idle ]; then kill -s TERM "$pid" 2>/dev/null; fi
        done
    fi
    sleep 1
    waited=$((waited + 1))
done
calm {longest}
exit 0
)
"""
