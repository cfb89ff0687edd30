"""The new host takes no mail until the copy is verified."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.change import Change, Shell
from migrator.errors import VerifyFailed
from migrator.hosts import daemon
from migrator.net.firewall import CLOSED, PortState
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common import daemons, port


class CloseNew(Step):
    """Close port 25 of the new host and stop its Sendmail: mail that came in now would be overwritten by the copy."""

    name = "close-new"
    phase = Phase.CUTOVER
    after = "catch-up"

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield one change that closes the port and then stops the daemon, so that its queue waits as well."""
        facts = context.facts("new")
        if port.state(context, "new") == PortState(CLOSED) and not daemons.running(context.new).listeners:
            return
        yield Change(
            "close port 25 of the new host and stop its Sendmail",
            Shell("new", port.prepared(context, port.close(context, "new") + daemon.stop(facts))),
            Shell("new", port.prepared(context, daemon.start(facts) + port.reopen(context, "new"))),
        )

    def verify(self, context: Context) -> None:
        """Measure the firewall and the listener. Raises VerifyFailed where mail could still come in."""
        port.expect(context, "new", PortState(CLOSED))
        if running := daemons.running(context.new).listeners:
            raise VerifyFailed(
                "Sendmail still runs on the new host",
                host="new",
                expected="no process that accepts connections on port 25",
                seen=daemons.words(running),
                advice="stop it by hand and see what starts it again",
            )
