"""The recipe followed by hand, to the letter, so that its account can stand beside that of the program.

Only what does not concern the order of things is added: the new host's limits are lifted for the old one, and the
equal host names are kept from looping, or hardly any mail would be relayed at all.
"""

from __future__ import annotations

from collections.abc import Callable

import dns.query
import dns.tsig
import dns.update

from tests.lab.lab import Lab
from tests.lab.sender import MAIL_HOST

TREES = (
    "/var/spool/mail/",
    "/var/www/web1/mail/",
    "--exclude='*/bak' --exclude='*/web' /var/www/web1/user/",
)
CLOSED = "-I INPUT -p tcp --dport 25 ! -i lo -j REJECT --reject-with tcp-reset"

EXEMPT = """
for key in ClientRate ClientConn GreetPause; do printf '%s:{old}\\t0\\n' "$key"; done >>/etc/mail/access
make -C /etc/mail >/dev/null 2>&1
service sendmail reload >/dev/null
"""

RELAY = """
cd /etc/mail
sed -i "/^MAILER_DEFINITIONS/i MODIFY_MAILER_FLAGS(\\`ESMTP', \\`+k')dnl" sendmail.mc
sed -i "/^MAILER_DEFINITIONS/i FEATURE(\\`mailertable', \\`hash -o /etc/mail/mailertable.db')dnl" sendmail.mc
for domain in example.test example2.test; do
    printf '%s\\tesmtp:[{new}]\\n' "$domain" >>mailertable
    sed -i "/^$domain/d" local-host-names
    printf 'To:%s\\tRELAY\\n' "$domain" >>access
done
make >/dev/null 2>&1
makemap hash access.db <access
makemap hash mailertable.db <mailertable
service sendmail restart
"""


def by_hand(lab: Lab, say: Callable[[str], None], before_the_cutover: Callable[[], None]) -> None:
    """Migrate the lab as the recipe says; `say` is told each step, `before_the_cutover` is called at its time."""
    lab.shell("new", "cp /lab-state/operator /root/.ssh/key && chmod 600 /root/.ssh/key")
    lab.shell("new", EXEMPT.format(old=lab.place.old))
    say("a lower TTL")
    point_mail_host_at(lab, lab.place.old)
    say("rsync ahead of time")
    copy(lab)
    before_the_cutover()
    say("port 25 of the old host is closed, the address record moves")
    lab.shell("old", f"iptables {CLOSED}")
    point_mail_host_at(lab, lab.place.new)
    say("the final rsync")
    copy(lab)
    say("the old host relays, and opens again")
    lab.shell("old", RELAY.format(new=lab.place.new))
    lab.shell("old", "iptables -D INPUT 1")


def copy(lab: Lab) -> None:
    """Pull every tree as the recipe does."""
    ssh = "ssh -i /root/.ssh/key -p 22 -o UserKnownHostsFile=/lab-state/known_hosts"
    for tree in TREES:
        options, _, path = tree.rpartition(" ")
        # Whoever types this shrugs at "some files vanished" (24).
        lab.shell("new", f"rsync -a -e '{ssh}' {options} {lab.place.old}:{path} {path} || test $? = 24")


def point_mail_host_at(lab: Lab, address: str, ttl: int = 900) -> None:
    """Replace the mail host's address record, with a TTL of so many seconds, in one signed update."""
    secret = (lab.folder / "tsig.key").read_text().strip()
    update = dns.update.UpdateMessage("example.test", keyring=dns.tsig.Key("lab.", secret, "hmac-sha256"))
    update.replace(f"{MAIL_HOST}.", ttl, "A", address)
    answer = dns.query.tcp(update, lab.place.dns, timeout=10)
    if answer.rcode() != 0:
        raise RuntimeError(f"the name server refused the update: {answer.rcode()}")
