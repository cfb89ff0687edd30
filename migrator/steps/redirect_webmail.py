"""Visitors of the webmail's old address are sent to the new one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from migrator import host_text
from migrator.change import Change, FileEdit, Note, Undo, Upload
from migrator.errors import MigrateError, VerifyFailed
from migrator.plan import WebmailPlan
from migrator.steps.base import Context, Phase, Step
from migrator.steps.common.at_once import at_once

BY_HAND = "redirect-webmail.by-hand"


@dataclass(frozen=True, slots=True)
class Server:
    """A web server on the old host: where a file of ours is read first, how it is tested and reloaded."""

    name: str
    path: str
    reload: str


_SERVERS = {
    "nginx": Server("nginx", "/etc/nginx/conf.d/000-migrate-webmail.conf", "nginx -t && nginx -s reload"),
    "apache2ctl": Server(
        "apache",
        "/etc/apache2/conf-enabled/migrate-webmail.conf",
        "apache2ctl configtest && apache2ctl graceful",
    ),
    "httpd": Server(
        "apache",
        "/etc/httpd/conf.d/000-migrate-webmail.conf",
        "apachectl configtest && apachectl graceful",
    ),
}
"""By the program of each, those first that count where several are there; nginx does only where it runs."""


class RedirectWebmail(Step):
    """Redirect the webmail's old address to the new one, on the old host's web server."""

    name = "redirect-webmail"
    phase = Phase.FINISH
    after = "smoke"

    def changes(self, context: Context) -> Iterator[Change]:
        """Yield the redirect's file with test and reload, or a note where it has to be done by hand."""
        webmail = context.plan.webmail
        if webmail is None or _redirected(context, webmail):
            return
        server, before = _server(context)
        text = redirect(server.name, webmail) if server else None
        if server is None or text is None:
            if BY_HAND not in context.memory:
                yield Change(
                    f"by hand: redirect {webmail.old_url} to {webmail.new_url}; neither Apache nor an nginx that "
                    "could do it without a certificate was found on the old host",
                    Note(),
                    Undo.NOT_NEEDED,
                    {BY_HAND: "said"},
                )
            return
        old = None if before is None else before.encode("utf-8", "surrogateescape")
        new = text.encode("ascii")
        yield Change(
            f"redirect {webmail.old_url} to {webmail.new_url} in {server.path}",
            Upload("old", (FileEdit(server.path, old, new),), server.reload),
            Upload("old", (FileEdit(server.path, new, old),), server.reload),
        )

    def verify(self, context: Context) -> None:
        """Fetch the old address from the old host. Raises VerifyFailed where it does not lead to the new one."""
        webmail = context.plan.webmail
        if webmail is None or BY_HAND in context.memory:
            return
        for _ in range(10):  # a graceful reload takes a moment
            if _redirected(context, webmail):
                return
            context.sleep(0.5)
        raise VerifyFailed(
            "the webmail's old address does not lead to the new one",
            host="old",
            expected=f"{webmail.old_url} answers with 301 and Location: {webmail.new_url}",
            seen=_fetched(context, webmail),
            advice="see which virtual host answers for this name, and whether its server listens there",
        )


def redirect(server: str, webmail: WebmailPlan) -> str | None:
    """Given "apache" or "nginx" and what leads where, return the configuration; None where the server cannot.

    Apache: an `<If>` of the main server holds for every virtual host, so a certificate that is there goes on to
    serve (mod_alias, core: httpd 2.4). nginx: a server block, which for https would need the certificate's path.
    """
    url = urlsplit(webmail.old_url)
    name = re.escape(url.hostname or "")
    path = re.escape(url.path.rstrip("/"))
    if server == "apache":
        return (
            f'# Written by migrate: the webmail has moved.\n<If "%{{HTTP_HOST}} =~ m#^{name}(:[0-9]+)?$#i">\n'
            f'    RedirectMatch permanent "^{path}(/.*)?$" "{webmail.new_url}"\n</If>\n'
        )
    if url.scheme != "http" or path or ":" in (url.hostname or ""):
        return None  # it would answer for all of the name, of which the webmail is but a part
    return (
        "# Written by migrate: the webmail has moved.\n"
        f"server {{\n    listen {url.port or 80};\n    server_name {url.hostname};\n"
        f'    location / {{ return 301 "{webmail.new_url}"; }}\n}}\n'
    )


def _server(context: Context) -> tuple[Server | None, str | None]:
    """Return the old host's web server as its programs and its answer tell, and what its file of ours holds now."""
    known = {
        program: server for program, server in _SERVERS.items() if program in context.facts("old").programs
    }
    listed, texts = at_once(
        lambda: context.old.read("ps", "-e", "-o", "comm="),
        lambda: context.old.read_files([server.path for server in known.values()]),
    )
    if "nginx" not in host_text.words(listed.stdout):
        known.pop("nginx", None)
    server = next(iter(known.values()), None)
    return server, texts[server.path] if server else None


def _redirected(context: Context, webmail: WebmailPlan) -> bool:
    return _fetched(context, webmail) in (f"301 {webmail.new_url}", f"302 {webmail.new_url}")


def _fetched(context: Context, webmail: WebmailPlan) -> str:
    try:
        status, location = context.web.head(webmail.old_url, address=context.plan.old.address)
    except MigrateError as error:
        return error.message
    return f"{status} {location}".strip()
