"""A host whose configuration is made of a stock sendmail.mc, for the tools that edit one."""

from __future__ import annotations

from migrator.change import Change, Upload
from tests.sendmail.mc_shapes import DEBIAN
from tests.toolbox.stand import Stand

MC = "/etc/mail/sendmail.mc"
CF = "/etc/mail/sendmail.cf"
ACCESS = "/etc/mail/access"
ALIASES = "/etc/mail/aliases"

OPTIONS = """\
O AliasFile=/etc/mail/aliases
O MaxDaemonChildren=0
O BadRcptThrottle=3
O PrivacyOptions=needmailhelo,authwarnings
O MinFreeBlocks=100
Kaccess hash -T<TMPF> /etc/mail/access
"""


class Configured(Stand):
    """A host with the files that the tools edit; `name` is what it calls itself."""

    def __init__(self, *users: str, name: str = "mail.example.test") -> None:
        super().__init__(*users)
        texts = {MC: DEBIAN, CF: OPTIONS, ACCESS: "Connect:127\tRELAY\n", ALIASES: "postmaster: root\n"}
        self.host.files.update({path: text.encode() for path, text in texts.items()})
        self.facts(cf=OPTIONS)
        mark = "====migrate===="
        self.host.on(r"sendmail -bt <<< \.D", f"> > {mark}\n> {name}\n> {mark}\n")

    def text(self, path: str) -> str:
        return self.host.files[path].decode()

    def options(self, text: str) -> None:
        """Let sendmail.cf say this, as a rebuild would make it."""
        self.host.files[CF] = text.encode()


def uploads(change: Change) -> tuple[Upload, Upload]:
    """Return what a change does and what undoes it, both of files."""
    assert isinstance(change.do, Upload)
    assert isinstance(change.undo, Upload)
    return change.do, change.undo
