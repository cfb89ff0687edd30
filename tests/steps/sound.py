"""Two hosts and a DNS that no rule has anything against."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from migrator.change import AddressSet
from migrator.plan import DnsPlan
from migrator.steps.rules.finding import Both, Finding, look_at_both
from tests.fakes import NOON, FakeNames, World, make_facts, make_plan

MARK = "====migrate===="
LOOK = "newercm"
"""What stands in the script that looks for mail on the new host which no pass brought."""

REACH = r"\nreach [0-9]"
"""What stands in the script that connects to the other host's port 25."""

CF = "O DaemonPortOptions=Name=MTA, Family=inet, Port=smtp\nFw-o /etc/mail/local-host-names %[^\\#]\n"


def sound_world(**plan: Any) -> World:
    """Return hosts that may be moved as they are, with the plan changed in the fields that are named."""
    plan.setdefault("dns", DnsPlan(ttl=timedelta(hours=1)))
    world = World(
        make_plan(**plan),
        names=FakeNames(AddressSet("A", ("198.51.100.10",), 3600)),
        facts=dict.fromkeys(("old", "new"), make_facts(cf=CF)),
    )
    for host in (world.old, world.new):
        host.files["/etc/mail/sendmail.mc"] = b"MAILER(`smtp')dnl\n"
        host.files["/etc/mail/sendmail.cf"] = CF.encode()
        host.files["/etc/mail/local-host-names"] = b"example.test\n"
        host.on("^date", f"{int(NOON.timestamp())}\n")
        host.on("^sendmail -bt", local("example.test"))
        host.on(r"^sendmail -bt.*\n\$j\n", f"{MARK}\nmail.example.test\n{MARK}\n")
    for host, other in ((world.old, "198.51.100.20"), (world.new, "198.51.100.10")):
        host.on(REACH, f"reach {other}\nconnected\n< banner 220 mail.example.test ESMTP\nended 0\n")
    world.old.on("du -skH", "1000\n")
    world.old.on("find .*%U", "1001\n")
    world.new.on("df -Pk", "size 0\n/dev/sda1 9000000 1000000 8000000 12% /\n")
    world.new.on(LOOK, f"{int(NOON.timestamp())}\n")
    return world


def local(*domains: str) -> str:
    """Return what `sendmail -bt` prints where class w has these members."""
    return f"{MARK}\n" + "".join(f"{domain}\n" for domain in domains) + f"{MARK}\n{MARK}\n"


def both(world: World, **context: Any) -> Both:
    """Return what rules about hosts look at."""
    return look_at_both(world.context(**context))


def brief(findings: Sequence[Finding]) -> list[str]:
    """Return level, name and host of each finding."""
    return [f"{one.level} {one.name} {one.host}" for one in findings]
