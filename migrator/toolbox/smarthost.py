"""Relaying by a provider's server: SMART_HOST, and the login there (cf/README, "SMART_HOST", "authinfo").

The name stands in brackets, so that the server which is meant is the one that gets the mail and the password, and no
MX record says otherwise.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from migrator import host_text
from migrator.change import Change, FileEdit, HostName, Shell, Undo, Upload
from migrator.errors import Refused, UsageError, VerifyFailed
from migrator.executor.base import Executor
from migrator.secret import Secret
from migrator.sendmail import authinfo, maps, mc, routes
from migrator.sendmail.text_error import TextError
from migrator.sendmail.verification import checked_addresses
from migrator.steps.base import Context
from migrator.steps.common import ask, configure
from migrator.steps.common.configure import ACCESS, MC, Sources, read
from migrator.toolbox.base import Tool
from migrator.toolbox.secrets import Revealing

AUTHINFO = "/etc/mail/authinfo"
PROBE = "migrate@migrate.invalid"
"""An address that is nobody's (RFC 2606): where it goes is where all mail for elsewhere goes."""

_LIBRARIES = {
    "PLAIN": "plain",
    "LOGIN": "login",
    "CRAM-MD5": "crammd5",
    "DIGEST-MD5": "digestmd5",
    "NTLM": "ntlm",
}
_PACKAGES = {"debian": "libsasl2-modules", "redhat": "cyrus-sasl-plain (or -md5, -ntlm, -scram)"}
_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")


_TLS = "ENCR:112"
"""What is asked of the way to the server: 112 bits, as of three-key DES (cf/README, "TLS_Srv")."""

_STRICT = re.compile(r"((PERM|TEMP)\+)?(VERIFY(:(BITS:)?[0-9]+)?|ENCR:([0-9]{1,4}))(\+.*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Login:
    """How Sendmail logs in to the smart host."""

    user: str
    password: Secret = field(repr=False)
    mechanisms: str = "PLAIN"


class Smarthost(Tool):
    """Hand all mail for elsewhere to a provider's server, with a login there.

    Given the host, the server's name and port, and the login (None: none is needed). `secure`: the password, and all
    mail, only goes there over TLS. `test` is an address to send a message to, "" for none.
    """

    name = "smarthost"

    def __init__(
        self,
        host: HostName,
        server: str,
        *,
        port: int = 587,
        login: Login | None = None,
        secure: bool = True,
        test: str = "",
    ) -> None:
        super().__init__(host)
        try:
            self._server = routes.checked_domain(server)
            self._value = authinfo.value(login.user, login.password, login.mechanisms) if login else ""
            self._test = checked_addresses((test,))[0] if test else ""
        except TextError as error:
            raise UsageError(str(error)) from None
        if not 1 <= port <= 65535:
            raise UsageError("A port is a number from 1 to 65535", seen=str(port))
        self._port = port
        self._login = login
        self._secure = secure
        self._true_text: bytes | None = None

    def ready(self, context: Context) -> None:
        """Raise Refused where Sendmail cannot log in: no SASL in it, or no library of a mechanism."""
        if self._login is None:
            return
        # A change that was planned before an interruption is performed before anything else is asked for.
        self._logins(context)
        output = context.reader(self.host).inspect(_SASL)
        present = set(host_text.words(output.stdout))
        wanted = [_LIBRARIES.get(name, "scram") for name in host_text.words(self._login.mechanisms)]
        missing = [name for name in ("SASLv2", *wanted) if name not in present]
        if missing:
            family = context.facts(self.host).family
            raise Refused(
                "Sendmail cannot log in to another server here",
                host=self.host,
                expected="a Sendmail with SASLv2, and the SASL library of every mechanism",
                seen=f"missing: {', '.join(missing)}",
                advice=f"install the package {_PACKAGES[family]} there",
            )

    def measured(self, context: Context) -> Mapping[str, str]:
        """Return where mail for elsewhere goes, by `sendmail -bv`, and what is known of the login."""
        reader = context.reader(self.host)
        verdict = ask.verdicts(reader, (PROBE,)).get(PROBE)
        known = maps.lookup(reader.read_file(AUTHINFO) or "", authinfo.key(self._server))
        return {
            "mail for elsewhere": (
                f"mailer {verdict.mailer}, host {verdict.host}"
                if verdict and not verdict.error
                else "nowhere"
            ),
            f"login at {self._server}": authinfo.masked(known) if known else "none",
            "TLS": maps.lookup(reader.read_file(ACCESS) or "", self._tls_key) or "where the server offers it",
        }

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the change of the configuration where it differs, and the test message where one is wanted."""
        sources = read(context, self.host)
        before, after = self._logins(context)
        wanted = {MC: self._edited(sources)}
        if self._secure:
            access = sources.map_path("access", ACCESS)
            known = maps.lookup(sources.text(access), self._tls_key)
            value = known if known and _as_strict(known) else _TLS
            wanted[access] = maps.set_entry(sources.text(access), self._tls_key, value)
        shown = {AUTHINFO: None if before is None else authinfo.masked(before)}
        sources = Sources({**sources.texts, **shown}, sources.cf)
        if after is not None and after != before:
            # The password alone may differ, which the masked text would not show.
            wanted[AUTHINFO] = authinfo.masked(after) + "\n" * (authinfo.masked(after) == shown[AUTHINFO])
        change = configure.change(
            context, self.host, f"relay by {self._server}", sources, wanted, test=self._proof()
        )
        if change:
            yield self._secret_kept(context, change) if AUTHINFO in wanted else change
        if self._test:
            yield self._message(context)

    def verify(self, context: Context) -> None:
        """Raise VerifyFailed where mail for elsewhere goes elsewhere, or the files of the login can be read by all."""
        found = ask.verdicts(context.reader(self.host), (PROBE,)).get(PROBE)
        if found is None or (found.mailer, found.hosts) != ("relay", (self._server,)):
            raise VerifyFailed(
                "mail for elsewhere does not go to the smart host",
                host=self.host,
                expected=f"`sendmail -bv {PROBE}` names mailer relay, host [{self._server}]",
                seen=(found.error or f"mailer {found.mailer}, host {found.host}") if found else "nothing",
                advice="see what else routes mail: mailertable, MAIL_HUB, LOCAL_RULE_0",
            )
        if self._login:
            self._expect_private(context)

    def executor(self, live: Executor) -> Executor:
        """Return the executor that writes the password, which no change holds."""
        return Revealing(live, self._reveal)

    def _logins(self, context: Context) -> tuple[str | None, str | None]:
        """Return the file of logins as it is and as it shall be, and remember the latter for the executor."""
        before = context.reader(self.host).read_file(AUTHINFO)
        if self._login is None:
            return before, before
        after = authinfo.with_login(before or "", self._server, self._value)
        self._true_text = after.encode("utf-8", "surrogateescape")
        return before, after

    @property
    def _tls_key(self) -> str:
        return f"TLS_Srv:{self._server}"

    def _edited(self, sources: Sources) -> str:
        text = mc.ensure_option(sources.text(MC), "SMART_HOST", f"[{self._server}]")
        if self._port != 25 or mc.defined_value(text, "RELAY_MAILER_ARGS") is not None:
            text = mc.ensure_option(text, "RELAY_MAILER_ARGS", f"TCP $h {self._port}")
        if not self._login:
            return text
        access = sources.cf.map("access")
        return mc.ensure_feature(text, "authinfo", f"{access.type if access else 'hash'} -o {AUTHINFO}")

    def _proof(self) -> str:
        route = shlex.quote(f"mailer relay, host [{self._server}]")
        return (
            f"seen=$(sendmail -bv {PROBE} 2>&1) || :\n"
            f'case $seen in *{route}*) ;; *) printf "sendmail -bv says: %s\\n" "$seen" >&2; exit 1 ;; esac\n'
        )

    def _secret_kept(self, context: Context, change: Change) -> Change:
        """Return a change whose file of logins stands masked in the journal, and whose undo finds it on the host."""
        if not (isinstance(change.do, Upload) and isinstance(change.undo, Upload)):
            raise TypeError("a change of the configuration is an upload")
        owner = "root:smmsp" if context.facts(self.host).family == "debian" else "root:root"
        kept = f"{AUTHINFO}.before-{context.run or 'now'}-{int(context.now().timestamp())}"
        edits = tuple(
            replace(edit, check=False, mode="0640", owner=owner) if edit.path == AUTHINFO else edit
            for edit in change.do.files
        )
        number = next(index for index, edit in enumerate(edits) if edit.path == AUTHINFO)
        keep = _KEEP.format(kept=kept, file=AUTHINFO, number=number)
        restore = _RESTORE.format(kept=kept, file=AUTHINFO)
        back = tuple(edit for edit in change.undo.files if edit.path != AUTHINFO)
        return replace(
            change,
            do=replace(
                change.do,
                files=edits,
                then=keep + change.do.then,
                otherwise=f"rm -f {kept} {kept}.none {kept}.db {kept}.db.none\n{change.do.otherwise}",
            ),
            undo=replace(change.undo, files=back, then=restore + change.undo.then),
        )

    def _reveal(self, edit: FileEdit) -> bytes | None:
        if edit.path != AUTHINFO:
            return None
        if self._true_text is None:
            raise Refused("the password is not known, so the file of logins is not written", host=self.host)
        return self._true_text

    def _expect_private(self, context: Context) -> None:
        seen = context.reader(self.host).read("stat", "-c", "%a %U:%G %n", AUTHINFO, f"{AUTHINFO}.db")
        modes = [line.split(" ")[0] for line in host_text.lines(seen.stdout)]
        if len(modes) != 2 or any(mode[-1] != "0" for mode in modes):
            raise VerifyFailed(
                "the login at the smart host is not there, or can be read by everybody",
                host=self.host,
                expected=f"{AUTHINFO} and its map with mode 0640",
                seen=seen.stdout.strip() or seen.stderr.strip(),
                advice=f"chmod 0640 {AUTHINFO} {AUTHINFO}.db",
            )

    def _message(self, context: Context) -> Change:
        now = context.now()
        text = f"To: {self._test}\nSubject: a test through {self._server}\n\nSent by migrate at {now.isoformat()}.\n"
        script = _SEND.format(text=shlex.quote(text), address=shlex.quote(self._test))
        summary = f"send a message to {self._test} through {self._server}"
        return Change(summary, Shell(self.host, script, shown=f"sendmail -v {self._test}"), Undo.NOT_NEEDED)


_SASL = r"""sendmail -d0.1 -bt </dev/null 2>/dev/null | grep -o -w SASLv2 | head -n 1
for folder in /usr/lib*/sasl2 /usr/lib/*/sasl2 /usr/local/lib*/sasl2; do
    for file in "$folder"/lib*.so*; do
        if [ -e "$file" ]; then name=${file##*/lib}; echo "${name%%.so*}"; fi
    done
done
exit 0
"""

# A second attempt of the same change must not take what the first one wrote for what was there before.
_KEEP = """keep() {{ # file copy; a mark where there is no file
    if [ -e "$2" ] || [ -e "$2.none" ]; then return 0; fi
    if [ -e "$1" ]; then cp -a "$1" "$2"; else : >"$2.none"; fi
}}
if [ -e "$work/written.{number}" ]; then keep "$work/old.{number}" {kept} && keep {file}.db {kept}.db || exit 1; fi
"""
_RESTORE = """restore_kept() {{ # file copy
    if [ -e "$2" ]; then mv -f "$2" "$1"; elif [ -e "$2.none" ]; then rm -f "$1" "$2.none"; fi
}}
restore_kept {file} {kept} && restore_kept {file}.db {kept}.db || exit 1
"""

# The dialogue holds the password in base64, so only what the servers answer is kept.
_SEND = r"""seen=$(printf '%s' {text} | sendmail -Am -v -odi {address} 2>&1 | grep -v '^>>>')
case $seen in
    *'... Sent ('*) exit 0 ;;
esac
printf '%s\n' "$seen" | tail -n 12 >&2
exit 1
"""


def _as_strict(value: str) -> bool:
    """Return whether a requirement that stands there asks for as much: a verified certificate, or as many bits."""
    found = _STRICT.fullmatch(value.strip())
    return found is not None and int(found[6] or "112") >= 112
