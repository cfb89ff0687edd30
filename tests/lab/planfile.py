"""The plan of a lab, as its operator would write it."""

from __future__ import annotations

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
nameservers = ["{place.dns}"]
resolvers = ["{place.dns}"]
update = "{update}"
restore_ttl = "1h"

[dns.rfc2136]
server = "{place.dns}"
key_name = "lab."
key_algorithm = "hmac-sha256"
key_file = "{folder}tsig.key"

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


def plan_text(
    place: Place,
    *,
    folder: str = "",
    user: str = "root",
    strategy: str = "hold",
    lead: str = "0s",
    update: str = "rfc2136",
    max_closed: str = "2m",
) -> str:
    """Given a lab's place, return its plan.

    `folder` (with its slash) is where the keys are, relative to the plan or absolute; `user` other than root
    gets `sudo = true`; a `lead` of nothing lets a test run without the wait for old caches.
    """
    return PLAN.format(
        place=place,
        folder=folder,
        user=user,
        sudo="" if user == "root" else "\nsudo = true",
        strategy=strategy,
        lead=lead,
        update=update,
        max_closed=max_closed,
    )
