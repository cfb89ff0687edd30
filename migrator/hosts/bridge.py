"""Shell text that keeps port 25 answering while the daemon behind it starts anew.

A daemon that reloads closes its socket and opens it again: for some milliseconds (measured: 6 to 9), or for as long as
a service restart takes, connections are refused. A second daemon with the new configuration, on a port of its own,
takes new connections meanwhile; netfilter leads them there. What it took it serves to the end.
"""

from __future__ import annotations

PREFIX = "migrate-bridge"
"""How the second daemon begins its title (option ProcessTitlePrefix), so that nobody takes it for the real one."""

_PORTS = (10025, 10026, 10027)

_SWEEP = r"""bridge_rule() { # -I or -D, nat or filter, port
    case $2 in
        nat) iptables -w 10 -t nat "$1" PREROUTING -p tcp -m addrtype --dst-type LOCAL --dport 25 --syn \
            -j REDIRECT --to-ports "$3" ;;
        # As runs of before set it: what was only passing through was led here as well.
        old) iptables -w 10 -t nat "$1" PREROUTING -p tcp --dport 25 --syn -j REDIRECT --to-ports "$3" ;;
        *) iptables -w 10 "$1" INPUT -p tcp --dport "$3" -m conntrack --ctstate DNAT -j ACCEPT ;;
    esac 2>/dev/null
}
bridge_unlead() { # port: the rules alone, those of nat first
    for table in nat old filter; do
        while bridge_rule -D $table "$1"; do :; done
    done
}
bridge_daemons() { # prints the process ids of second daemons, also of one that has no title yet
    for process in /proc/[0-9]*; do
        title=; { read -r title <"$process/cmdline"; } 2>/dev/null || : # without its NULs
        case $title in
            'sendmail: @PREFIX@: accepting '*|'sendmail: @PREFIX@: rejecting '*) ;;
            'sendmail: @PREFIX@: delaying '*|'sendmail: @PREFIX@: deferring '*) ;;
            *sendmail*-bd*-ODaemonPortOptions=Name=bridge,Port=1002*) ;;
            *) continue ;;
        esac
        { while read -r key real rest; do
            if [ "$key" = Uid: ] && [ "$real" = 0 ]; then echo "${process#/proc/}"; fi
        done <"$process/status"; } 2>/dev/null || :
    done
}
bridge_sweep_rules() {
    # The rule of filter is the first that is set and the last that is taken away, and nobody else has one like it.
    command -v iptables >/dev/null 2>&1 || return 0
    case $(iptables -w 10 -S INPUT 2>/dev/null) in *' --ctstate DNAT -j ACCEPT'*) ;; *) return 0 ;; esac
    for number in @PORTS@; do
        if bridge_rule -C filter "$number"; then bridge_unlead "$number"; fi
    done
}
bridge_sweep_daemons() {
    for signal in TERM TERM TERM TERM TERM KILL KILL; do
        left=$(bridge_daemons)
        if [ -z "$left" ]; then return 0; fi
        kill -s $signal $left 2>/dev/null || :
        sleep 1
    done
}
""".replace("@PORTS@", " ".join(map(str, _PORTS))).replace("@PREFIX@", PREFIX)

SWEEP = f"""{_SWEEP}if [ -z "${{bridge_port:-}}" ]; then bridge_sweep_rules; bridge_sweep_daemons; fi
"""
"""The sh text for the head of every script that touches port 25 or the daemon: it takes away what a killed reload has
left, and leaves the bridge of the script that it stands in alone."""

_BRIDGE = r"""bridge_folder=$(mktemp -d) || exit 70
bridge_port=
for number in @PORTS@; do
    if ! grep -qi ":$(printf %04x $number) .* 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null; then
        bridge_port=$number
        break
    fi
done
bridge_up() {
    started=no
    if [ -n "$bridge_port" ] && command -v iptables >/dev/null 2>&1; then
        sendmail -bd -ODaemonPortOptions="Name=bridge,Port=$bridge_port" -OProcessTitlePrefix=@PREFIX@ \
            -OPidFile="$bridge_folder/pid" </dev/null >/dev/null 2>&1 && started=yes
    fi
    bridge_sweep_rules
    if [ $started = no ]; then return 1; fi
    tries=50
    until grep -qi ":$(printf %04x "$bridge_port") .* 0A " /proc/net/tcp; do
        tries=$((tries - 1))
        if [ $tries -le 0 ]; then return 1; fi
        sleep 0.2
    done
    bridge_rule -I filter "$bridge_port" && bridge_rule -I nat "$bridge_port"
}
bridge_down() { # the rules first: from then on new connections reach the real daemon again
    if [ -z "$bridge_port" ]; then return 0; fi
    for table in nat filter; do
        while bridge_rule -D $table "$bridge_port"; do :; done
    done
    number=$(head -n 1 "$bridge_folder/pid" 2>/dev/null)
    case $number in
        ''|*[!0-9]*) ;;
        *) case $(tr '\000' ' ' 2>/dev/null <"/proc/$number/cmdline") in
            *@PREFIX@*) kill -s TERM "$number" 2>/dev/null ;;
        esac ;;
    esac
    rm -rf "$bridge_folder"
}
trap bridge_down EXIT
if ! bridge_up; then
    echo 'no second daemon could take new connections meanwhile: for some milliseconds they are refused' >&2
    bridge_down
fi
"""


def bridged(reload: str) -> str:
    """Given the script that reloads the daemon of an open port, return it with new connections answered throughout.

    The port must be open: connections are led past a rule that closes it. Only those to the host itself are led, not
    what it forwards. Where no second daemon can be started or netfilter has no such rules, the reload happens all the
    same. IPv4 alone is bridged.
    """
    script = _BRIDGE.replace("@PORTS@", " ".join(map(str, _PORTS))).replace("@PREFIX@", PREFIX)
    return f"(\nset +e\n{_SWEEP}bridge_sweep_daemons\n{script}{reload})\n"
