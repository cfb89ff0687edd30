"""What the steps that close and open port 25 share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from migrator import host_text
from migrator.change import HostName
from migrator.errors import HostError, Refused, SmtpError, VerifyFailed
from migrator.hosts import boot, reach
from migrator.hosts.bridge import SWEEP
from migrator.mailstore import arrivals
from migrator.net import firewall, timer
from migrator.steps.base import Context
from migrator.steps.common.recipient import recipient_of

REOPEN_SHOWN = "take the rule for port 25 away"


def state_folder(context: Context) -> str:
    """Return the folder of this migration's state on a host; only root writes there."""
    return arrivals.folder(context.plan.name)


def prepared(context: Context, script: str) -> str:
    """Return the script, run with the state folder made first, and ended by the first command that fails."""
    folder = state_folder(context)
    return f"set -e\n(umask 077; mkdir -p {arrivals.STATE} {folder})\n{script}"


def marker(context: Context) -> str:
    """Return the path that the timer of a closed port writes when it has gone off."""
    return f"{state_folder(context)}/port25"


def tool(context: Context, host: HostName) -> firewall.Tool:
    """Return the host's firewall tool. Raises Refused where it has none that works."""
    found = context.facts(host).firewall
    if not found:
        raise Refused(
            "the host has no firewall tool that works",
            host=host,
            expected="nft or iptables that can list its rules",
            advice="install nftables (or iptables) there, and see that `nft list ruleset` works as root",
        )
    return found


def swept(script: str) -> str:
    """Return the script with the sweep before it: a way that a killed reload has left leads past a closed port."""
    return f"(\nset +e\n{SWEEP}:\n)\n{script}"


def close(context: Context, host: HostName, allowed: Sequence[str] = ()) -> str:
    """Return the script that closes a host's port 25, except to `allowed`."""
    return firewall.close_script(tool(context, host), context.plan.name, allowed)


def close_shown(context: Context, host: HostName, allowed: Sequence[str] = ()) -> str:
    """Return what the closing does, for a person."""
    sources = " and ".join(("loopback", *allowed))
    return f"{tool(context, host)}: reject new connections to TCP port 25 with a reset, except from {sources}"


def later_shown(context: Context) -> str:
    """Return what the timer does, for a person."""
    return (
        f"in {int(context.plan.cutover.max_closed.total_seconds())} s, by a timer on the host: {REOPEN_SHOWN}"
    )


def reopen(context: Context, host: HostName) -> str:
    """Return the script that takes the closing away."""
    return firewall.open_script(tool(context, host), context.plan.name)


def reopen_later(context: Context, host: HostName, after: timedelta | None = None) -> str:
    """Return the script that makes the host open its port by itself, after cutover.max_closed or the time given."""
    seconds = max(1, int((after or context.plan.cutover.max_closed).total_seconds()))
    place = marker(context)
    return (
        f"( {timer.forget_script(place)} )\n( {timer.timer_script(seconds, reopen(context, host), place)} )\n"
    )


def no_timer(context: Context) -> str:
    """Return the script that drops the timer and forgets that it went off."""
    place = marker(context)
    return f"( {timer.cancel_script(place)} )\n( {timer.forget_script(place)} )\n"


def state(context: Context, host: HostName) -> firewall.PortState:
    """Measure what the host's firewall does to new connections to port 25."""
    found = context.reader(host).inspect(firewall.state_script(tool(context, host), context.plan.name))
    return firewall.parse_state(found.stdout)


def starts_at_boot(context: Context) -> str:
    """Return by what a boot of the new host starts Sendmail; "": it does not, so the port stays closed."""
    return host_text.stripped(context.new.inspect(boot.starts_script(context.plan.name)).stdout)


def expect(context: Context, host: HostName, wanted: firewall.PortState) -> None:
    """Raise VerifyFailed where the host's firewall does something else than wanted."""
    expect_seen(state(context, host), host, wanted)


def expect_seen(seen: firewall.PortState, host: HostName, wanted: firewall.PortState) -> None:
    """Raise VerifyFailed where the state of a host's port that was measured just now is not the wanted one."""
    if seen != wanted:
        raise VerifyFailed(
            f"port 25 of the {host} host is not as it should be",
            host=host,
            expected=_words(wanted),
            seen=_words(seen),
            advice="look at the host's firewall rules: something else may set them anew",
        )


def expect_greeting(context: Context, host: HostName, *, tries: int = 20) -> None:
    """Raise VerifyFailed where port 25 of the host's first address does not talk SMTP to the operator's machine."""
    plan = context.plan
    address = (plan.old if host == "old" else plan.new).address
    recipient = recipient_of(context)
    seen = ""
    for tried in range(tries):
        code = 0
        try:
            code, text = context.mail.recipient(address, sender="", recipient=recipient)
        except SmtpError as error:
            seen = error.seen or error.message
        else:
            seen = f"{code} {text}"
            if 200 <= code < 300:
                return
        context.still(tried / 2, f"waiting for port 25 of the {host} host to take mail: {seen}")
        context.sleep(0.5)
    if no_measure(context, host, recipient, code=code) and taken_from_other(context, host, recipient):
        return
    raise VerifyFailed(
        f"port 25 of the {host} host does not take mail for {recipient}",
        host=host,
        expected=f"RCPT TO:<{recipient}> at {address} is answered with 250",
        seen=seen,
        advice="see that Sendmail listens on this address (DAEMON_OPTIONS Addr=) and what its log says",
    )


def no_measure(context: Context, host: HostName, recipient: str, *, code: int) -> bool:
    """Return whether what this machine was told at a host's port 25 says nothing of others.

    `code` is 4xx, which a missing reverse record brings, or 0 for no connection: that says nothing where this machine
    gets into the other host's port neither, for a provider keeps port 25 to itself.
    """
    if code:
        return 400 <= code < 500
    other = context.plan.new if host == "old" else context.plan.old
    return not _connects(context, other.address, recipient)


def taken_from_other(context: Context, host: HostName, recipient: str, *, mark: str = "") -> bool:
    """Return whether the other host of the plan gets a recipient taken at this one's port 25. No message is sent.

    An answer that holds the words `mark` counts as well.
    """
    source: HostName = "new" if host == "old" else "old"
    plan = context.plan
    addresses = (plan.old if host == "old" else plan.new).addresses
    text = reach.script(addresses, name=f"migrate.{plan.domains[0]}", recipient=recipient)
    try:
        answers = reach.parse(context.reader(source).inspect(text).stdout, addresses)
    except HostError:
        return False  # that host may be lost, and then it tells nothing
    return any(one.taken or (mark and mark in one.text) for one in answers)


def _connects(context: Context, address: str, recipient: str) -> bool:
    try:
        context.mail.recipient(address, sender="", recipient=recipient)
    except SmtpError:
        return False
    return True


def _words(state_: firewall.PortState) -> str:
    return f"{state_.word} except to {' '.join(state_.allowed)}" if state_.allowed else state_.word
