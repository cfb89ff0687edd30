"""Questions that several steps put to Sendmail on a host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from migrator.errors import CommandFailed
from migrator.hosts.base import Output, Reader
from migrator.sendmail import endings as sendmail_endings
from migrator.sendmail import routes, testmode, verification
from migrator.sendmail.addresses import bare, domain
from migrator.sendmail.text_error import TextError


def class_members(host: Reader, name: str) -> frozenset[str]:
    """Return the members of a Sendmail class as its files say now, in lower case."""
    return _test_mode(host, classes=(name,)).classes[name]


def members(host: Reader, names: Sequence[str]) -> Mapping[str, frozenset[str]]:
    """Return the members of several classes, in one call."""
    return _test_mode(host, classes=tuple(names)).classes


def own_name(host: Reader) -> str:
    """Return the name by which the host greets ($j), in lower case; "" where it has none."""
    return (_test_mode(host, macros=("j",)).macros["j"] or "").lower()


def verdicts(host: Reader, addresses: Sequence[str]) -> dict[str, verification.Verdict]:
    """Return what `sendmail -bv` says of each address; an alias, which has no verdict of its own, is left out."""
    checked = verification.checked_addresses(addresses)
    output = host.read("sendmail", "-bv", *checked)
    found = {address: verification.verdict_on(output.stdout, address) for address in checked}
    return {address: verdict for address, verdict in found.items() if verdict is not None}


FEW = 200
"""How many addresses are asked for on a command line: 254 bytes each at most, and a command line has an end."""


def astray(host: Reader, addresses: Sequence[str], to: Sequence[str]) -> tuple[verification.Verdict, ...]:
    """Given addresses and the hosts they have to be relayed to, return the verdicts on the first that are not.

    An alias, which Sendmail prints as what it leads to, has an empty verdict. All are asked for in one call.
    """
    asked = verification.askable(addresses)
    plain = [one for one in asked if verification.is_plain(one)]
    if len(plain) == len(asked) <= FEW:
        found = verdicts(host, asked)
        answers = (found.get(one, verification.Verdict(one)) for one in asked)
        return tuple(one for one in answers if (one.mailer, one.hosts) != ("esmtp", tuple(to)))
    output = host.inspect(verification.astray_script(asked, routes.as_verified(to)), timeout=LONGEST)
    try:
        return verification.parse_astray(output.stdout)
    except TextError as error:
        raise _unanswered(host, output) from error


def refused(host: Reader, addresses: Sequence[str]) -> frozenset[str]:
    """Return those of the addresses, in lower case, that Sendmail would refuse for good at RCPT; none for no aliases.

    All are asked for in one call.
    """
    asked = verification.askable(addresses)
    if not asked:
        return frozenset()
    if len(asked) <= FEW and all(map(verification.is_plain, asked)):
        found: Iterable[verification.Verdict] = verdicts(host, asked).values()
    else:
        output = host.inspect(verification.refused_script(asked), timeout=LONGEST)
        try:
            found = verification.parse_astray(output.stdout)
        except TextError as error:
            raise _unanswered(host, output) from error
    return frozenset(one.address.lower() for one in found if verification.is_refusal(one))


LONGEST = 600.0
"""Seconds for questions about thousands of addresses: some 11,000 a second are answered on a host of today."""


def endings(host: Reader, texts: Sequence[str]) -> dict[str, tuple[verification.Verdict, ...]]:
    """Return for each recipient of a queue, as it stands there, the verdicts on all that it leads to; () for no answer.

    All are asked about in one call; an alias, which a common answer does not tell by its name, once more by itself.
    """
    output = host.inspect(sendmail_endings.batch_script(texts, longest=ALL_TOGETHER)).stdout
    together = sendmail_endings.told(output, texts)
    found: dict[str, tuple[verification.Verdict, ...]] = {
        text: (together[text],) if text in together else () for text in texts
    }
    # Where the time was up, a name server does not answer: what has a domain is asked no more.
    whole = sendmail_endings.is_whole(output)
    rest = [text for text in texts if text not in together and (whole or not domain(bare(text)))]
    if alone := rest[:ALONE]:
        output = host.inspect(sendmail_endings.single_script(alone)).stdout
        found |= {text: told for text, told in sendmail_endings.told_singly(output).items() if text in found}
    return found


ALL_TOGETHER = 10
"""Seconds for the common answer: mail may be waiting."""
ALONE = 300
"""How many recipients are asked about one by one: each takes 10 ms."""


def _test_mode(
    host: Reader, *, classes: tuple[str, ...] = (), macros: tuple[str, ...] = ()
) -> testmode.Answers:
    output = host.read("sendmail", "-bt", stdin=testmode.questions(classes, macros))
    try:
        return testmode.answers(output.stdout, classes, macros)
    except TextError as error:
        raise _unanswered(host, output) from error


def _unanswered(host: Reader, output: Output) -> CommandFailed:
    return CommandFailed(
        "Sendmail does not answer in test mode",
        status=output.status,
        host=host.name,
        expected="answers to `sendmail -bt`",
        seen=(output.stderr or output.stdout).strip()[-500:],
        advice="run `sendmail -bt` there by hand: it reads /etc/mail/sendmail.cf and says what is wrong with it",
    )
