"""The plan that `migrate init` writes: ten lines to fill in, every other key with its default."""

from __future__ import annotations

from pathlib import Path

from migrator.errors import UsageError

_HOST_KEYS = """\
#identity_file = "~/.ssh/id_ed25519"  # default: agent and ssh_config, as OpenSSH does
#known_hosts = "~/.ssh/known_hosts"   # host keys are always checked against it
#host_key = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"  # pins one key instead
#sudo = false                         # true: `sudo -n` for what needs root
#mail_spool = "/var/spool/mail"       # the folder of the mbox files
"""

TEMPLATE = f"""\
# A plan for migrate. Fill in the values of the first three tables; every key behind a # shows its default or
# an example, and can stay as it is. Then look before anything is done:
#
#     migrate check PLAN
#     migrate run --dry-run PLAN
#
# Durations are written "48h", "15m", "90s". Files of this machine are relative to the plan, or begin with ~.
# No secret stands in a plan.

[migration]
name = ""                             # a-z, 0-9 and -: names the folder of the migration's state
domains = []                          # mail for these moves: ["example.test"]
mail_host = ""                        # the name whose address record moves: "mail.example.test"

[old]
ssh = ""                              # user@host[:port]; an ssh_config alias works too
address = ""                          # where its port 25 answers; both: ["198.51.100.10", "2001:db8::10"]
{_HOST_KEYS}
[new]
ssh = ""
address = ""
{_HOST_KEYS}
# What `migrate sendmail` does to the new host, before mail is copied to it.
#[new.sendmail]
#dh = "ffdhe3072"                     # a group of RFC 7919 for STARTTLS
#harden = ["helo", "recipients=100"]  # items of `migrate sendmail harden`; ["all"]: every one
#blocklists = []                      # default: a short well-known list
#[new.sendmail.smarthost]
#server = "smtp.example.net"
#port = 587
#user = "shop"                        # with password_file: the login there
#password_file = "shop.password"      # one line, mode 0600
#mechanisms = ["PLAIN"]
#plaintext = false                    # true: without TLS too
#[new.sendmail.rewrite]
#domains = []                         # whose senders are looked up; default: all of the migration
#table = "users.csv"                  # login, address; default: every account

[dns]
#ttl = "15m"                          # the lowered TTL of the mail host's address records
#lead = "48h"                         # how long before the cutover it must be low
#nameservers = []                     # host or host:port; default: the zone's own NS
#resolvers = []                       # public resolvers to watch; default: a short well-known list
#update = "manual"                    # who changes the records: "manual" | "rfc2136" | "lexicon" | "command"
#restore_ttl = "1h"                   # the TTL at the end
#command = ["/usr/local/bin/move-record", "an argument"]  # for update = "command"

# For update = "rfc2136": a signed update straight to the primary server.
#[dns.rfc2136]
#server = "198.51.100.53"
#port = 53
#key_name = "migrate."
#key_algorithm = "hmac-sha256"
#key_file = "tsig.key"                # holds the base64 secret, mode 0600; or key_env names a variable

# For update = "lexicon": a provider that the lexicon program knows.
#[dns.lexicon]
#provider = "example"

[sync]
#passes = "auto"                      # how often it is copied before the cutover; "auto": until the last is short
#max_delete = 0.5                     # a pass that would delete more than this share of a tree is refused
#max_load = 0                         # pauses the copy while the old host's load is higher; 0: as its Sendmail bears
#bwlimit = ""                         # "10M": bytes a second at most
#nice = 0                             # 0 to 19, for what reads on the old host
#ionice = ""                          # "idle" | "best-effort", for the same
#via = "pull"                         # "push" | "operator": where the new host cannot reach the old one's ssh
#streams = "auto"                     # how many copy at once in the first pass; 1 to 16

# What is copied, in this order; default: the mail spool of the old host alone. With a / at both ends, what
# is in one folder comes into the other.
#[[sync.tree]]
#from = "/var/spool/mail/"
#to = "/var/spool/mail/"
#[[sync.tree]]
#from = "/var/www/web1/user/"
#to = "/var/www/web1/user/"
#exclude = ["*/bak", "*/web"]         # stays behind, and is never deleted

[cutover]
#strategy = "hold"                    # "hold": no sender is refused; "firewall": port 25 is closed a while
#window = ""                          # "2026-11-29T02:00+01:00/04:00": outside it, run waits at the cutover
#max_closed = "2m"                    # the old port 25 opens by itself after it, whatever happens here
#budget = "60s"                       # a cutover that would close the mailboxes longer is refused
#overrun = 3                          # one that takes budget times this goes back by itself
#late_mail = "1d"                     # so long the relay puts off (450) whom the new host does not know; then 550

[smoke]
#recipient = ""                       # who gets the test messages; default: the first mailbox found
#sender = ""                          # default: postmaster@ the first domain

# Left out: no webmail step.
#[webmail]
#old_url = "http://webmail.example.test/"
#new_url = "https://webmail2.example.test/"
"""


def write_template(path: Path) -> None:
    """Given a path where nothing is yet, write a plan to fill in there.

    Raises UsageError where something is there, or nothing can be written.
    """
    try:
        with path.open("x", encoding="utf-8") as plan:
            plan.write(TEMPLATE)
    except FileExistsError:
        raise UsageError(f"{path} exists, and is left as it is", advice="name another file") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
