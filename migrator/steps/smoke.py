"""A letter of our own, the way a person would test with telnet."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Iterator
from typing import ClassVar

from migrator import host_text
from migrator.change import Change, HostName, Note, SendProbe, Undo
from migrator.errors import SmtpError, VerifyFailed
from migrator.net.smtp import received_hosts
from migrator.sendmail.verification import verdict_on
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import port
from migrator.steps.common.at_once import at_once
from migrator.steps.common.recipient import recipient_of
from migrator.steps.common.relaying import expect_route

FOREIGN = "nobody@relay-test.invalid"
"""A recipient that neither host may take from a stranger: .invalid exists nowhere (RFC 2606)."""
_HOSTS: tuple[HostName, ...] = ("old", "new")
_TAKEN = 2
"""What a reply begins with by which a recipient is taken (RFC 5321 4.2.1)."""
UNTOLD = "untold"
"""What stands in place of a message's token where none could be sent from this machine."""
_ARRIVAL = 120  # seconds
_NARROWLY = 10  # seconds; after that a message is looked for where none was expected, too
_LAG = 60  # seconds by which this machine's clock may be set back meanwhile


class Smoke(Step):
    """Send a message through the old host and one straight to the new, find both in the mailbox, and try to relay."""

    name = "smoke"
    phase = Phase.VERIFY
    after = "verify-dns"
    attempts = 2  # a message that was fetched or filtered away is sent anew once
    hosts: ClassVar[tuple[HostName, ...]] = _HOSTS

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the dialogues that were not held yet."""
        recipient = recipient_of(context)
        sender = context.plan.smoke.sender or f"postmaster@{context.plan.domains[0]}"
        for host in self.hosts:
            address = context.plan.old.address if host == "old" else context.plan.new.address
            token = f"migrate-{context.plan.name}-{host}-{int(context.now().timestamp())}"
            if untold := _untold(context, host, recipient, sender):
                yield untold
            elif _to_send(context, host):
                yield Change(
                    f"send a message for {recipient} to port 25 of the {host} host",
                    SendProbe(address, sender, recipient, token),
                    Undo.NOT_NEEDED,
                    {f"smoke.{host}": token},
                )
            if f"smoke.{host}.foreign" not in context.memory:
                yield Change(
                    f"ask the {host} host to relay for a stranger, which it has to refuse",
                    SendProbe(
                        address, sender, _foreign(context, host, address, sender), token, expect="refused"
                    ),
                    Undo.NOT_NEEDED,
                    {f"smoke.{host}.foreign": "refused"},
                )

    def verify(self, context: Context) -> None:
        """Find each message in a mailbox of the new host and nowhere on the old. Raises VerifyFailed.

        By now no mail waits, so the old host is asked once more for the way of every address, whom it hands on.
        """
        at_once(
            lambda: _expect_arrival(context, "old"),
            lambda: _expect_arrival(context, "new"),
            lambda: expect_route(context, "old"),
        )

    def expect_in_mailbox(self, context: Context) -> None:
        """Find the message that was sent to the new host in a mailbox there. Raises VerifyFailed."""
        if context.memory["smoke.new"] != UNTOLD:
            _found(context, "new")


def _foreign(context: Context, host: HostName, address: str, sender: str) -> str:
    """Return the recipient for whom a host has to relay nothing; with a dot at its end where the name would be another.

    Sendmail completes a name that the DNS does not know by the resolver's search list (op.me, `RES_DNSRCH`), where a
    wildcard record (RFC 4592) makes one of the host's own domains of it; a dot at the end keeps it as it is.
    """
    try:
        code, _ = context.mail.recipient(address, sender=sender, recipient=FOREIGN)
    except SmtpError:
        return FOREIGN
    if code // 100 != _TAKEN:
        return FOREIGN
    verdict = verdict_on(context.reader(host).read("sendmail", "-bv", FOREIGN).stdout, FOREIGN)
    completed = verdict is not None and verdict.user.lower().startswith(f"{FOREIGN}.")
    return f"{FOREIGN}." if completed else FOREIGN


def _to_send(context: Context, host: str) -> bool:
    return f"smoke.{host}" not in context.memory or (
        context.attempt > 1 and context.memory[f"smoke.{host}"] != UNTOLD
    )


def _untold(context: Context, host: HostName, recipient: str, sender: str) -> Change | None:
    """Return a note where this machine is refused for now, or reaches no port 25 at all: that says nothing of others.

    A machine without a reverse record, or whose provider keeps port 25 to itself, is no reason for a failure after mail
    has moved: whether the port takes mail was measured from the other host.
    """
    if not _to_send(context, host):
        return None
    address = context.plan.old.address if host == "old" else context.plan.new.address
    try:
        code, text = context.mail.recipient(address, sender=sender, recipient=recipient)
    except SmtpError as error:
        code, text = 0, error.seen or error.message
    untold = port.no_measure(context, host, recipient, code=code)
    if not untold or not port.taken_from_other(context, host, recipient):
        return None
    return Change(
        f"by hand: send a message for {recipient} to port 25 of the {host} host from elsewhere, for from this machine "
        f"it cannot be tried ({f'{code} ' if code else ''}{text}); the other host's address is taken there",
        Note(),
        Undo.NOT_NEEDED,
        {f"smoke.{host}": UNTOLD},
    )


def _expect_arrival(context: Context, host: str) -> None:
    """Wait for the message that was sent to a host. Raises VerifyFailed where it took another way, or none."""
    token = context.memory[f"smoke.{host}"]
    if token == UNTOLD:
        return
    places, waited = _found(context, host)
    _, strays = at_once(
        lambda: _expect_route(context, host, places[0]),
        lambda: _places(context, "old", token, everywhere=waited >= _NARROWLY),
    )
    if strays:
        raise VerifyFailed(
            "the test message stands in a mailbox of the old host",
            host="old",
            expected="mail on the new host only",
            seen=", ".join(strays),
            advice="the old host still delivers locally: see `sendmail -bv` there, then move this message",
        )


def _found(context: Context, host: str) -> tuple[list[str], int]:
    """Return the files of the new host with the message that was sent to a host, and for how many seconds it took."""
    waited = 0  # seconds, counted: a clock can jump
    token = context.memory[f"smoke.{host}"]
    while not (places := _places(context, "new", token, everywhere=waited >= _NARROWLY)):
        if waited >= _ARRIVAL:
            raise _missing(host, token)
        context.still(
            waited, f"waiting for the message sent to the {host} host to stand in a mailbox of the new one"
        )
        context.sleep(1.0)
        waited += 1
    return places, waited


def _places(context: Context, host: str, token: str, *, everywhere: bool = False) -> list[str]:
    """Return the files of a host's mailboxes that hold the token; only those changed since it was sent are read.

    A folder `cur` or `new` that nothing came into since is passed over, unless `everywhere`.
    """
    trees = [tree.target if host == "new" else tree.source for tree in context.plan.sync]
    spool = context.plan.new.mail_spool if host == "new" else context.plan.old.mail_spool
    folders = " ".join(
        shlex.quote(tree) for tree in dict.fromkeys(one.rstrip("/") + "/" for one in (*trees, spool))
    )
    # The token ends in the time of the operator's clock; how long ago that was also holds by the host's.
    ago = max(0, int(context.now().timestamp()) - int(token.rpartition("-")[2])) + _LAG
    since = f"@$(($(date +%s) - {ago}))"
    older = f"-type d \\( -name cur -o -name new \\) -links 2 ! -newerct {since} -prune -o "
    found = context.reader(host).inspect(
        f"find {folders} {'' if everywhere else older}-type f -newermt {since} "
        f"-exec grep -lF -e {shlex.quote(token)} {{}} + 2>/dev/null\nexit 0\n"
    )
    return host_text.lines(found.stdout)


def _expect_route(context: Context, host: str, path: str) -> None:
    """Read the Received lines (RFC 5321 4.4): each host that took the message put one on top of those before."""
    token = context.memory[f"smoke.{host}"]
    text = context.new.read("grep", "-aF", "-B", "60", "-e", token, path).stdout
    hops = received_hosts(text.encode("utf-8", "surrogateescape"), holding=token)
    from_old = {_canonical(one) for one in (*context.plan.old.addresses, context.facts("old").source)}
    relayed = len(hops) >= 2 and _canonical(hops[0].address) in from_old - {""}
    if relayed != (host == "old"):
        raise VerifyFailed(
            f"the message for the {host} host did not take the way it should",
            host="new",
            expected="two Received lines, the upper one from the old host"
            if host == "old"
            else "one Received line",
            seen="; ".join(f"from {hop.name or hop.helo} [{hop.address}] by {hop.by}" for hop in hops)
            or "none",
            advice="see the dialogue above, and what stands between this machine and port 25 of the hosts",
        )


def _canonical(address: str) -> str:
    """Return an address in one form: Sendmail writes IPv6 addresses in full, plans in short. "" for none."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return ""


def _missing(host: str, token: str) -> VerifyFailed:
    return VerifyFailed(
        f"the message sent to the {host} host is in no mailbox of the new one",
        host="new",
        expected=f"a message with {token}",
        seen=f"none within {_ARRIVAL} s",
        advice="look for it with `mailq` on both hosts and in their mail logs",
    )
