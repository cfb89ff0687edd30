"""The plan of a lab, as its operator would write it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.lab.place import Place

PLAN = """\
[migration]
name = "lab"
domains = ["example.test", "example2.test"]
mail_host = "mail.example.test"

[old]
ssh = "{user}@{place.old}"
address = "{place.old}"
identity_file = "{folder}operator"
known_hosts = "{folder}known_hosts"{sudo}

[new]
ssh = "{user}@{place.new}"
address = "{place.new}"
identity_file = "{folder}operator"
known_hosts = "{folder}known_hosts"{sudo}

[dns]
ttl = "5s"
lead = "{lead}"
nameservers = [{nameservers}]
resolvers = ["{place.dns}"]
update = "{update}"
restore_ttl = "1h"
{means}
[[sync]]
from = "/var/spool/mail/"
to = "/var/spool/mail/"

[[sync]]
from = "/var/www/web1/mail/"
to = "/var/www/web1/mail/"

[[sync]]
from = "/var/www/web1/user/"
to = "/var/www/web1/user/"
exclude = ["*/bak", "*/web"]

[cutover]
strategy = "{strategy}"
max_closed = "{max_closed}"

[smoke]
recipient = "user01@example.test"

[webmail]
old_url = "http://webmail.example.test/"
new_url = "https://webmail2.example.test/"
"""


SIGNED_UPDATES = """
[dns.rfc2136]
server = "{place.dns}"
key_name = "lab."
key_algorithm = "hmac-sha256"
key_file = "{folder}tsig.key"
"""

PROGRAM = Path(__file__).with_name("set_records.py")


def plan_text(
    place: Place,
    *,
    folder: str = "",
    user: str = "root",
    strategy: str = "hold",
    lead: str = "0s",
    update: str = "rfc2136",
    max_closed: str = "2m",
    secondary: bool = False,
) -> str:
    """Given a lab's place, return its plan.

    `folder` (with its slash) is where the keys are, relative to the plan or absolute; `user` other than root
    gets `sudo = true`; a `lead` of nothing lets a test run without the wait for old caches; `secondary` says
    that the plan names the second name server as well.
    """
    servers = (place.dns, place.secondary) if secondary else (place.dns,)
    return PLAN.format(
        place=place,
        folder=folder,
        nameservers=", ".join(f'"{server}"' for server in servers),
        means=means(place, folder, update),
        user=user,
        sudo="" if user == "root" else "\nsudo = true",
        strategy=strategy,
        lead=lead,
        update=update,
        max_closed=max_closed,
    )


def means(place: Place, folder: str, update: str) -> str:
    """Return the lines of the plan that one way of changing records needs."""
    if update == "rfc2136":
        return SIGNED_UPDATES.format(place=place, folder=folder)
    if update == "command":
        words = (sys.executable, str(PROGRAM), place.dns, f"{folder}tsig.key")
        return f"command = {json.dumps(words)}\n"
    return ""
