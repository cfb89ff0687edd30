"""What the world is told by now."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change, Note, Undo
from migrator.errors import NotReady
from migrator.net.resolver import Answer
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import late, zone


class VerifyDns(Step):
    """Ask every authoritative server at every address, then the watched resolvers, what the mail host's address is."""

    name = "verify-dns"
    phase = Phase.VERIFY
    after = {"hold": "move-dns", "firewall": "flush"}

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield what each server says, as notes: a resolver that still holds the old address is no failure.

        Its TTL says for how long; mail that comes to the old host meanwhile is relayed.
        """
        if self.name in context.memory:
            return
        # The records may have waited for a person for long, who made meanwhile what the new host did not know.
        yield from late.learned(context)
        if zone.still_old(context):
            # What a dry run hears now is what move-dns ends.
            yield Change(
                f"what each server says of {context.plan.mail_host} by then", Note(), Undo.NOT_NEEDED
            )
            return
        for answer in (*zone.answers(context), *context.names.resolvers(context.plan.mail_host)):
            if answer.addresses or answer.error:
                yield Change(_words(context, answer), Note(), Undo.NOT_NEEDED)
        yield Change(
            "every server was asked",
            Note(),
            Undo.NOT_NEEDED,
            {self.name: context.now().isoformat()},
        )

    def verify(self, context: Context) -> None:
        """Ask the authoritative servers anew. Raises NotReady where one does not name the new host alone."""
        wanted = zone.moved(context, (), 0)
        if seen := zone.same_addresses(context, wanted):
            raise NotReady(
                f"{context.plan.mail_host} does not name the new host at every authoritative server",
                host="operator",
                expected=" and ".join(context.plan.new.addresses),
                seen=seen,
                advice="see who changed the zone, then run this again",
            )


def _words(context: Context, answer: Answer) -> str:
    if answer.error:
        return f"{answer.server} gives no answer: {answer.error}"
    host = "the new host" if set(answer.addresses) <= set(context.plan.new.addresses) else "NOT the new host"
    return (
        f"{answer.server} says {answer.rdtype} {' '.join(answer.addresses)} ({host}), TTL {answer.ttl} s left"
    )
