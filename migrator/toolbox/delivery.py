"""One message handed to Sendmail verbosely (`sendmail -v`), as a mail program does it, with what it said."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterator, Mapping

from migrator import host_text
from migrator.change import Change, HostName, Shell, Undo
from migrator.errors import VerifyFailed
from migrator.sendmail.verification import checked_addresses
from migrator.steps.base import Context
from migrator.toolbox.base import Tool

_SCRIPT = r"""umask 077
set -C
printf 'To: %s\nSubject: test of Sendmail on this host (%s)\nAuto-Submitted: auto-generated\n\nA test.\n' {to} {token} |
    sendmail -v -- {to} >{path} 2>&1 || :
"""


class Delivery(Tool):
    """Hand Sendmail one message, and see what it says on the way. Given the host and the recipient."""

    name = "delivery"

    def __init__(self, host: HostName, recipient: str) -> None:
        super().__init__(host)
        self._recipient = checked_addresses([recipient])[0]
        self._token = secrets.token_hex(8)
        self._said = ""

    def measured(self, context: Context) -> Mapping[str, str]:
        """Return what Sendmail would do with the address, and what it said of the message once it was sent."""
        would = context.reader(self.host).read("sendmail", "-bv", self._recipient).stdout.strip()
        lines = {f"{number:3}": line for number, line in enumerate(host_text.lines(self._said), 1)}
        return {"sendmail -bv": would, **lines}

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the sending, and the removal of the file that took what was said."""
        path = f"/tmp/migrate-delivery-{self._token}"  # noqa: S108 - a name that nobody can guess, made with noclobber
        script = _SCRIPT.format(to=shlex.quote(self._recipient), token=self._token, path=path)
        shown = f"sendmail -v {self._recipient}"
        yield Change(
            f"send a test message to {self._recipient}",
            Shell(self.host, script, shown=shown),
            Undo.NOT_NEEDED,
        )
        self._said = context.reader(self.host).read_file(path) or ""
        yield Change("remove what it said", Shell(self.host, f"rm -f {path}\n"), Undo.NOT_NEEDED)

    def verify(self, context: Context) -> None:
        """Raise VerifyFailed where nobody took the message."""
        if not any("... Sent" in line for line in host_text.lines(self._said)):
            raise VerifyFailed(
                f"nobody took the test message to {self._recipient}",
                host=self.host,
                expected=f"{self._recipient}... Sent",
                seen=self._said.strip()[-800:] or "no word",
                advice="see `migrate queue list`: what could not be delivered at once waits there with its reason",
            )
