"""Logjam: the Diffie-Hellman parameters of STARTTLS, measured from outside, made on the host, and set.

`confDH_PARAMETERS` names the file (cf/README, "STARTTLS"); how large is large enough is said by RFC 8270: 2048 bits.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping

from migrator.change import Change, HostName, Shell
from migrator.errors import Refused, UsageError, VerifyFailed
from migrator.net import ffdhe, starttls
from migrator.net.handshake import ServerAnswer
from migrator.net.starttls import Offer
from migrator.sendmail import mc
from migrator.steps.base import Context
from migrator.steps.common import configure
from migrator.steps.common.configure import CF, MC, Sources, read
from migrator.toolbox.base import Tool

SMALLEST, LARGEST = 2048, 8192
"""The sizes of parameters that are made, in bits."""

LONGEST = 7200.0
"""How long making them may take, in seconds; 2048 bits are half a minute on most machines, and many minutes on some."""

_NAME = "confDH_PARAMETERS"
_OPTION = "DHParameters"


class Dh(Tool):
    """Offer STARTTLS clients a Diffie-Hellman group of a safe size.

    Given the host, the size of new parameters in bits, or the name of a group of RFC 7919 in their place. `offer`
    and `protocols` measure what listens at an address.
    """

    name = "dh"

    def __init__(
        self,
        host: HostName,
        *,
        bits: int = SMALLEST,
        named: str = "",
        offer: Callable[[str], Offer] = starttls.diffie_hellman,
        protocols: Callable[[str], dict[str, bool]] = starttls.protocols,
    ) -> None:
        super().__init__(host)
        if named and named not in ffdhe.NAMES:
            raise UsageError("There is no such group", expected=", ".join(ffdhe.NAMES), seen=named)
        if not SMALLEST <= bits <= LARGEST:
            raise UsageError("Not a size to make", expected=f"{SMALLEST} to {LARGEST} bits", seen=str(bits))
        self._bits = bits
        self._named = named
        self._offer = offer
        self._protocols = protocols
        self._known_protocols: dict[str, bool] | None = None

    def ready(self, context: Context) -> None:
        """Raise Refused where the host offers no STARTTLS: then it has no use for parameters."""
        if not self._measure(context).offered:
            raise Refused(
                "STARTTLS is not offered, so there is nothing that needs Diffie-Hellman parameters",
                host=self.host,
                expected="250-STARTTLS in the answer to EHLO",
                seen="none",
                advice="give Sendmail a certificate first (confSERVER_CERT and confSERVER_KEY; on Debian "
                "include(`/etc/mail/tls/starttls.m4') in sendmail.mc)",
            )

    def measured(self, context: Context) -> Mapping[str, str]:
        """Return the group that a handshake shows, the protocols that are taken, and what the file says."""
        offer = self._measure(context)
        if self._known_protocols is None:
            # Once: the tool does not change them, and a stock Debian takes ten connections in ten minutes.
            self._known_protocols = self._protocols(self._address(context))
        taken = [name for name, yes in self._known_protocols.items() if yes]
        refused = [name for name, yes in self._known_protocols.items() if not yes]
        return {
            "STARTTLS": "offered" if offer.offered else "not offered",
            "Diffie-Hellman": _words(offer.answer),
            "protocols": f"{', '.join(taken) or 'none'} (refused: {', '.join(refused) or 'none'})",
            "sendmail.cf": f"O {_OPTION}={read(context, self.host).cf.option(_OPTION) or ''}",
        }

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the making of the parameters, and the configuration that names them; nothing where they do already."""
        if self._good(self._measure(context).answer):
            return
        path = self._path(context)
        sources = read(context, self.host)
        there = ffdhe.modulus_of(context.reader(self.host).read_file(path) or "")
        if not self._named and (there or 0).bit_length() != self._bits:
            yield self._making(path)
        wanted = {MC: self._edited(context, sources, path)}
        if self._named:
            wanted[path] = ffdhe.parameters(self._named)
            sources = Sources({**sources.texts, **context.reader(self.host).read_files((path,))}, sources.cf)
        test = f"grep -q -x {shlex.quote(f'O {_OPTION}={path}')} {CF} || {{ echo 'sendmail.cf does not name {path}: "
        test += "another line of sendmail.mc or of a file that it includes says otherwise' >&2; exit 1; }\n"
        change = configure.change(
            *(context, self.host, f"use {path} for Diffie-Hellman", sources, wanted), test=test
        )
        if change:
            yield change

    def verify(self, context: Context) -> None:
        """Raise VerifyFailed where a handshake shows another group than wanted."""
        offer = self._measure(context)
        if not self._good(offer.answer):
            raise VerifyFailed(
                "a handshake with only Diffie-Hellman suites shows another group than the one that was set",
                host=self.host,
                expected=self._named or f"{self._bits} bits or more",
                seen=_words(offer.answer),
                advice="see what CipherList, TLSSrvOptions and the log (STARTTLS) say; a policy of the system may "
                "forbid these suites",
            )

    def _good(self, answer: ServerAnswer) -> bool:
        if self._named:
            return ffdhe.name_of(answer.modulus) == self._named
        return answer.bits >= self._bits

    def _measure(self, context: Context) -> Offer:
        return self._offer(self._address(context))

    def _address(self, context: Context) -> str:
        return (context.plan.old if self.host == "old" else context.plan.new).address

    def _path(self, context: Context) -> str:
        debian = context.facts(self.host).family == "debian"
        folder = "/etc/mail/tls" if debian else "/etc/pki/tls/certs"
        return f"{folder}/dhparams-{self._named or self._bits}.pem"

    def _edited(self, context: Context, sources: Sources, path: str) -> str:
        """Return sendmail.mc with the definition, behind a file that it includes and that defines it as well."""
        text = sources.text(MC)
        included = [call.arguments[0] for call in mc.find(text, "include")]
        found = context.reader(self.host).read_files(tuple(dict.fromkeys(included)))
        behind = [name for name in included if _NAME in (found.get(name) or "")]
        return mc.ensure_option(text, _NAME, path, behind=behind)

    def _making(self, path: str) -> Change:
        quoted = shlex.quote(path)
        return Change(
            f"make Diffie-Hellman parameters of {self._bits} bits",
            Shell(
                self.host,
                _MAKING.replace("@FILE@", quoted).replace("@BITS@", str(self._bits)),
                timeout=LONGEST,
                shown=f"openssl dhparam -out {quoted} {self._bits}",
                progress=True,
            ),
            Shell(self.host, _REMOVING.replace("@FILE@", quoted), shown=f"rm -f {quoted}"),
        )


def _words(answer: ServerAnswer) -> str:
    if not answer.modulus:
        return f"no group ({answer.alert or 'another key exchange'})"
    weak = "" if answer.bits >= SMALLEST else ": too small (Logjam)"
    return f"{answer.bits} bits, {ffdhe.name_of(answer.modulus) or 'a group of no list'}{weak}"


_PART = "file=@FILE@\npart=${file%/*}/.${file##*/}.migrate\n"

# In a session of its own, so that it goes on where the connection breaks, and the next run finds it.
_MAKING = (
    _PART
    + r"""alive() { [ -s "$part.pid" ] && grep -q -s openssl "/proc/$(cat "$part.pid")/comm"; }
whole() { grep -q -s 'END DH PARAMETERS' "$1"; }
command -v openssl >/dev/null 2>&1 || { echo 'openssl is missing: install the package openssl there' >&2; exit 1; }
if ! alive && ! whole "$part"; then
    rm -f "$part" "$part.pid" "$part.log"
    (umask 022; exec setsid openssl dhparam -out "$part" @BITS@ </dev/null >"$part.log" 2>&1) &
    started=$!
    echo "$started" >"$part.pid"
    # Until it has become openssl it is a shell.
    until alive || ! kill -0 "$started" 2>/dev/null; do sleep 0.1; done
fi
seconds=0
while alive; do
    sleep 1
    seconds=$((seconds + 1))
    echo "$seconds s, $(tr -cd '.+*' <"$part.log" | wc -c | tr -d ' ') numbers tried"
done
if ! whole "$part"; then tail -n 3 "$part.log" >&2; rm -f "$part" "$part.pid" "$part.log"; exit 1; fi
chmod 0644 "$part" && mv -f "$part" "$file" || exit 1
rm -f "$part.pid" "$part.log"
exit 0
"""
)

_REMOVING = (
    _PART
    + r"""if [ -s "$part.pid" ] && grep -q -s openssl "/proc/$(cat "$part.pid")/comm"; then
    kill "$(cat "$part.pid")"
fi
rm -f "$file" "$part" "$part.pid" "$part.log"
exit 0
"""
)
